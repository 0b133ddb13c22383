package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// output is written by the server and read by the test.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// addresses waits for n listeners to be announced.
func (o *output) addresses(t *testing.T, n int) (found []string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		found = found[:0]
		for line := range strings.Lines(o.String()) {
			if line, ok := strings.CutSuffix(line, "\n"); ok && strings.Contains(line, "serving") {
				found = append(found, line[strings.LastIndex(line, " ")+1:])
			}
		}
		if len(found) == n {
			return found
		}
	}
	t.Fatalf("announced %v", found)
	return nil
}

func TestServe(t *testing.T) {
	config := filepath.Join(t.TempDir(), "sim.yaml")
	if err := os.WriteFile(config, []byte("keep: 10\nfaults: {seed: 1, storm: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, func() {}, []string{
			"--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--config", config, "--latency", "1ms", "--rate", "50",
			"--course", `{"undelivered":0.25}`, "--auth-token", "t",
		}, &out, &out)
	}()
	addresses := out.addresses(t, 3)
	for i, addr := range addresses {
		response, err := get("http://" + addr + "/_sim/faults")
		if want := `{"latency":"1ms","rate":50,"seed":1,"storm":true}`; err != nil || strings.TrimSpace(response) != want {
			t.Errorf("%d: %q, %v, want %s", i, response, err, want)
		}
	}
	if response, err := get("http://" + addresses[2] + "/_sim/course"); err != nil || strings.TrimSpace(response) != `{"undelivered":0.25}` {
		t.Errorf("course: %q, %v", response, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !strings.HasSuffix(out.String(), "twilio-sim: 0 requests, 0 messages accepted\n") {
		t.Errorf("it ended with %q", out.String())
	}
}

// TestServeKafka: the embedded broker is there as long as the simulator is.
func TestServeKafka(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	done := make(chan error, 1)
	go func() {
		done <- serve(ctx, func() {}, []string{"--listen", "127.0.0.1:0", "--kafka", "0"}, &out, &out)
	}()
	address := out.addresses(t, 2)[1]
	client := &kafka.Client{Addr: kafka.TCP(address), Transport: &kafka.Transport{}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{"audience-events"}})
	if err != nil || len(metadata.Topics) != 1 || len(metadata.Topics[0].Partitions) != sourcePartitions {
		t.Errorf("%+v, %v", metadata, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"--typo"}, "unknown flag --typo"},
		{"faults", []string{"--faults", `{"failed":2}`}, "--faults: ratios: each is between 0 and 1"},
		{"faults in a file", []string{"--faults", "none.json"}, "--faults: open none.json: no such file or directory"},
		{"course", []string{"--course", `{"read":2}`}, "--course: course: ratios are between 0 and 1"},
		{"course in a file", []string{"--course", "none.json"}, "--course: open none.json: no such file or directory"},
		{"rate", []string{"--rate=-1"}, "faults of the simulated Twilio: times, rates and limits can't be negative"},
		{"address", []string{"--listen", "nowhere:port"}, "listen as the simulated Twilio: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := serve(t.Context(), func() {}, test.args, io.Discard, io.Discard)
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
	var out output
	if err := serve(t.Context(), func() {}, []string{"--help"}, &out, &out); err != nil || !strings.Contains(out.String(), "--faults=JSON|FILE") {
		t.Errorf("help: %v, %s", err, out.String())
	}
}

func get(url string) (string, error) {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return "", err
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
