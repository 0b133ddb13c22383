package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

func decode(t testing.TB, s string) any {
	t.Helper()
	v, err := jsvalue.Decode(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return v
}

func TestAllFaultsAreTold(t *testing.T) {
	for mapping, want := range map[string][]Fault{
		`{"@pth": "x"}`: {
			{"", `unknown directive "@pth"; there are ` + strings.Join(names(), ", ")},
		},
		`{"a": {"@path": 1}, "b": [0, {"@template": null}]}`: {
			{".a.@path", "should be a string or a directive, is a number"},
			{".b[1].@template", "should be a string or a directive, is null"},
		},
		`[{"@if": {"exists": {"@path": []}, "then": {"@case": {"operator": "title", "value": 1}}}}]`: {
			{"[0].@if.exists.@path", "should be a string or a directive, is an array"},
			{"[0].@if.then.@case.operator", `should be one of lower, upper, is "title"`},
			{"[0].@if.then.@case.value", "should be a string or a directive, is a number"},
		},
		`{"@if": {"then": 1}}`: {
			{".@if", `needs "exists" or "blank"`},
		},
		`{"@path": "a", "@template": "b"}`: {
			{"", "an object can hold one directive, this has @path, @template"},
		},
		`{"@path": "a", "b": 1, "c": 2}`: {
			{"", `a directive stands alone in its object, @path has "b", "c" beside it`},
		},
		`{"@replace": {"pattern": "a pattern too long", "replacement": 1, "global": "yes"}}`: {
			{".@replace.global", "should be true or false, is a string"},
			{".@replace.pattern", "should have at most 10 characters"},
			{".@replace.replacement", "should be a string, is a number"},
			{".@replace", `needs "value"`},
		},
		`{"@json": {"mode": "encode"}}`: {
			{".@json", `needs "value"`},
		},
		`{"@flatten": {"value": {"@merge": {"objects": [1]}}}}`: {
			{".@flatten", `needs "separator"`},
			{".@flatten.value.@merge", `needs "direction", one of left, right`},
			{".@flatten.value.@merge.objects[0]", "should be an object or a directive, is a number"},
		},
		`{"@transform": {"mapping": "x"}}`: {
			{".@transform", `needs "apply"`},
			{".@transform.mapping", "should be an object or a directive, is a string"},
		},
		`{"@arrayPath": "x"}`: {
			{".@arrayPath", "should be an array of a path and, if wanted, an item's shape; is a string"},
		},
		`{"@liquid": "{{ userId | shout }}"}`: {
			{".@liquid", `Liquid, line 1, column 13: there is no filter "shout"`},
		},
		`{"@liquid": "` + strings.Repeat("x", 1001) + `"}`: {
			{".@liquid", "should have at most 1000 characters"},
		},
		`{"@path": {"@literal": 5}}`: {
			{".@path", "should be a string, is a number"},
		},
	} {
		value, faults := Compile(decode(t, mapping))
		if value != nil || !reflect.DeepEqual(faults, want) {
			t.Errorf("%.80s:\n got %q\nwant %q", mapping, faults, want)
		}
	}
}

func TestGoValues(t *testing.T) {
	event := map[string]any{"userId": "jane", "properties": map[string]any{"orders": 7, "b": int64(2), "a": []any{uint64(1), float32(0.5)}}}
	for _, test := range []struct {
		mapping any
		want    string
	}{
		{3, "3"},
		{map[string]any{"@path": "properties.orders"}, "7"},
		{map[string]any{"@template": "{{properties.orders}} {{properties.a}}"}, `"7 1,0.5"`},
		{map[string]any{"@path": "properties"}, `{"a":[1,0.5],"b":2,"orders":7}`},
		{map[string]any{"b": 1, "a": map[string]any{"@path": "userId"}, "10": nil, "9": true}, `{"9":true,"10":null,"a":"jane","b":1}`},
		{[]any{map[string]any{"@replace": map[string]any{"pattern": "7", "replacement": "8", "value": map[string]any{"@path": "properties.orders"}}}}, `["8"]`},
	} {
		value, faults := Compile(test.mapping)
		if faults != nil {
			t.Errorf("%v: %v", test.mapping, faults)
			continue
		}
		got, defined, err := value.Resolve(liquid.NewBudget(context.Background()), event)
		if s := jsvalue.Encode(got); s != test.want || !defined || err != nil {
			t.Errorf("%v: got %s, %t, %v, want %s", test.mapping, s, defined, err, test.want)
		}
	}
	if _, faults := Compile(map[string]any{"a": struct{}{}}); !reflect.DeepEqual(faults, []Fault{{".a", "should be a JSON value, is a struct {}"}}) {
		t.Errorf("a struct: %v", faults)
	}
}

func TestStatic(t *testing.T) {
	for mapping, want := range map[string]string{
		`"x"`:                                `"x"`,
		`null`:                               `null`,
		`{"b": 1, "a": [true, {}]}`:          `{"b":1,"a":[true,{}]}`,
		`{"@literal": {"a": 1}}`:             `{"a":1}`,
		`{"@template": "no placeholder {}"}`: `"no placeholder {}"`,
		`{"@liquid": "no tags"}`:             `"no tags"`,
		`{"@path": "x"}`:                     "",
		`[{"@template": "{{x}}"}]`:           "",
		`{"a": {"@liquid": "{{ x }}"}}`:      "",
		`{"@case": {"operator": "upper"}}`:   "",
	} {
		value, faults := Compile(decode(t, mapping))
		if faults != nil {
			t.Errorf("%s: %v", mapping, faults)
			continue
		}
		v, _, ok := value.Static()
		if got := jsvalue.Encode(v); ok != (want != "") || ok && got != want {
			t.Errorf("%s: got %s, %t, want %s", mapping, got, ok, want)
		}
	}
}

func TestResolveErrorsNameTheDirective(t *testing.T) {
	event := decode(t, `{"n": 5, "long": "`+strings.Repeat("x", 5000)+`", "nested": `+strings.Repeat("[", 400)+strings.Repeat("]", 400)+`}`)
	for mapping, want := range map[string]string{
		`{"a": [{"@path": {"@path": "n"}}]}`:                                                ".a[0].@path: should resolve to a string, is a number",
		`{"@template": {"@path": "missing"}}`:                                               ".@template: should resolve to a string, is undefined",
		`{"@if": {"exists": "x", "then": {"@path": {"@path": "n"}}}}`:                       ".@if.then.@path: should resolve to a string, is a number",
		`{"@liquid": "{{ n | append }}"}`:                                                   ".@liquid: Liquid, line 1, column 1: append: needs one argument",
		`{"@replace": {"pattern": "x", "replacement": "$'$'", "value": {"@path": "long"}}}`: ".@replace: makes more than 8 MiB of values",
	} {
		value, faults := Compile(decode(t, mapping))
		if faults != nil {
			t.Errorf("%s: %v", mapping, faults)
			continue
		}
		got, defined, err := value.Resolve(liquid.NewBudget(context.Background()), event)
		var resolveErr *ResolveError
		if !errors.As(err, &resolveErr) || err.Error() != want || got != nil || defined {
			t.Errorf("%s: got %v, %t, %v, want %s", mapping, got, defined, err, want)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := func(n int) string {
		return strings.Repeat(`{"@json":{"mode":"encode","value":`, n) + `{"@path":""}` + strings.Repeat("}}", n)
	}
	value, faults := Compile(decode(t, deep(30)))
	if faults != nil {
		t.Fatal(faults)
	}
	// Each encoding doubles the backslashes of the one before.
	_, _, err := value.Resolve(liquid.NewBudget(context.Background()), decode(t, `{"a":"b"}`))
	var resolveErr *ResolveError
	if !errors.As(err, &resolveErr) || resolveErr.Err.Error() != "makes more than 8 MiB of values" {
		t.Errorf("got %v", err)
	}
	if _, faults := Compile(decode(t, deep(60))); len(faults) != 1 || faults[0].Message != "nested more than 100 deep" {
		t.Errorf("got %d faults, %.300v", len(faults), faults)
	}
}

func TestValuesWithinValuesAreBounded(t *testing.T) {
	const twice = `{"a":{"@path":""},"b":{"@path":""}}`
	for name, mapping := range map[string]string{
		"transform": strings.Repeat(`{"@transform":{"apply":`+twice+`,"mapping":`, 30) + `{"@path":""}` + strings.Repeat("}}", 30),
		"arrayPath": strings.Repeat(`{"@arrayPath":[{"@literal":`+twice+`},`, 30) + `{"x":{"@path":""}}` + strings.Repeat("]}", 30),
	} {
		value, faults := Compile(decode(t, mapping))
		if faults != nil {
			t.Fatalf("%s: %v", name, faults)
		}
		_, _, err := value.Resolve(liquid.NewBudget(context.Background()), decode(t, `{}`))
		var resolveErr *ResolveError
		if !errors.As(err, &resolveErr) || resolveErr.Err.Error() != "makes more than 8 MiB of values" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEventStaysAsItIs(t *testing.T) {
	const before = `{"a":{"n":null,"x":[1,{"y":2}]},"list":[{"id":1},{"id":2}]}`
	event := decode(t, before)
	for _, mapping := range []string{
		`{"@merge":{"direction":"right","objects":[{"@path":"a"},{"x":1,"z":2}]}}`,
		`{"@excludeWhenNull":{"@path":"a"}}`,
		`{"@arrayPath":["list",{"id":{"@path":"id"},"no":{"@path":"no"}}]}`,
		`{"@flatten":{"separator":".","value":{"@path":"a"}}}`,
		`{"@transform":{"apply":{"@path":"a"},"mapping":{"@path":"x"}}}`,
	} {
		value, faults := Compile(decode(t, mapping))
		if faults != nil {
			t.Fatal(faults)
		}
		if _, _, err := value.Resolve(liquid.NewBudget(context.Background()), event); err != nil {
			t.Errorf("%s: %v", mapping, err)
		}
		if after := jsvalue.Encode(event); after != before {
			t.Fatalf("%s: the event is now %s", mapping, after)
		}
	}
}

// FuzzResolve looks for panics, hangs and values beyond the bounds.
func FuzzResolve(f *testing.F) {
	raw, err := os.ReadFile("testdata/hosted.json")
	if err != nil {
		f.Fatal(err)
	}
	var h hosted
	if err := json.Unmarshal(raw, &h); err != nil {
		f.Fatal(err)
	}
	for i, row := range h.Rows {
		if i%4 == 0 {
			f.Add(row.Mapping, h.Event)
		}
	}
	f.Fuzz(func(t *testing.T, mapping, event string) {
		m, err := jsvalue.Decode(mapping)
		if err != nil {
			return
		}
		e, err := jsvalue.Decode(event)
		if err != nil {
			return
		}
		value, faults := Compile(m)
		if (value == nil) != (len(faults) > 0) {
			t.Fatalf("%s: %v, %v", mapping, value, faults)
		}
		if value == nil {
			return
		}
		before := jsvalue.Encode(e)
		got, defined, err := value.Resolve(liquid.NewBudget(context.Background()), e)
		var resolveErr *ResolveError
		if err != nil && !errors.As(err, &resolveErr) {
			t.Fatalf("%s: %#v", mapping, err)
		}
		if (err != nil || !defined) && got != nil {
			t.Fatalf("%s: %v, %t, %v", mapping, got, defined, err)
		}
		if jsvalue.Encode(e) != before {
			t.Fatalf("%s: the event changed", mapping)
		}
		if v, _, ok := value.Static(); ok && jsvalue.Encode(v) != jsvalue.Encode(got) {
			t.Fatalf("%s: static %v, resolved %v", mapping, v, got)
		}
	})
}

func benchmarkResolve(b *testing.B, mapping string) {
	value, faults := Compile(decode(b, mapping))
	if faults != nil {
		b.Fatal(faults)
	}
	event := decode(b, `{"type":"track","event":"Audience Entered","userId":"jane","messageId":"m1","properties":{"first_name":"Jane","ltv":1234.5,"tags":["a","b"]},"context":{"personas":{"computation_id":"aud_1"}},"external_ids":[{"id":"+15551234567","type":"phone","channelType":"sms","isSubscribed":"subscribed"}]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := value.Resolve(liquid.NewBudget(context.Background()), event); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPath(b *testing.B) {
	benchmarkResolve(b, `{"@path":"$.properties.first_name"}`)
}

func BenchmarkTemplate(b *testing.B) {
	benchmarkResolve(b, `{"@template":"Hi {{properties.first_name}}, {{properties.ltv}}"}`)
}

func BenchmarkIf(b *testing.B) {
	benchmarkResolve(b, `{"@if":{"exists":{"@path":"$.properties.first_name"},"then":{"@path":"$.properties.first_name"},"else":"there"}}`)
}

// BenchmarkFields is about what the default mapping of a message asks for.
func BenchmarkFields(b *testing.B) {
	benchmarkResolve(b, `{"userId":{"@path":"$.userId"},"messageId":{"@path":"$.messageId"},"traits":{"@path":"$.properties"},"externalIds":{"@arrayPath":["$.external_ids",{"id":{"@path":"$.id"},"type":{"@path":"$.type"},"channelType":{"@path":"$.channelType"},"subscriptionStatus":{"@path":"$.isSubscribed"}}]},"body":"Hi {{ profile.traits.first_name }}","send":true}`)
}

func BenchmarkStatic(b *testing.B) { benchmarkResolve(b, `"MG1111222233334444"`) }
