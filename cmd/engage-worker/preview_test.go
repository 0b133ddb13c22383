package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"engage-worker/actions"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/preview"
)

// previewCase is a case of the conformance suite (actions/testdata).
type previewCase struct {
	Name     string
	Action   string
	Trigger  string
	Settings map[string]string
	Mapping  json.RawMessage
	Event    json.RawMessage
	Lookups  []struct {
		URL    string
		Status int
		JSON   json.RawMessage
	}
	Expect struct {
		Decision string
		Requests []struct {
			Method, URL string
			Form        [][2]string
		}
	}
}

// config writes the case's configuration, in JSON, which is YAML. The two
// services that are looked up at are at vendors.
func (c *previewCase) config(t *testing.T, vendors string) string {
	t.Helper()
	settings := maps.Clone(c.Settings)
	settings["contentHostname"], settings["profileApiHostname"] = vendors, vendors
	action := map[string]any{"name": "it", "type": c.Action, "mapping": c.Mapping}
	if c.Trigger != "" {
		action["trigger"] = c.Trigger
	}
	text, err := json.Marshal(map[string]any{
		"kafka":        map[string]any{"brokers": []string{"localhost:9092"}, "topic": "audience-events"},
		"destinations": []any{map[string]any{"name": "case", "settings": settings, "actions": []any{action}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// looked is what was asked of the vendors' server, without repetitions.
type looked struct {
	mu    sync.Mutex
	paths []string
}

func (c *previewCase) vendors(t *testing.T) (address string, seen *looked) {
	seen = &looked{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.mu.Lock()
		if n := len(seen.paths); n == 0 || seen.paths[n-1] != r.RequestURI {
			seen.paths = append(seen.paths, r.RequestURI)
		}
		seen.mu.Unlock()
		for _, lookup := range c.Lookups {
			if u, err := url.Parse(lookup.URL); err == nil && strings.HasPrefix(r.RequestURI, u.RequestURI()) {
				w.WriteHeader(lookup.Status)
				_, _ = w.Write(lookup.JSON)
				return
			}
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

// TestPreviewConformance runs the conformance suites through the command. A
// configuration that doesn't compile counts as a failure: the hosted destination
// finds it out with each event.
func TestPreviewConformance(t *testing.T)        { previewCases(t, "engage-cases.json", 188) }
func TestPreviewMessageConformance(t *testing.T) { previewCases(t, "sendmessage-cases.json", 44) }

func previewCases(t *testing.T, file string, want int) {
	text, err := os.ReadFile("../../actions/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []previewCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != want {
		t.Fatalf("%d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			address, seen := c.vendors(t)
			var event bytes.Buffer
			if err := json.Compact(&event, c.Event); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"preview", "--config", c.config(t, address)}, &event, &stdout, &stderr)
			if code == cli.ExitBadInput {
				if c.Expect.Decision != "fail" || len(c.Expect.Requests) > 0 || stdout.Len() > 0 {
					t.Fatalf("the configuration is refused; want %s\n%s%s", c.Expect.Decision, &stderr, &stdout)
				}
				return
			}
			if code != cli.ExitOK || stderr.Len() > 0 {
				t.Fatalf("exit code %d\n%s", code, &stderr)
			}
			var got preview.Line
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatalf("%v\n%s", err, &stdout)
			}
			var wantLooked []string
			var want *preview.Request
			for _, request := range c.Expect.Requests {
				if request.Method == http.MethodGet {
					u, err := url.Parse(request.URL)
					if err != nil {
						t.Fatal(err)
					}
					wantLooked = append(wantLooked, u.RequestURI())
					continue
				}
				want = &preview.Request{Method: request.Method, URL: request.URL, Form: request.Form}
			}
			if got.Destination != "case" || got.Action != "it" || got.Decision != c.Expect.Decision || !reflect.DeepEqual(got.Request, want) {
				t.Errorf("got  %s\nwant %s %+v", &stdout, c.Expect.Decision, want)
			}
			if (got.Decision == "fail") != (got.Error != nil) || (got.Decision == "send") != (got.Reason == "") {
				t.Errorf("error or reason doesn't fit the decision: %s", &stdout)
			}
			if !reflect.DeepEqual(seen.paths, wantLooked) {
				t.Errorf("looked up %q, want %q", seen.paths, wantLooked)
			}
		})
	}
}

const previewConfig = `
kafka: {brokers: ["localhost:9092"], topic: audience-events}
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC1, twilioApiKeySID: SK1, twilioApiKeySecret: sekret, webhookUrl: "https://cb.io", spaceId: spa_1}
    actions:
      - name: welcome
        type: sendSms
        mapping:
          from: MG1
          body: "Hi <{{ profile.traits.first_name }}> & é"
          customArgs: {n: 1, b: true, z: null, a: 2}
          region: eu-west-1
      - name: wa
        type: sendWhatsApp
        trigger: event = "Nope"
        mapping: {from: MG1, contentSid: HX1}
`

const previewEvent = `{"type":"track","event":"Audience Entered","userId":"j","properties":{"first_name":"J"},` +
	`"external_ids":[{"id":"x","type":"email"},{"id":"+15551234567","type":"phone","channelType":"sms","isSubscribed":true}]}`

func previewOf(t *testing.T, config, input string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"preview", "--config", path}, args...), strings.NewReader(input), &out, &errs)
	return code, out.String(), errs.String()
}

const (
	welcomeRest = `"destination":"onboarding","action":"welcome","decision":"send","reason":"","region":"eu-west-1",` +
		`"request":{"method":"POST","url":"https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json",` +
		`"form":[["Body","Hi <J> & é"],["From","MG1"],["To","+15551234567"],["ShortenUrls","true"],` +
		`["Tags","{\"external_id_type\":\"phone\",\"external_id_value\":\"+15551234567\"}"],` +
		`["StatusCallback","https://cb.io/?n=1&b=true&z=null&a=2&space_id=spa_1&__segment_internal_external_id_key__=phone&__segment_internal_external_id_value__=%2B15551234567#rp=all&rc=5"]]}`
	waRest        = `"destination":"onboarding","action":"wa","decision":"no_match","reason":"no_match","region":"us-west-2"`
	malformedRest = `"destination":"onboarding","action":"","decision":"fail","reason":"malformed_event","region":"",` +
		`"error":{"code":"malformed_event","message":"the event is malformed: `
)

// framing is what a schema registry's serializer puts before a value; the
// schema's number, 10, is a line's end.
const framing = "\x00\x00\x00\x00\n"

// inLine is the beginning of a line about the event in the given line.
func inLine(line int) string { return fmt.Sprintf(`{"event":{"line":%d},`, line) }

func TestPreviewLines(t *testing.T) {
	pretty := strings.ReplaceAll(previewEvent, ",", ",\n  ")
	for _, c := range []struct{ name, input, want string }{
		{"JSON", previewEvent, inLine(1) + welcomeRest + "}\n" + inLine(1) + waRest + "}\n"},
		{"JSON over several lines", "{\n" + pretty[1:], inLine(1) + welcomeRest + "}\n" + inLine(1) + waRest + "}\n"},
		{"JSON Lines", previewEvent + "\r\n\n" + previewEvent + "\n", inLine(1) + welcomeRest + "}\n" + inLine(1) + waRest + "}\n" + inLine(3) + welcomeRest + "}\n" + inLine(3) + waRest + "}\n"},
		{"behind a schema registry's frame", framing + previewEvent + "\n" + framing + previewEvent, inLine(1) + welcomeRest + "}\n" + inLine(1) + waRest + "}\n" + inLine(2) + welcomeRest + "}\n" + inLine(2) + waRest + "}\n"},
		{"a list", "[]", inLine(1) + malformedRest + `a JSON list, whose elements are to be published one by one, at byte 0","retryable":false}}` + "\n"},
		{"null", "null", inLine(1) + malformedRest + `JSON, but not an object, at byte 0","retryable":false}}` + "\n"},
		{"garbage between events", "nope\n" + previewEvent, inLine(1) + malformedRest + `unexpected character 'n' at byte 0","retryable":false}}` + "\n" + inLine(2) + welcomeRest + "}\n" + inLine(2) + waRest + "}\n"},
		{"a byte order mark, as a consumer sees it", "\ufeff" + previewEvent, inLine(1) + malformedRest + `a byte order mark, which isn't JSON, at byte 0","retryable":false}}` + "\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := previewOf(t, previewConfig, c.input)
			if code != cli.ExitOK || stdout != c.want || (stderr != "") != (strings.Count(c.input, "\n") > 0 && !strings.HasPrefix(c.input, "{\n")) {
				t.Errorf("exit code %d\n%s\ngot  %s\nwant %s", code, stderr, stdout, c.want)
			}
		})
	}
}

