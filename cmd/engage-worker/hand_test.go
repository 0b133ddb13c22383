package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"engage-worker/cmd/engage-worker/cli"
)

// TestInit: what init writes is good, warns of nothing, and is written once.
func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.yaml")
	if got := command(t, "init", path); got.code != cli.ExitOK || got.stderr != "" || !strings.Contains(got.stdout, "validate --config "+path) {
		t.Fatalf("%+v", got)
	}
	if got := command(t, "validate", "--strict", path); got.code != cli.ExitOK || got.stderr != "" {
		t.Errorf("%+v", got)
	}
	want := result{cli.ExitBadInput, "", "engage-worker: " + path + " is there already, and init overwrites nothing; name another file\n"}
	if got := command(t, "init", path); got != want {
		t.Errorf("%+v", got)
	}
	if got := command(t, "init", "-"); got.code != cli.ExitOK || got.stdout != string(starter) {
		t.Errorf("%+v", got)
	}
}

func TestHelp(t *testing.T) {
	asked, told := command(t, "topics", "create", "--help"), command(t, "help", "topics", "create")
	if told.code != cli.ExitOK || told.stdout != asked.stdout || told.stdout == "" {
		t.Errorf("%+v", told)
	}
	if got := command(t, "help"); got.code != cli.ExitOK || got.stdout != command(t, "--help").stdout {
		t.Errorf("%+v", got)
	}
	if got := command(t, "help", "nothing"); got.code != cli.ExitBadInput || !strings.Contains(got.stderr, "there is no command nothing") {
		t.Errorf("%+v", got)
	}
	if got := command(t, "help", "--man"); got.code != cli.ExitOK || !strings.HasPrefix(got.stdout, ".TH ENGAGE-WORKER 1") || !strings.Contains(got.stdout, "partitions") {
		t.Errorf("%.200s %s", got.stdout, got.stderr)
	}
	if got := command(t, "version"); got.code != cli.ExitOK || !strings.HasPrefix(got.stdout, "engage-worker ") || !strings.Contains(got.stdout, runtime.Version()) {
		t.Errorf("%+v", got)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := command(t, "completion", shell); got.code != cli.ExitOK || !strings.Contains(got.stdout, "complete -- ") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
	for words, want := range map[string]string{
		"val":                  "validate\n",
		"topics ":              "create\ncheck\n",
		"topics create --part": "--partitions\n",
		"preview --fail-on ":   "fail\nwarn\n",
		"completion ":          "bash\nzsh\nfish\n",
		"nothing such":         "",
	} {
		if got := command(t, append([]string{"complete", "--"}, strings.Split(words, " ")...)...); got.code != cli.ExitOK || got.stdout != want {
			t.Errorf("%q: %+v", words, got)
		}
	}
}

func TestConfigDiff(t *testing.T) {
	before := configFile(t, "kafka: {sasl: {mechanism: plain, username: a, password: hunter2}}\nregions: {us-west-2: {rate: 10}}")
	text, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	after := filepath.Join(t.TempDir(), "after.yaml")
	changed := strings.NewReplacer("rate: 10", "rate: 20", "password: hunter2", "password: hunter4", "Hi {{profile", "Hello {{profile").Replace(string(text)) +
		"      - {name: second, type: sendSms, mapping: {from: MG1, body: x}}\n"
	if err := os.WriteFile(after, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	want := `kafka.sasl.password is another
regions.us-west-2.rate is 20, and was 10: that is for the whole fleet, once all replicas have it
regions.us-west-2.burst is 20, and was 10
destinations[onboarding].actions[welcome].mapping.body is Hello {{profile.traits.first_name}}, and was Hi {{profile.traits.first_name}}: messages change, those of events that wait for a retry too
destinations[onboarding].actions[second] is new: it wants what its trigger wants, once more than half of the replicas have it
`
	if got := command(t, "config", "diff", before, after); got != (result{cli.ExitOK, want, ""}) {
		t.Errorf("%+v", got)
	}
	if got := command(t, "config", "diff", before, before); got != (result{cli.ExitOK, "Nothing changes.\n", ""}) {
		t.Errorf("%+v", got)
	}
	if got := command(t, "config", "diff", after, before); !strings.Contains(got.stdout, "destinations[onboarding].actions[second] is gone: nothing of it") || strings.Contains(got.stdout, "[second].") {
		t.Errorf("%+v", got)
	}
}

// TestConfigDiffWarns: what a change does to what waits or is in doubt is said
// in the words of docs/changing.md.
func TestConfigDiffWarns(t *testing.T) {
	before := configFile(t, "kafka: {sessionTimeout: 10s, groupPrefix: one, topic: events}\ndelivery: {maxEventAge: 2h}")
	text, err := os.ReadFile(before)
	if err != nil {
		t.Fatal(err)
	}
	for change, want := range map[[2]string]string{
		{"groupPrefix: one", "groupPrefix: two"}:                                  "kafka.groupPrefix is two, and was one: the ledgers have another group's records: nothing is sent until ledger.adopt names that group",
		{"topic: events", "topic: others"}:                                        "kafka.topic is others, and was events: ledgers and retry topics are others",
		{"sessionTimeout: 10s", "sessionTimeout: 20s"}:                            "kafka.sessionTimeout is 20s, and was 10s\n",
		{"maxEventAge: 2h", "maxEventAge: 1h"}:                                    "delivery.maxEventAge is 1h, and was 2h: what is older becomes a dead letter",
		{"AC00000000000000000000000000000000", "AC" + strings.Repeat("1", 32)}:    "only if settings.former names it",
		{"MG00000000000000000000000000000000", "MG" + strings.Repeat("1", 32)}:    "messages have another sender, once more than half of the replicas have it",
		{"type: sendSms", "type: sendWhatsApp"}:                                   "what is in doubt can't be looked up, and is unknown",
		{"name: welcome\n", "name: hello\n"}:                                      "actions[welcome] is gone: nothing of it is sent any more, once more than half of the replicas are without it",
		{"type: sendSms\n", "type: sendSms\n        trigger: type = \"track\"\n"}: "other events are wanted, once more than half of the replicas have it",
		{"name: onboarding", "name: welcome"}:                                     "destinations[onboarding] is gone: nobody reads its events any more, nor what waits in its retry topics",
	} {
		after := filepath.Join(t.TempDir(), "after.yaml")
		if err := os.WriteFile(after, []byte(strings.Replace(string(text), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := command(t, "config", "diff", before, after); got.code != cli.ExitOK || !strings.Contains(got.stdout, want) {
			t.Errorf("%s instead of %s: %+v", change[1], change[0], got)
		}
	}
}

// TestSendTest sends to --to alone, and only with --yes.
func TestSendTest(t *testing.T) {
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		sent = append(sent, r.Form.Get("To")+" "+r.Form.Get("Body"))
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"sid":"SM00000000000000000000000000000001","status":"queued","account_sid":"AC1"}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	path, event := filepath.Join(dir, "engage.yaml"), filepath.Join(dir, "event.json")
	if err := os.WriteFile(path, []byte(strings.Replace(previewConfig, "{twilioAccountSID", "{twilioHostname: \""+server.URL+"\", twilioAccountSID", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(event, []byte(previewEvent), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"send-test", "--config", path, "--event", event, "--to", "+15557654321"}
	for _, c := range []struct {
		more   string
		code   int
		stdout string
		stderr string
	}{
		{"--action welcome", cli.ExitBadInput, "Hi <J>", "nothing is sent without --yes"},
		{"--action wellcome --yes", cli.ExitBadInput, "", `there is no action "wellcome"; known are: onboarding/wa, onboarding/welcome`},
		{"--action wa --yes", cli.ExitBadInput, "", "doesn't want the event"},
		{"--action welcome --yes", cli.ExitOK, "sent: SM00000000000000000000000000000001", ""},
	} {
		got := command(t, append(args, strings.Fields(c.more)...)...)
		if got.code != c.code || !strings.Contains(got.stdout, c.stdout) || !strings.Contains(got.stderr, c.stderr) {
			t.Errorf("%s: %+v", c.more, got)
		}
	}
	if want := "+15557654321 Hi <J> & é"; len(sent) != 1 || sent[0] != want {
		t.Errorf("sent %q", sent)
	}
}

// TestConsume shows the last events that the filters want, masked.
func TestConsume(t *testing.T) {
	broker := startBroker(t, 4)
	brokers := strings.Join(broker.Brokers(), ",")
	var in strings.Builder
	for _, user := range []string{"jane", "joe", "jane", "jim@example.com"} {
		in.WriteString(`{"type":"track","event":"E","messageId":"m-` + user + `","userId":"` + user + `","to":"+14155550134"}` + "\n")
	}
	in.WriteString("nope\n")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"produce", "--brokers", brokers, "--topic", produceTopic}, strings.NewReader(in.String()), &out, &errs); code != cli.ExitOK {
		t.Fatal(errs.String())
	}
	consume := func(args ...string) result {
		return command(t, append([]string{"consume", "--brokers", brokers, "--topic", produceTopic}, args...)...)
	}
	if got := consume(); got.code != cli.ExitOK || strings.Count(got.stdout, "\n") != 5 || strings.Contains(got.stdout, "5550134") || strings.Contains(got.stdout, "jim@") ||
		!strings.Contains(got.stdout, `"malformed":`) {
		t.Errorf("%+v", got)
	}
	if got := consume("--user", "jane", "--unmasked"); got.code != cli.ExitOK || strings.Count(got.stdout, "\n") != 2 || strings.Count(got.stdout, `"userId":"jane","to":"+14155550134"`) != 2 {
		t.Errorf("%+v", got)
	}
	if got := consume("--user", "jane", "--last", "1", "--output", "table"); got.code != cli.ExitOK || strings.Count(got.stdout, "\n") != 1 || !strings.Contains(got.stdout, `track "E"  user jane  messageId m-jane`) {
		t.Errorf("%+v", got)
	}
	if got := consume("--topic", "nowhere"); got.code != cli.ExitFailure || got.stdout != "" || got.stderr == "" {
		t.Errorf("%+v", got)
	}
}

// TestPreviewFromTopic previews what is on the topic, and leaves it alone.
func TestPreviewFromTopic(t *testing.T) {
	broker := startBroker(t, 1)
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(strings.Replace(previewConfig, "localhost:9092", broker.Brokers()[0], 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	events := page("a") + "\n" + page("b") + "\n" + previewEvent + "\n"
	if code := run(t.Context(), []string{"produce", "--config", path}, strings.NewReader(events), &out, &errs); code != cli.ExitOK {
		t.Fatal(errs.String())
	}
	got := command(t, "preview", "--config", path, "--from-topic", "2")
	place := func(offset, more string) string {
		return `{"event":{"partition":0,"offset":` + offset + more + `},"destination":"onboarding"`
	}
	if got.code != cli.ExitOK || strings.Count(got.stdout, "\n") != 4 || strings.Count(got.stdout, place("1", `,"messageId":"m-b"`)) != 2 ||
		strings.Count(got.stdout, place("2", "")) != 2 || !strings.Contains(got.stdout, welcomeRest) || got.stderr != "engage-worker: 2 events, 3 no match, 1 send\n" {
		t.Errorf("%+v", got)
	}
	if got := command(t, "preview", "--config", path, "--from-topic", "2", "x.json"); got.code != cli.ExitBadInput {
		t.Errorf("%+v", got)
	}
}
