package actions_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"slices"
	"testing"
)

// TestField runs what people wrote in public, and had read otherwise than
// they meant. A case tells the decisions that are right, and what the request's
// form must hold.
func TestField(t *testing.T) {
	file, err := os.Open("testdata/field-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	runField(t, file, 21)
}

// TestFieldNeighbours runs cases of the same kinds: indexes, words without
// quotes, capitals, classes, statuses and channels that only look like what
// they are, text behind tags, dollars, dates, halves of characters. The bodies
// are LiquidJS's.
func TestFieldNeighbours(t *testing.T) {
	file, err := os.Open("testdata/field-neighbours.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	runField(t, text, 118)
}

func runField(t *testing.T, text io.Reader, want int) {
	t.Helper()
	var cases []struct {
		conformanceCase
		Expect struct {
			Decisions []string
			Form      map[string]string
		}
	}
	if err := json.NewDecoder(text).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != want {
		t.Errorf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			c.Settings = map[string]string{"twilioAccountSID": "AC0", "twilioApiKeySID": "SK0", "twilioApiKeySecret": "secret"}
			got, why, refused := c.run(t)
			if refused {
				got.Decision = "refused"
			}
			if !slices.Contains(c.Expect.Decisions, got.Decision) {
				t.Fatalf("%s, want one of %q: %s", got.Decision, c.Expect.Decisions, why)
			}
			for name, want := range c.Expect.Form {
				if !slices.Contains(got.Requests[0].Form, [2]string{name, want}) {
					t.Errorf("want %s %q in %q", name, want, got.Requests[0].Form)
				}
			}
		})
	}
}
