package weburl_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"engage-worker/actions/weburl"
)

// testdata/node.json holds what Node.js 20 makes of each URL after
// url.searchParams.append for each parameter and url.hash = hash; null where
// new URL throws.
func TestLikeNode(t *testing.T) {
	text, err := os.ReadFile("testdata/node.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus struct {
		Params [][2]string
		Cases  []struct {
			URL, Hash string
			Want      *string
		}
	}
	if err := json.Unmarshal(text, &corpus); err != nil {
		t.Fatal(err)
	}
	if len(corpus.Cases) < 80 {
		t.Fatalf("only %d cases", len(corpus.Cases))
	}
	var params []byte
	for i, p := range corpus.Params {
		if i > 0 {
			params = append(params, '&')
		}
		params = weburl.AppendParam(params, p[0], p[1])
	}
	for _, c := range corpus.Cases {
		t.Run(c.URL, func(t *testing.T) {
			u, err := weburl.Parse(c.URL)
			if c.Want == nil {
				if err == nil {
					t.Fatalf("Parse accepted it as %s; want an error", u)
				}
				return
			}
			if err != nil {
				t.Fatalf("Parse: %v; want %s", err, *c.Want)
			}
			u.SetHash(c.Hash)
			head, tail := u.Split()
			if got := head + string(params) + tail; got != *c.Want {
				t.Errorf("got  %s\nwant %s", got, *c.Want)
			}
		})
	}
}

func TestErrorsHideTheInput(t *testing.T) {
	for _, input := range []string{"https://user:sekret@", "sekret", "https://h:sekret/", "https://sekret host/"} {
		if _, err := weburl.Parse(input); err == nil || strings.Contains(err.Error(), "sekret") {
			t.Errorf("Parse(%q) = %v, want an error without the input", input, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"https://u:p@cb.io:8443/a/../b?x=%C3%A9#f", "https://[::1]/", "foo:bar", "http://0x7f.1", "file:///x", "https://münchen.de"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		u, err := weburl.Parse(input)
		if err != nil {
			return
		}
		u.SetHash("rp=all")
		head, tail := u.Split()
		once := string(weburl.AppendParam([]byte(head), "k", input)) + tail
		again, err := weburl.Parse(once)
		if err != nil {
			t.Fatalf("%q became %q, which doesn't parse: %v", input, once, err)
		}
		if got := again.String(); got != once {
			t.Fatalf("%q became %q, then %q", input, once, got)
		}
	})
}
