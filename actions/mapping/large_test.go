package mapping

import (
	"runtime"
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

// TestMemoryIsBounded: whatever a mapping makes of an event, and refuses then,
// takes no more memory than the event's own decoded form.
func TestMemoryIsBounded(t *testing.T) {
	const size = 400_000
	list := func(one string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(one+",", size/(len(one)+1)), ",") + "]"
	}
	events := map[string]string{
		"objects": `{"items":` + list("{}") + `}`, "lists": `{"items":` + list("[]") + `}`, "numbers": `{"items":` + list("0") + `}`,
		"members": `{"items":` + list(`{"b":[0]}`) + `}`, "text": `{"items":"` + strings.Repeat("x", size) + `"}`,
		"JSON in a text": `{"items":"` + list("{}") + `"}`, "brackets in a text": `{"items":"` + strings.Repeat("[", size) + `"}`,
	}
	for _, mapping := range []string{
		`{"@arrayPath":["$.items",{"a":{"@path":"$.a"},"b":"x","c":["y",{"d":1}]}]}`,
		`{"@arrayPath":["$.items",{"z":{"@arrayPath":["$.b",{"c":1,"d":2,"e":3}]}}]}`,
		`{"@arrayPath":["$.items",[1,2,3,4,5,6,7,8]]}`,
		`{"@flatten":{"value":{"@path":"$"},"separator":"."}}`,
		`{"@merge":{"objects":[{"@path":"$.items"},{"@path":"$"}],"direction":"right"}}`,
		`{"@json":{"mode":"decode","value":{"@path":"$.items"}}}`,
		`[{"@json":{"mode":"decode","value":{"@path":"$.items"}}},{"@json":{"mode":"decode","value":{"@path":"$.items"}}},{"@json":{"mode":"decode","value":{"@path":"$.items"}}}]`,
		`{"@json":{"mode":"decode","value":{"@json":{"mode":"encode","value":{"@path":"$"}}}}}`,
		`{"@transform":{"apply":{"a":{"@path":"$.items"},"gone":{"@path":"$.gone"},"b":{"@arrayPath":["$.items",{"k":{"@path":"$"},"gone":{"@path":"$.gone"}}]}},"mapping":{"@path":"$.b"}}}`,
		`{"@excludeWhenNull":{"@path":"$.items"}}`,
		`{"@template":"{{items}}{{items}}{{items}}{{items}}"}`,
	} {
		decoded, err := jsvalue.Decode(mapping)
		if err != nil {
			t.Fatal(err)
		}
		value, faults := Compile(decoded)
		if len(faults) > 0 {
			t.Fatal(mapping, faults)
		}
		for name, text := range events {
			event, err := jsvalue.Decode(text)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err = value.Resolve(liquid.NewBudget(t.Context()), event)
			runtime.ReadMemStats(&after)
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 64 {
				t.Errorf("%s of %s: makes %d MiB, %v", mapping, name, made, err)
			}
		}
	}
}