func TestPreviewExplains(t *testing.T) {
	code, stdout, stderr := previewOf(t, previewConfig, previewEvent, "--explain")
	want := inLine(1) + welcomeRest + `,"explain":{"trigger":"match: type = \"track\" is true (type is \"track\"); event = \"Audience Entered\" is true (event is \"Audience Entered\")",` +
		`"recipient":"+15551234567: the first subscribed address with an id (externalIds[1])",` +
		`"addresses":[{"id":"x","type":"email","channel":"","status":"","verdict":"not for this channel: the type is not \"phone\""},` +
		`{"id":"+15551234567","type":"phone","channel":"sms","status":"true","verdict":"subscribed"}],` +
		`"body":"Hi <J> & é","encoding":"GSM-7","units":10,"segments":1}}` + "\n" +
		inLine(1) + waRest + `,"explain":{"trigger":"no match: event = \"Nope\" is false (event is \"Audience Entered\")"}}` + "\n"
	if code != cli.ExitOK || stdout != want || stderr != "" {
		t.Errorf("exit code %d\n%s\ngot  %s\nwant %s", code, stderr, stdout, want)
	}
}

// TestPreviewWarns of an envelope, and of an action that is switched off. What
// is in a CloudEvent is previewed as it is.
func TestPreviewWarns(t *testing.T) {
	c := previewCase{
		Action: "sendSms", Mapping: json.RawMessage(`{"from":"MG0","body":"x","toNumber":{"@path":"$.properties.phone"}}`),
		Settings: map[string]string{"twilioAccountSID": "AC0", "twilioApiKeySID": "SK0", "twilioApiKeySecret": "secret"},
	}
	path := c.config(t, "localhost:1")
	const event = `{"type":"track","event":"Audience Entered","properties":{"phone":"+15551234567"}}`
	previewed := func(value string) (line preview.Line) {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), []string{"preview", "--config", path}, strings.NewReader(value), &stdout, &stderr); code != cli.ExitOK {
			t.Fatalf("exit code %d\n%s", code, &stderr)
		}
		if err := json.Unmarshal(stdout.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		return line
	}
	for value, want := range map[string]preview.Line{
		`{"op":"c","before":null,"after":` + event + `}`: {Decision: "no_match", Warnings: []string{actions.EnvelopeDebezium.Advice()}},
		`{"specversion":"1.0","data":` + event + `}`:     {Decision: "send"},
		`{"type":"page"}`: {Decision: "no_match"},
	} {
		if got := previewed(value); got.Decision != want.Decision || !reflect.DeepEqual(got.Warnings, want.Warnings) {
			t.Errorf("%s: %s, %q", value, got.Decision, got.Warnings)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"name":"it"`), []byte(`"name":"it","enabled":false`), 1)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := previewed(event); got.Decision != "no_match" || !reflect.DeepEqual(got.Warnings, []string{"the action is switched off: enabled is false"}) {
		t.Errorf("%s, %q", got.Decision, got.Warnings)
	}
}

func TestPreviewBadInput(t *testing.T) {
	two := strings.Replace(strings.Replace(previewConfig, "from: MG1\n", "form: MG1\n", 1), "spa_1}", "spa_1, connectionOverrides: rc=9}", 1)
	for _, c := range []struct {
		name, config, input string
		args                []string
		says                []string
	}{
		{"no event", previewConfig, " \n", nil, []string{"there are none"}},
		{"no file", previewConfig, "", []string{"--event", "nowhere.json"}, []string{"nowhere.json"}},
		{"every fault of the configuration", two, previewEvent, nil, []string{
			"mapping.form", "did you mean from?", "mapping.from", "is required", "settings.connectionOverrides", "rc=9",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, stdout, stderr := previewOf(t, c.config, c.input, c.args...)
			if code != cli.ExitBadInput || stdout != "" || strings.Contains(stderr, "sekret") {
				t.Errorf("exit code %d\n%s%s", code, stderr, stdout)
			}
			for _, say := range c.says {
				if !strings.Contains(stderr, say) {
					t.Errorf("standard error doesn't say %q:\n%s", say, stderr)
				}
			}
		})
	}
}

// TestPreviewStreams: an event's lines are there before the next one comes.
func TestPreviewStreams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(previewConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	in, events := io.Pipe()
	lines, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(t.Context(), []string{"preview", "--config", path}, in, out, io.Discard)
		out.Close()
	}()
	read := bufio.NewReader(lines)
	for i := range 3 {
		if _, err := io.WriteString(events, previewEvent+"\n"); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{inLine(i+1) + welcomeRest, inLine(i+1) + waRest} {
			if got, err := read.ReadString('\n'); err != nil || got != want+"}\n" {
				t.Fatalf("%v\ngot  %s\nwant %s}", err, got, want)
			}
		}
	}
	events.Close()
	if c := <-code; c != cli.ExitOK {
		t.Errorf("exit code %d", c)
	}
}

// TestPreviewOfFiles: each line names its file, and a summary is told.
func TestPreviewOfFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "one.json")
	if err := os.WriteFile(file, []byte(previewEvent), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := previewOf(t, previewConfig, previewEvent, file, "-")
	place := func(name string) string { return fmt.Sprintf(`{"event":{"file":%q,"line":1},`, name) }
	want := place(file) + welcomeRest + "}\n" + place(file) + waRest + "}\n" + place("-") + welcomeRest + "}\n" + place("-") + waRest + "}\n"
	if code != cli.ExitOK || stdout != want || stderr != "engage-worker: 2 events, 2 no match, 2 send\n" {
		t.Errorf("exit code %d\n%s\ngot  %s\nwant %s", code, stderr, stdout, want)
	}
}

func TestPreviewForPeople(t *testing.T) {
	config := strings.Replace(previewConfig, "Hi <{{ profile.traits.first_name }}> & é", "您好 {{ profile.traits.first_name }}{{ profile.traits.last_name }}", 1)
	event := strings.Replace(previewEvent, `"userId"`, `"messageId":"m1","userId"`, 1)
	code, stdout, stderr := previewOf(t, config, event+"\n"+strings.Replace(event, `"isSubscribed":true`, `"isSubscribed":false`, 1), "--output", "table")
	const want = `line 1 m1  onboarding/welcome  SEND
  to +15551234567  from MG1  region eu-west-1
  ┌────────┐
  │ 您好 J │
  └────────┘
  1 segment of UCS-2, 4 units
  why: match: type = "track" is true (type is "track"); event = "Audience Entered" is true (event is "Audience Entered")
  why: +15551234567: the first subscribed address with an id (externalIds[1])
  warning: mapping: {{ profile.traits.last_name }} came out empty; give it a default: {{ profile.traits.last_name | default: 'there' }}

line 1 m1  onboarding/wa  NO_MATCH
  why: no match: event = "Nope" is false (event is "Audience Entered")

line 2 m1  onboarding/welcome  SKIP: not subscribed
  why: match: type = "track" is true (type is "track"); event = "Audience Entered" is true (event is "Audience Entered")
  why: none: not subscribed

line 2 m1  onboarding/wa  NO_MATCH
  why: no match: event = "Nope" is false (event is "Audience Entered")

`
	if code != cli.ExitOK || stdout != want || stderr != "engage-worker: 2 events, 2 no match, 1 send, 1 skip not subscribed, 1 warning\n" {
		t.Errorf("exit code %d\n%s\ngot\n%s", code, stderr, stdout)
	}
}

// TestPreviewJudges: events and what must come out of them.
func TestPreviewJudges(t *testing.T) {
	event := strings.Replace(previewEvent, `"userId"`, `"messageId":"m1","userId"`, 1)
	empty := strings.Replace(event, `"first_name":"J"`, `"first_name":""`, 1)
	for _, c := range []struct {
		name, input, expect string
		args                []string
		code                int
		says                string
	}{
		{"as expected", event, `{"event":{"messageId":"m1"},"action":"welcome","decision":"send","request":{"form":[["Body","Hi <J> & é"]]}}` + "\n# no WhatsApp\n", nil, cli.ExitOK, ""},
		{"its own output", event, inLine(1)[:len(inLine(1))-2] + `,"messageId":"m1"},` + welcomeRest + "}", nil, cli.ExitOK, ""},
		{"another text", event, `{"action":"welcome","request":{"form":[["Body","Hi"]]}}`, nil, cli.ExitUnlike, ":1: request.form is [["},
		{"another decision", event, `{"event":{"line":1},"action":"welcome","decision":"skip"}`, nil, cli.ExitUnlike, `:1: decision is "send", not "skip"`},
		{"one too many", event, "", nil, cli.ExitUnlike, "line 1 m1, onboarding/welcome: send isn't expected"},
		{"one missing", event, `{"action":"welcome"}` + "\n" + `{"action":"other"}`, nil, cli.ExitUnlike, ":2: no line is like this"},
		{"no expectation", event, "{", nil, cli.ExitBadInput, ":1: not a JSON object"},
		{"a word that isn't known", event, `{"decison":"send"}`, nil, cli.ExitBadInput, `:1: a line of preview has no "decison"`},
		{"a failure", "nope", "-", []string{"--fail-on", "fail"}, cli.ExitUnlike, "1 line failed"},
		{"a warning", empty, "-", []string{"--fail-on", "warn"}, cli.ExitUnlike, "there are warnings"},
		{"a warning that is taken", empty, "-", []string{"--fail-on", "fail"}, cli.ExitOK, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := c.args
			if c.expect != "-" {
				path := filepath.Join(t.TempDir(), "expect.jsonl")
				if err := os.WriteFile(path, []byte(c.expect), 0o600); err != nil {
					t.Fatal(err)
				}
				args = []string{"--expect", path}
			}
			code, _, stderr := previewOf(t, previewConfig, c.input, args...)
			if code != c.code || !strings.Contains(stderr, c.says) {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, stderr)
			}
		})
	}
}
