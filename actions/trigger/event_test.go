package trigger

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestValid(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	for _, c := range []struct{ event, want string }{
		{event, ""},
		{" \t\r\n{} \t\r\n", ""},
		{`{"a":[1,-0,0.5e+10,true,false,null,"",{},[],"\"\\\/\b\f\n\r\t\u00aF"]}`, ""},
		{"{\"a\":\"\xff\"}", ""}, // decoders take it with U+FFFD
		{nested(10_000), ""},
		{nested(10_001), "nested deeper than 10000 levels at byte 10004"},
		{``, "empty: no JSON object at byte 0"},
		{"\n", "white space only: no JSON object at byte 1"},
		{`null`, "JSON, but not an object, at byte 0"},
		{` [{}] `, "a JSON list, whose elements are to be published one by one, at byte 1"},
		{`"x"`, "JSON, but not an object, at byte 0"},
		{`hello`, "unexpected character 'h' at byte 0"},
		{"\xff", "unexpected byte 0xff at byte 0"},
		{"\ufeff{}", "a byte order mark, which isn't JSON, at byte 0"},
		{`{"a":1`, "the JSON object is cut off at byte 6"},
		{`{"abcdefgh`, "the JSON object is cut off at byte 10"},
		{`{"a":"\`, "the JSON object is cut off at byte 7"},
		{`{}{}`, "something follows the JSON object at byte 2"},
		{`{"a":1,}`, "unexpected character '}' at byte 7"},
		{`{,}`, "unexpected character ',' at byte 1"},
		{`{"a"}`, "unexpected character '}' at byte 4"},
		{`{"a" {`, "unexpected character '{' at byte 5"},
		{`{a:1}`, "unexpected character 'a' at byte 1"},
		{`{"a":01}`, "unexpected character '1' at byte 6"},
		{`{"a":+1}`, "unexpected character '+' at byte 5"},
		{`{"a":1.}`, "unexpected character '}' at byte 7"},
		{`{"a":.5}`, "unexpected character '.' at byte 5"},
		{`{"a":-}`, "unexpected character '}' at byte 6"},
		{`{"a":1e}`, "unexpected character '}' at byte 7"},
		{`{"a":tru}`, "unexpected character '}' at byte 8"},
		{`{"a":NaN}`, "unexpected character 'N' at byte 5"},
		{`{"a":[1,]}`, "unexpected character ']' at byte 8"},
		{`{"a":[1 2]}`, "unexpected character '2' at byte 8"},
		{"{\"a\":\"12345678\n\"}", "unexpected character '\\n' at byte 14"},
		{`{"a":"\x"}`, "unexpected character 'x' at byte 7"},
		{`{"a":"\u12g4"}`, "unexpected character 'g' at byte 10"},
	} {
		err := Valid([]byte(c.event))
		if got := message(err); got != c.want {
			t.Errorf("%.60q: %q, want %q", c.event, got, c.want)
		}
		isObject := strings.HasPrefix(strings.TrimSpace(c.event), "{")
		if want := json.Valid([]byte(c.event)) && isObject; want != (err == nil) {
			t.Errorf("%.60q: encoding/json says %t", c.event, want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestValidEverywhere breaks an event at each of its bytes.
func TestValidEverywhere(t *testing.T) {
	for i := range len(event) {
		for _, c := range []byte{0, '"', '\\', '{', '}', ',', 'x', '0'} {
			broken := []byte(event)
			broken[i] = c
			if got, want := Valid(broken) == nil, json.Valid(broken) && broken[0] == '{'; got != want {
				t.Errorf("byte %d as %q: %t", i, c, got)
			}
		}
		if Valid([]byte(event[:i])) == nil {
			t.Errorf("cut at %d is valid", i)
		}
	}
}

func TestText(t *testing.T) {
	e, err := Parse([]byte(`{"userId":"a","n":1.50,"userId":"J\u00fcrgen","anonymousId":null,"x.y":"dot","o":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	for field, want := range map[string]string{"userId": "Jürgen", "n": "1.50", "anonymousId": "", "x.y": "dot", "o": "", "none": ""} {
		if got := e.Text(field); got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if got := (Event{}).Text("userId"); got != "" {
		t.Errorf("of no event it is %q", got)
	}
}

func TestValidAllocatesNothing(t *testing.T) {
	raw := []byte(event)
	if n := testing.AllocsPerRun(100, func() { _ = Valid(raw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
