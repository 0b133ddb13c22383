package mapping

import (
	"strconv"
	"strings"
	"testing"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// TestLargeEvents resolves what took seconds to hours while it was looked
// through again for each brace or key.
func TestLargeEvents(t *testing.T) {
	braces := strings.Repeat("{", 800_000)
	var keys strings.Builder
	for i := 60_000; i > 0; i-- {
		keys.WriteString(`"` + strconv.Itoa(i) + `":1,`)
	}
	event, err := jsvalue.Decode(`{"braces":"` + braces + `","path":"` + strings.Repeat("a.", 400_000) + `","keys":{` + keys.String() + `"a":1}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		mapping string
		size    int // of the result, as JSON
	}{
		{`{"@template":{"@path":"$.braces"}}`, len(braces) + 2},
		{`{"@path":{"@path":"$.path"}}`, len("null")},
		{`{"@merge":{"objects":[{"z":0},{"@path":"$.keys"}],"direction":"right"}}`, len(`{"z":0,"a":1}`) + keys.Len()},
		{`{"@flatten":{"value":{"@path":"$.keys"},"separator":"."}}`, len(`{"a":1}`) + keys.Len()},
	} {
		decoded, err := jsvalue.Decode(c.mapping)
		if err != nil {
			t.Fatal(err)
		}
		value, faults := CompileTrusting(decoded)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		got, _, err := value.Resolve(liquid.NewBudget(t.Context()), event)
		if err != nil || len(jsvalue.Encode(got)) != c.size {
			t.Errorf("%s: %d bytes, %v, want %d", c.mapping, len(jsvalue.Encode(got)), err, c.size)
		}
	}
}
