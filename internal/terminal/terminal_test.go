package terminal

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode"
)

func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"":                          "",
		"Zoë 山田 🎉":                  "Zoë 山田 🎉",
		"\x1b[2Jgone":               "\uFFFD[2Jgone",
		"\u009b2Jgone":              "\uFFFD2Jgone",
		"bell\a\x7f\x00":            "bell\uFFFD\uFFFD\uFFFD",
		"two\nlines\r\tand":         "two\uFFFDlines\uFFFD\uFFFDand",
		"\u202Egnp.exe\u2066\u200F": "\uFFFDgnp.exe\uFFFD\uFFFD",
		"\u2028\u2029\uFEFF\u00AD":  "\uFFFD\uFFFD\uFFFD\uFFFD",
		"tag\U000E0041":             "tag\uFFFD",
		"\xff\x9b":                  "\uFFFD\uFFFD",
		"👩\u200D👧 می\u200Cخواهم":    "👩\u200D👧 می\u200Cخواهم",
	} {
		if got := Plain(in); got != want {
			t.Errorf("Plain(%q) = %q, want %q", in, got, want)
		}
	}
	if got, want := PlainLines("a\tb\r\nc\rd\x1b\n"), "a\tb\r\nc\uFFFDd\uFFFD\n"; got != want {
		t.Errorf("PlainLines: %q, want %q", got, want)
	}
}

func TestEscapeJSON(t *testing.T) {
	in := "{\n  \"na\u009bme\": \"\u202E\u007f\U000E0041 é 🎉\"\n}"
	if got, want := string(EscapeJSON([]byte(in))), "{\n  \"na\\u009bme\": \"\\u202e\\u007f\\udb40\\udc41 é 🎉\"\n}"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	var out bytes.Buffer
	n, err := JSON{&out}.Write([]byte("\"\u0085\"\n"))
	if n != 5 || err != nil || out.String() != "\"\\u0085\"\n" {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
}

// FuzzEscapeJSON: the value stays the same, and nothing in it drives a terminal.
func FuzzEscapeJSON(f *testing.F) {
	f.Add("\u009b31m\u202E\U000E0041\u2028 é\x7f\xff")
	f.Fuzz(func(t *testing.T, s string) {
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(map[string]string{s: s}); err != nil {
			t.Fatal(err)
		}
		escaped := EscapeJSON(text.Bytes())
		if i := strings.IndexFunc(strings.TrimSuffix(string(escaped), "\n"), driving); i >= 0 {
			t.Errorf("%q has %q", escaped, escaped[i:])
		}
		var want, got any
		if json.Unmarshal(text.Bytes(), &want) != nil || json.Unmarshal(escaped, &got) != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is not %q", escaped, text.Bytes())
		}
	})
}

func TestCell(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"usr_1":                   "usr_1",
		"a=b":                     "a=b",
		"=HYPERLINK(\"x\")":       "'=HYPERLINK(\"x\")",
		"+15***567":               "'+15***567",
		"-2+3":                    "'-2+3",
		"@SUM(A1)":                "'@SUM(A1)",
		"\t=1":                    "'\t=1",
		"\r\n=1":                  "'\r\n=1",
		"\n=1":                    "'\n=1",
		"＝1":                      "'＝1",
		"{\n\t\"a\": 1\r\n}\x1b[": "{\n\t\"a\": 1\r\n}\uFFFD[",
	} {
		if got := Cell(in); got != want {
			t.Errorf("Cell(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzCell: a cell never begins as a formula does, and holds no control but
// those that lay out text.
func FuzzCell(f *testing.F) {
	f.Add("\uFEFF=1")
	f.Add("\r=1")
	f.Fuzz(func(t *testing.T, s string) {
		got := Cell(s)
		if got != "" && strings.ContainsAny(got[:1], "=+-@\t\r\n") {
			t.Errorf("%q", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) {
				t.Errorf("%q", got)
			}
		}
	})
}
