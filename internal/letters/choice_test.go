package letters

import (
	"strings"
	"testing"
	"time"

	"engage-worker/deadletter"
)

// What earlier versions have written in the record of replays is gone on with.
func TestSelectionStays(t *testing.T) {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for want, c := range map[string]Choice{
		"all":      {},
		"reason":   {Filter: deadletter.Filter{Reasons: []string{"expired"}}},
		"as given": {Filter: deadletter.Filter{Since: day, Codes: []int{21610}}, Since: "7d"},
		"a zone":   {Filter: deadletter.Filter{Since: day}, Since: "2026-03-01", Zone: "Europe/Berlin"},
		"again":    {Filter: deadletter.Filter{States: []deadletter.State{deadletter.StateSkipped}}, Again: true},
	} {
		if got := c.Selection(); got != selections[want] {
			t.Errorf("%s: %s, want %s", want, got, selections[want])
		}
	}
	c := Choice{Filter: deadletter.Filter{Since: day}}
	if other := (Choice{Filter: deadletter.Filter{Since: day.Add(time.Second)}}); c.Selection() == other.Selection() {
		t.Error("two times are one selection")
	}
}

// selections are as `dlq replay` has made them before they had a package.
var selections = map[string]string{
	"all": "ab3b97491440a867", "reason": "eaad78811a38d77c", "as given": "b1b47265fc89b9ce", "a zone": "c22df4d6fd00dc56", "again": "f9d8151215f3d534",
}

func TestAsked(t *testing.T) {
	c := Choice{
		Filter: deadletter.Filter{
			Reasons: []string{"expired", "rate_limited"}, States: []deadletter.State{deadletter.StateOpen}, Codes: []int{21610}, Users: []string{"jane@example.com"},
			MessageIDs: []string{"m-1"}, Contains: "+15551234567", Since: time.Date(2026, 3, 1, 10, 0, 0, 0, time.FixedZone("", 3600)),
		},
		Undelivered: true,
	}
	asked := c.Asked()
	if want := "code=21610&left-out=user&left-out=message-id&left-out=contains&reason=expired&reason=rate_limited&since=2026-03-01T09%3A00%3A00Z&state=open&undelivered=true"; asked != want {
		t.Errorf("got  %s\nwant %s", asked, want)
	}
	for _, secret := range []string{"jane", "m-1", "555"} {
		if strings.Contains(asked, secret) {
			t.Errorf("%s stands in the record", secret)
		}
	}
	if got, want := AskedInWords(asked), "in state open, of reason expired or rate_limited, with Twilio's code 21610, failed since 2026-03-01T09:00:00Z, "+
		"chosen also by what isn't written down: user or message-id or contains, also what wasn't delivered"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if AskedWhole(asked) {
		t.Error("what is left out counts as written down")
	}
	if all := (Choice{}).Asked(); !AskedWhole(all) || AskedWhole("") {
		t.Errorf("all are asked for by %q", all)
	}
	if got := AskedInWords(Choice{}.Asked()); got != "all dead letters" {
		t.Error(got)
	}
	many := Choice{Filter: deadletter.Filter{IDs: make([]string, mostIDs+1)}}
	if got := AskedInWords(many.Asked()); got != "chosen also by what isn't written down: 21 ids" {
		t.Error(got)
	}
}
