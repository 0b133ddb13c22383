package twiliosim

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// admin asks the simulator's own API over the network.
func admin(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(read)
}

func TestAdmin(t *testing.T) {
	s := newSim(t, Options{})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.ListenAdmin("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		send(t, s, sms(fmt.Sprintf("+1555123456%d", i), "hi"))
	}
	read := func(path string) (got []Message) {
		_, body := admin(t, "GET", l.URL()+path, "")
		for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
			got = append(got, decode[Message](t, lines.Text()))
		}
		return got
	}
	want := slices.Collect(s.Messages())
	if got := read("/_sim/messages"); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
	if got := read("/_sim/messages?since=3"); !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("since: %+v", got)
	}
	_, body := admin(t, "GET", a.URL()+"/_sim/stats", "")
	if got := decode[Stats](t, body); !reflect.DeepEqual(got, s.Stats()) || got.Accepted != 3 {
		t.Errorf("%+v", got)
	}
	_, body = admin(t, "GET", a.URL()+"/_sim/seconds", "")
	if got := decode[[]Second](t, body); !reflect.DeepEqual(got, s.Seconds()) {
		t.Errorf("%+v", got)
	}

	document := "{\n\t\"seed\": 3, \"latency\": \"50ms\", \"acceptedThen500\": 0.01,\n\t\"scopes\": [{\"senders\": [\"+1555\"], \"outage\": \"unavailable\"}]\n}"
	if status, text := admin(t, "PUT", a.URL()+"/_sim/faults", document); status != http.StatusNoContent {
		t.Fatal(status, text)
	}
	faults := Faults{
		Seed: 3, Behaviour: Behaviour{Latency: 50 * time.Millisecond, AcceptedThen500: 0.01},
		Scopes: []Scope{{Senders: []string{"+1555"}, Behaviour: Behaviour{Outage: Unavailable}}},
	}
	if got := s.Faults(); !reflect.DeepEqual(got, faults) {
		t.Errorf("%+v", got)
	}
	_, body = admin(t, "GET", a.URL()+"/_sim/faults", "")
	if got, err := ParseFaults([]byte(body)); err != nil || !reflect.DeepEqual(got, faults) {
		t.Errorf("%s: %+v, %v", body, got, err)
	}

	for _, test := range []struct {
		method, url, body string
		want              int
	}{
		{"PUT", a.URL() + "/_sim/faults", `{"typo":1}`, 400},
		{"PUT", l.URL() + "/_sim/faults", `{"outage":"refused"}`, 409},
		{"PUT", a.URL() + "/_sim/faults", `{"outage":"refused"}`, 204},
		{"PUT", a.URL() + "/_sim/faults", ``, 204},
		{"PUT", a.URL() + "/_sim/templates/HX7", `{"twilio/text":{"body":"x"}}`, 204},
		{"PUT", a.URL() + "/_sim/templates/HX7", `[]`, 400},
		{"PUT", a.URL() + "/_sim/profiles/a%2Fb", `{"first_name":"Ada"}`, 204},
		{"PUT", a.URL() + "/_sim/profiles/", `{}`, 400},
		{"GET", a.URL() + "/_sim/messages?since=x", ``, 400},
		{"GET", a.URL() + "/_sim/healthz", ``, 200},
		{"GET", a.URL() + "/_sim/nothing", ``, 404},
		{"GET", a.URL() + messages, ``, 404},
		{"POST", l.URL() + "/_sim/reset", ``, 204},
	} {
		if status, text := admin(t, test.method, test.url, test.body); status != test.want {
			t.Errorf("%s %s: %d %s", test.method, test.url, status, text)
		}
	}
	if s.template("HX7") == nil || s.profiles["a/b"] == nil || s.Stats().Accepted != 0 {
		t.Error("template, profile or reset without effect")
	}
}

func TestParseOptions(t *testing.T) {
	got, err := ParseOptions([]byte(`
accounts: {AC1: {SK1: secret}}
templates: {HX1: {twilio/text: {body: Hi}}}
unknownProfiles: true
sentAfter: 2s
keep: 1000
faults: {latency: 50ms, rate: 100, scopes: [{hosts: [":8082"], storm: true}]}
`))
	want := Options{
		Accounts:        map[string]map[string]string{"AC1": {"SK1": "secret"}},
		Templates:       map[string]map[string]any{"HX1": {"twilio/text": map[string]any{"body": "Hi"}}},
		UnknownProfiles: true, SentAfter: 2 * time.Second, Keep: 1000,
		Faults: Faults{
			Behaviour: Behaviour{Latency: 50 * time.Millisecond, Rate: 100},
			Scopes:    []Scope{{Hosts: []string{":8082"}, Behaviour: Behaviour{Storm: true}}},
		},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v, %v\nwant %+v", got, err, want)
	}
	if _, err := ParseOptions([]byte("onAccepted: 1")); err == nil {
		t.Error("an unknown name is taken")
	}
}
