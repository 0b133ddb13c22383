package jsvalue

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The wanted texts are what Node.js prints.
func TestFormatNumber(t *testing.T) {
	for want, f := range map[string]float64{
		"0": math.Copysign(0, -1), "7": 7, "-7.25": -7.25, "1234.5": 1234.5, "0.1": 0.1, "0.30000000000000004": 0.1 + nextTo(0.2),
		"100000000000000000000": 1e20, "123456789012345680000": 123456789012345678901, "1e+21": 1e21, "1.5e+300": 1.5e300, "-1e+21": -1e21,
		"0.000001": 1e-6, "1e-7": 1e-7, "1.25e-7": 1.25e-7, "5e-324": 5e-324, "1e-10": 1e-10, "1.7976931348623157e+308": math.MaxFloat64,
		"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
	} {
		if got := FormatNumber(f); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// nextTo keeps the compiler from adding constants exactly.
func nextTo(f float64) float64 { return f }

func TestString(t *testing.T) {
	o := NewObject(0)
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, "null"}, {Undefined{}, "undefined"}, {true, "true"}, {7, "7"}, {1e21, "1e+21"}, {"x", "x"}, {o, "[object Object]"},
		{map[string]any{}, "[object Object]"}, {[]any{}, ""}, {[]any{nil, Undefined{}, 1.0, "a", []any{2.0, []any{3.0}}, o}, ",,1,a,2,3,[object Object]"},
	} {
		if got := String(test.v); got != test.want {
			t.Errorf("%v: got %q, want %q", test.v, got, test.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		v    any
		want float64
	}{
		{nil, 0}, {Undefined{}, math.NaN()}, {true, 1}, {false, 0}, {"", 0}, {"  ", 0}, {" 12.5\n", 12.5}, {"1e3", 1000}, {".5", 0.5}, {"5.", 5},
		{"-", math.NaN()}, {"0x1F", 31}, {"0b11", 3}, {"0o17", 15}, {"0x", math.NaN()}, {"-0x1", math.NaN()}, {"1_000", math.NaN()}, {"1px", math.NaN()},
		{"Infinity", math.Inf(1)}, {"-Infinity", math.Inf(-1)}, {"inf", math.NaN()}, {"nan", math.NaN()}, {"1e999", math.Inf(1)},
		{[]any{}, 0}, {[]any{"7"}, 7}, {[]any{1.0, 2.0}, math.NaN()}, {NewObject(0), math.NaN()}, {int64(3), 3},
	} {
		if got := Number(test.v); got != test.want && !(math.IsNaN(got) && math.IsNaN(test.want)) {
			t.Errorf("%v: got %v, want %v", test.v, got, test.want)
		}
	}
}

func TestCase(t *testing.T) {
	for _, test := range []struct{ s, upper, lower string }{
		{"Jane", "JANE", "jane"}, {"straße", "STRASSE", "straße"}, {"ΑΣ", "ΑΣ", "ας"}, {"ÉCOLE", "ÉCOLE", "école"}, {"👋 hi", "👋 HI", "👋 hi"}, {"", "", ""},
	} {
		if upper, lower := ToUpper(test.s), ToLower(test.s); upper != test.upper || lower != test.lower {
			t.Errorf("%q: got %q and %q, want %q and %q", test.s, upper, lower, test.upper, test.lower)
		}
	}
}

func TestSubstring(t *testing.T) {
	const s = "a👋ü"
	if n := StringLen(s); n != 4 {
		t.Fatalf("%d units", n)
	}
	for _, test := range []struct {
		start, end int
		want       string
	}{
		{0, 4, s}, {0, 99, s}, {-5, 1, "a"}, {1, 3, "👋"}, {1, 2, "\uFFFD"}, {2, 3, "\uFFFD"}, {0, 2, "a\uFFFD"}, {3, 4, "ü"}, {3, 3, ""}, {4, 9, ""}, {3, 1, ""},
	} {
		if got := Substring(s, test.start, test.end); got != test.want {
			t.Errorf("%d to %d: got %q, want %q", test.start, test.end, got, test.want)
		}
	}
}

func TestEncode(t *testing.T) {
	o := NewObject(4)
	o.Set("b", 1.0)
	o.Set("gone", Undefined{})
	o.Set("10", []any{Undefined{}, nil, math.NaN(), "<&>\u2028\u0001\"\\\n"})
	o.Set("2", NewObject(0))
	o.Set("a", []any{})
	const want = "{\"2\":{},\"10\":[null,null,null,\"<&>\u2028\\u0001\\\"\\\\\\n\"],\"b\":1,\"a\":[]}"
	if got := Encode(o); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	const indented = "{\n  \"2\": {},\n  \"10\": [\n    null,\n    null,\n    null,\n    \"<&>\u2028\\u0001\\\"\\\\\\n\"\n  ],\n  \"b\": 1,\n  \"a\": []\n}"
	if got, ok := EncodeIndentWithin(o, "  ", len(indented)); got != indented || !ok {
		t.Errorf("got %s, want %s", got, indented)
	}
	if got, ok := EncodeIndentWithin(o, "  ", len(indented)-1); got != "" || ok {
		t.Errorf("one byte short: got %s, %t", got, ok)
	}
	if got := Encode("a\xffb"); got != "\"a\uFFFDb\"" {
		t.Errorf("got %q", got)
	}
}

func FuzzSubstring(f *testing.F) {
	f.Add("a👋ü", 1, 2)
	f.Fuzz(func(t *testing.T, s string, start, end int) {
		s = strings.ToValidUTF8(s, "?")
		got := Substring(s, start, end)
		n := StringLen(s)
		from, to := min(max(start, 0), n), min(max(end, 0), n)
		if !utf8.ValidString(got) || StringLen(got) != max(0, to-from) {
			t.Errorf("%q from %d to %d: %q", s, start, end, got)
		}
	})
}

// TestDecimalsAreRoundedOnce: as strconv reads them, to the last bit and the sign of
// zero, of any number of digits on either side of the point.
func TestDecimalsAreRoundedOnce(t *testing.T) {
	texts := []string{"0", "-0", "-0.0", "0.1", "1234.5", "9007199254740993", "999999999999999", "99999999999999.9", "0.00000000000001", "0.000000000000001", "1e3", "1.5E-400", "-1e999"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		texts = append(texts, fmt.Sprintf("-%d.%0*d", random.Int64N(1<<random.Int64N(60)), 1+random.IntN(17), random.Int64N(1<<random.Int64N(60)))[random.IntN(2):])
	}
	for _, text := range texts {
		want, _ := strconv.ParseFloat(text, 64)
		if got := parseDecimal(text); math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
	}
}
