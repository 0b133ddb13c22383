package jsvalue

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`null`, `null`},
		{" \t\r\n{ } ", `{}`},
		{`[ ]`, `[]`},
		{`{"b":1,"a":[true,false,null,"x",{}],"c":{"d":-1.5e-3}}`, `{"b":1,"a":[true,false,null,"x",{}],"c":{"d":-0.0015}}`},
		{`{"b":1,"a":2,"b":3}`, `{"b":3,"a":2}`},
		{`{"b":1,"10":2,"9":3,"01":4,"9":5}`, `{"9":5,"10":2,"b":1,"01":4}`},
		{`"\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00"`, `"\"\\/\b\f\n\r\té€😀"`},
		{`"a\ud800b\udc00\ud800\ud800\udc00"`, `"a` + "\uFFFD" + `b` + "\uFFFD\uFFFD\U00010000" + `"`},
		{"\"a\xffb\xc3\xa9\"", `"a` + "\uFFFD" + `bé"`},
		{`[0,-0,1e3,1E+2,123456789012345680000,1e21]`, `[0,0,1000,100,123456789012345680000,1e+21]`},
	} {
		v, err := Decode(c.text)
		if err != nil {
			t.Errorf("Decode(%s): %v", c.text, err)
			continue
		}
		if got := Encode(v); got != c.want {
			t.Errorf("Decode(%s)\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
	if v, err := Decode("-1e999"); err != nil || v != math.Inf(-1) {
		t.Errorf("Decode(-1e999) = %v, %v", v, err)
	}
}

func TestDecodeLargeObjects(t *testing.T) {
	var text strings.Builder
	var want strings.Builder
	const n = 50_000
	text.WriteString(`{"first":0`)
	want.WriteString(`{`)
	for i := range n {
		text.WriteString(`,"` + strconv.Itoa(n-i) + `":1,"` + strconv.Itoa(n-i) + `":2`)
		if i > 0 {
			want.WriteString(`,`)
		}
		want.WriteString(`"` + strconv.Itoa(i+1) + `":2`)
	}
	text.WriteString(`}`)
	want.WriteString(`,"first":0}`)
	start := time.Now()
	v, err := Decode(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if Encode(v) != want.String() {
		t.Error("wrong order or values")
	}
	if value, ok := v.(*Object).Get("777"); !ok || value != 2.0 {
		t.Errorf("777 is %v", value)
	}
	if took := time.Since(start); took > 20*time.Second { // it takes some 50 ms; sorted one by one it took minutes
		t.Errorf("took %v", took)
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct {
		text, message string
		offset        int
	}{
		{``, "unexpected end", 0},
		{` `, "unexpected end", 1},
		{`{`, "unexpected end", 1},
		{`{a`, "expected a key", 1},
		{`{"a" 1}`, "expected a colon", 5},
		{`{"a":1 "b"`, "expected a comma or a closing brace", 7},
		{`{"a":1,}`, "expected a key", 7},
		{`[1,]`, "unexpected character", 3},
		{`[1 2`, "expected a comma or a closing bracket", 3},
		{`{} x`, "unexpected text after the value", 3},
		{`01`, "unexpected text after the value", 1},
		{`-`, "unexpected end", 1},
		{`-a`, "expected a digit", 1},
		{`1.`, "unexpected end", 2},
		{`1.x`, "expected a digit", 2},
		{`1e+`, "unexpected end", 3},
		{`+1`, "unexpected character", 0},
		{`nul`, "unexpected end", 3},
		{`nuLl`, "unexpected character", 2},
		{"\"a\nb\"", "unescaped control character", 2},
		{"\"é\x01\"", "unescaped control character", 3},
		{`"\x"`, "invalid escape", 2},
		{`"\u12g4"`, "invalid escape", 2},
		{`"\`, "unexpected end", 2},
		{`"abc`, "unexpected end", 4},
		{strings.Repeat("[", 1<<20), "nested too deeply", MaxDepth},
		{strings.Repeat(`{"a":`, 1<<20), "nested too deeply", 5 * MaxDepth},
	} {
		_, err := Decode(c.text)
		want := &SyntaxError{Offset: c.offset, Message: c.message}
		got, ok := errors.AsType[*SyntaxError](err)
		if !ok || *got != *want {
			t.Errorf("Decode(%.20s): %v, want %v", c.text, err, want)
		}
	}
}

// FuzzDecode holds Decode against what encoding/json finds valid, and its values
// against encoding/json's.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":[1,2.5e-7,"x\u00e9\ud83d\ude00"],"1":null,"a":true}`, `[[[]]]`, "\"\xff\"", `-0.0`, `{"a"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Decode(text)
		if valid := json.Valid([]byte(text)); err == nil != valid {
			if err == nil || !strings.Contains(err.Error(), "too deeply") {
				t.Fatalf("Decode says %v, encoding/json that it is valid: %t", err, valid)
			}
		}
		if err != nil {
			return
		}
		encoded := Encode(v)
		again, err := Decode(encoded)
		if err != nil || Encode(again) != encoded {
			t.Fatalf("%s comes back as %s: %v", encoded, Encode(again), err)
		}
		var want any
		if json.Unmarshal([]byte(text), &want) != nil {
			return // a number out of range
		}
		if got := goValue(v); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
	})
}

func goValue(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = goValue(v[i])
		}
		return v
	case *Object:
		m := map[string]any{}
		for key, value := range v.All() {
			m[key] = goValue(value)
		}
		return m
	default:
		return v
	}
}

func TestStringsBecomeOtherValuesAndBack(t *testing.T) {
	v, err := Decode(`{"a":"x","b":"y","7":"z"}`)
	if err != nil {
		t.Fatal(err)
	}
	o := v.(*Object)
	o.SetFrom("b", o.Member("7"))
	o.SetFrom("3", o.Member("a"))
	o.Set("a", 1.0)
	o.Set("c", "c")
	o.SetFrom("d", o.Member("c"))
	o.SetFrom("d", o.Member("a"))
	if got, want := Encode(o), `{"3":"x","7":"z","a":1,"b":"z","c":"c","d":1}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for key, want := range map[string]any{"3": "x", "7": "z", "a": 1.0, "b": "z", "c": "c", "d": 1.0} {
		got, ok := o.Get(key)
		text, isText := o.Text(key)
		if wantText, wantIsText := want.(string); got != want || !ok || text != wantText || isText != wantIsText {
			t.Errorf("%s is %v, %t, and as a text %q, %t; want %v", key, got, ok, text, isText, want)
		}
	}
	if _, ok := o.Text("e"); ok || o.Member("e") != nil {
		t.Error("there is an e")
	}
}
