package trigger_test

import (
	"fmt"

	"engage-worker/actions/trigger"
)

// A trigger is compiled once, and tells of an event's bytes whether it wants it.
func ExampleCompile() {
	vip, err := trigger.Compile(`event = "Order Completed" and properties.total > 100`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(vip.Match([]byte(`{"event": "Order Completed", "properties": {"total": 120}}`)))
	fmt.Println(vip.Match([]byte(`{"event": "Order Completed", "properties": {"total": 80}}`)))

	_, err = trigger.Compile(`event = and type = "track"`)
	fmt.Println(err)
	// Output:
	// true
	// false
	// trigger, column 9: unexpected and
	//   event = and type = "track"
	//           ^
}
