package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/internal/config"
)

// result is what a run of the program came to.
type result struct {
	code           int
	stdout, stderr string
}

// command runs the program with args, in this process.
func command(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// configFile writes a configuration: the head, and one good destination.
func configFile(t *testing.T, head string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	text := head + `
destinations:
  - name: onboarding
    settings:
      twilioAccountSID: AC00000000000000000000000000000000
      twilioApiKeySID: SK00000000000000000000000000000000
      twilioApiKeySecret: hunter2
      profileApiEnvironment: production
      profileApiAccessToken: hunter3
      spaceId: spa_1
      sourceId: src_1
    actions:
      - name: welcome
        type: sendSms
        mapping: {from: MG00000000000000000000000000000000, body: "Hi {{profile.traits.first_name}}"}
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLine(t *testing.T) {
	if got := command(t, "--version"); got.code != cli.ExitOK || !strings.HasPrefix(got.stdout, "engage-worker ") || got.stderr != "" {
		t.Errorf("--version: %+v", got)
	}
	if got := command(t, "--help"); got.code != cli.ExitOK || !strings.Contains(got.stdout, "validate") || got.stderr != "" {
		t.Errorf("--help: %+v", got)
	}
	if got := command(t, "validate", "--help"); got.code != cli.ExitOK || !strings.Contains(got.stdout, "--config") || got.stderr != "" {
		t.Errorf("validate --help: %+v", got)
	}
	if got := command(t); got.code != cli.ExitBadInput || got.stdout != "" || !strings.Contains(got.stderr, "\nCommands:\n") {
		t.Errorf("nothing: %+v", got)
	}
	for args, want := range map[string]string{
		"validat":                                `engage-worker: unexpected argument validat, did you mean "validate"? (see engage-worker --help)`,
		"validate --confg x":                     `engage-worker: unknown flag --confg, did you mean "--config"? (see engage-worker validate --help)`,
		"topics create --partitions 0":           `engage-worker: topics create: --partitions must be from 1 to 10000 (see engage-worker topics create --help)`,
		"topics create --replication-factor 101": `engage-worker: topics create: --replication-factor must be from 0 to 100 (see engage-worker topics create --help)`,
		"topics create --partitions x":           `engage-worker: --partitions: expected a valid 64 bit int but got "x" (see engage-worker topics create --help)`,
		"topics":                                 `engage-worker: expected one of "create", "check" (see engage-worker topics --help)`,
	} {
		got := command(t, strings.Fields(args)...)
		if got.code != cli.ExitBadInput || got.stdout != "" || got.stderr != want+"\n" {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestConfigurationByTheEnvironment(t *testing.T) {
	t.Setenv("ENGAGE_CONFIG", filepath.Join(t.TempDir(), "by-environment.yaml"))
	got := command(t, "validate")
	want := result{cli.ExitBadInput, "", os.Getenv("ENGAGE_CONFIG") + ": there is no such file; name the configuration with --config or ENGAGE_CONFIG\n"}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestSilentBroker: commands end within 15 s where a port is open and nothing
// answers, or as soon after their last try.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() }) // whose backlog takes connections
	address := listener.Addr().String()
	path := configFile(t, "kafka: {brokers: [\""+address+"\"]}")
	for args, within := range map[string]time.Duration{
		"run":                          15 * time.Second,
		"topics check":                 15 * time.Second,
		"produce --generate 3":         20 * time.Second,
		"topics create --partitions 1": 20 * time.Second,
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			got := command(t, append(strings.Fields(args), "--config", path)...)
			if took := time.Since(start); got.code != cli.ExitFailure || took > within || !strings.Contains(got.stderr, "Kafka at "+address) || strings.Count(got.stderr, "answer") != 1 {
				t.Errorf("after %v: %+v", took, got)
			}
		})
	}
}

func TestExitCodes(t *testing.T) {
	faults := &config.Faults{List: []config.Fault{{File: "f", Line: 1, Column: 2, Path: "a.b", Message: "x"}, {File: "f", Message: "y"}}}
	tests := []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, 0, ""},
		{errors.New("it broke"), 1, "engage-worker: it broke\n"},
		{fmt.Errorf("run: %w", context.Canceled), 1, "engage-worker: run: context canceled\n"},
		{errors.Join(errors.New("a"), errors.New("b")), 1, "engage-worker: a\nengage-worker: b\n"},
		{cli.BadInput(errors.New("not that")), 2, "engage-worker: not that\n"},
		{cli.BadInput(nil), 0, ""},
		{fmt.Errorf("wrapped: %w", cli.BadInput(errors.New("not that"))), 2, "engage-worker: wrapped: not that\n"},
		{fmt.Errorf("wrapped: %w", faults), 2, "f:1:2: a.b: x\nf: y\n"},
	}
	for _, test := range tests {
		var stderr bytes.Buffer
		if code := cli.Report(&stderr, test.err); code != test.code || stderr.String() != test.stderr {
			t.Errorf("%v: %d %q, want %d %q", test.err, code, stderr.String(), test.code, test.stderr)
		}
	}
}

func TestValidate(t *testing.T) {
	path := configFile(t, "kafka: {topic: events}")
	got := command(t, "validate", "--config", path)
	if got.code != cli.ExitOK || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	for _, line := range []string{
		"# " + path + " is good. ", "  topic: events\n", "      twilioApiKeySecret: '***'\n", "  us-west-2:\n",
		"#   ledger          events.onboarding.ledger\n",
	} {
		if !strings.Contains(got.stdout, line) {
			t.Errorf("%q is not in\n%s", line, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "hunter") {
		t.Error(got.stdout)
	}

	path = configFile(t, "kafka: {topc: events}\nlog: {level: inf}")
	got = command(t, "-c", path, "validate")
	want := result{cli.ExitBadInput, "", path + ":1:9: kafka.topc: unknown key; did you mean topic?\n" + path + ":2:14: log.level: \"inf\" isn't allowed; did you mean info?\n"}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestSchema(t *testing.T) {
	written, err := os.ReadFile("../../docs/engage.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := command(t, "schema", "--config", "none.yaml"); got != (result{cli.ExitOK, string(written), ""}) {
		t.Errorf("%+v", got)
	}
}

func TestValidateWarnings(t *testing.T) {
	path := configFile(t, "regions: {eu-west-1: {}}\nkafka: {topic: \"${TOPIC_THAT_IS_NOT_SET}\"}")
	warning := path + ":6:7: warning: destinations[0].settings.region: us-west-2 has no entry under regions, so that it has the built-in rate of 100; add an entry for it under regions\n"
	unset := path + ":2:16: kafka.topic: the environment variable TOPIC_THAT_IS_NOT_SET isn't set; set it, or write $${ for a literal ${\n"
	if got, want := command(t, "validate", path), (result{cli.ExitBadInput, "", warning + unset}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if got := command(t, "validate", "--skip-env", path); got.code != cli.ExitOK || got.stderr != warning || !strings.Contains(got.stdout, "topic: '***'") {
		t.Errorf("%+v", got)
	}
	env := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(env, []byte("# for tests\n\nexport TOPIC_THAT_IS_NOT_SET=\"events\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "validate", "--env-file", env, path); got.code != cli.ExitOK || got.stderr != warning {
		t.Errorf("%+v", got)
	}
	strict := strings.Replace(warning, " warning:", "", 1)
	if got, want := command(t, "validate", "--env-file", env, "--strict", path), (result{cli.ExitBadInput, "", strict}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	good, broken := configFile(t, ""), configFile(t, "log: {level: inf}")
	want := result{cli.ExitBadInput, good + " is good.\n", broken + ":1:14: log.level: \"inf\" isn't allowed; did you mean info?\n"}
	if got := command(t, "validate", good, broken); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if err := os.WriteFile(env, []byte("TOPIC hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, want := command(t, "validate", "--env-file", env, path), (result{cli.ExitBadInput, "", "engage-worker: " + env + ":1: want NAME=value\n"}); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

// TestAPipeThatNobodyWritesTo: a configuration that never comes doesn't keep
// the process from ending.
func TestAPipeThatNobodyWritesTo(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"validate", pipe}, strings.NewReader(""), &stdout, &stderr)
	if code != cli.ExitFailure || stderr.String() != "engage-worker: interrupted while reading the configuration\n" {
		t.Errorf("%d %s", code, stderr.String())
	}
	if writer, err := os.OpenFile(pipe, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
		writer.Close() // lets the reader go
	}
}
