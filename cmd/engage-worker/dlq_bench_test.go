package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/sample"
)

// asCommand makes this test's binary be engage-worker, for what must be seen
// from outside: memory, signals, terminals.
const asCommand = "ENGAGE_WORKER_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	if by := os.Getenv(asDesk); by != "" {
		os.Exit(deskProcess(by))
	}
	os.Exit(m.Run())
}

// BenchmarkDLQ runs the commands, each as a process of its own, on a topic of
// DEADLETTERS (100,000) dead letters of sample events, as the worker writes
// them, each with an id of its own: on the Kafka that KAFKA_BROKERS names, or
// on the embedded broker, which then takes its share of this machine's cores.
func BenchmarkDLQ(b *testing.B) {
	n := 100_000
	if s := os.Getenv("DEADLETTERS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	brokers := strings.Split(os.Getenv("KAFKA_BROKERS"), ",")
	if brokers[0] == "" {
		broker, err := embedded.Start()
		if err != nil {
			b.Fatal(err)
		}
		defer broker.Close()
		brokers = broker.Brokers()
	}
	dir := b.TempDir()
	topic := fmt.Sprint("dlq-bench-", time.Now().UnixNano())
	config := benchConfig(b, dir, brokers[0], topic)
	run := func(b *testing.B, args ...string) (state *os.ProcessState, peak int) {
		b.Helper()
		return benchRun(b, config, args...)
	}
	const partitions = 12
	run(b, "topics", "create", "--partitions", strconv.Itoa(partitions))
	last := benchLetters(b, kafka.TCP(brokers...), topic, partitions, n)
	for _, args := range [][]string{
		{"stats"},
		{"list"},
		{"show", last},
		{"export", "--force", filepath.Join(dir, "all.jsonl")},
		{"export", "--force", filepath.Join(dir, "all.csv")},
		{"export", "--force", filepath.Join(dir, "all.parquet")},
		{"replay", "--dry-run"},
	} {
		b.Run(args[0]+filepath.Ext(args[len(args)-1]), func(b *testing.B) {
			most, cpu := 0, time.Duration(0)
			for b.Loop() {
				state, peak := run(b, append([]string{"dlq"}, args...)...)
				most = max(most, peak)
				cpu += state.UserTime() + state.SystemTime()
			}
			b.ReportMetric(float64(most)/1024, "MiB-peak")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/float64(n), "cpu-ns/letter")
		})
	}
}

// benchRun runs a command as a process of its own, and tells its peak memory in KiB.
func benchRun(b *testing.B, config string, args ...string) (state *os.ProcessState, peak int) {
	b.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"--config", config}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				b.Fatalf("%s: %v\n%s", args, err, out.String())
			}
			return cmd.ProcessState, peak
		case <-time.After(10 * time.Millisecond):
			peak = max(peak, peakMemory(cmd.Process.Pid))
		}
	}
}

// peakMemory is a process's VmHWM in KiB, where the system tells it: unlike
// Rusage's it doesn't count what this process had when it forked.
func peakMemory(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, _ := strconv.Atoi(strings.Fields(after + " 0")[0])
	return kib
}

func benchConfig(b *testing.B, dir, broker, topic string) (path string) {
	b.Helper()
	path = filepath.Join(dir, "engage.yaml")
	text := fmt.Sprintf(`
kafka: {brokers: [%q], topic: %s}
destinations:
  - name: onboarding
    settings: {twilioAccountSID: AC00000000000000000000000000000001, twilioApiKeySID: SK00000000000000000000000000000001, twilioApiKeySecret: secret}
    actions: [{name: welcome-sms, type: sendSms, mapping: {from: MG00000000000000000000000000000001, body: Welcome}}]
`, broker, topic)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// benchLetters writes n dead letters, and returns an id of theirs.
func benchLetters(b *testing.B, addr net.Addr, topic string, partitions, n int) (id string) {
	b.Helper()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	w := acked.NewWriter(addr, transport, topic+".dlq")
	defer w.Close()
	events := sample.New(1, sample.Options{})
	const chunk = 1000
	for from := 0; from < n; from += chunk {
		var messages []kafka.Message
		for i := from; i < min(from+chunk, n); i++ {
			event := events.Next()
			edits := []func(*deadletter.Record){func(*deadletter.Record) {}, throttled}
			r := dlqLetter(i, edits[i/7%2], func(r *deadletter.Record) {
				r.Key, r.Value, r.Topic = event.Key, event.Value, topic
				r.Partition = from / chunk % partitions
				r.FirstFailedAt = time.Now().Add(-time.Duration(i) * time.Second / 2)
				r.LastFailedAt = r.FirstFailedAt
			})
			messages, id = append(messages, deadletter.Encode(r)), r.ID()
		}
		for attempt := 1; ; attempt++ {
			err := w.WriteAll(b.Context(), messages, from/chunk%partitions)
			if err == nil {
				break
			}
			// The topic is new: its leaders are still to be found.
			if from >= chunk*partitions || attempt == 20 {
				b.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return id
}
