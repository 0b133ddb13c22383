//go:build unix

package twilio_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"engage-worker/actions/outcome"
	"engage-worker/actions/twilio"
)

// costInFlight is how many requests are in flight, each answered after
// costLatency.
const (
	costInFlight = 512
	costLatency  = 50 * time.Millisecond
	costServer   = "TWILIO_COST_SERVER" // in the environment of a process that is the server
)

// BenchmarkCost compares the processor time of a message, from Message to
// Result, with that of the bare request: the same form, made once, posted by
// net/http. The server is a process of its own, so that
// cpu-us/op is the client's alone.
func BenchmarkCost(b *testing.B) {
	base := startCostServer(b)
	b.Run("bare", func(b *testing.B) {
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: costInFlight}}
		defer client.CloseIdleConnections()
		form := encoded(message(base))
		cost(b, func(ctx context.Context) error { return bare(ctx, client, base, form) })
	})
	b.Run("message", func(b *testing.B) {
		c := newClient(b, twilio.Config{HTTP: twilio.NewHTTPClient(costInFlight)})
		cost(b, func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			if r := c.Send(ctx, message(base), leave); r.Kind != outcome.Sent {
				return r.Err
			}
			return nil
		})
	})
}

// bare posts form as one would by hand.
func bare(ctx context.Context, client *http.Client, base string, form []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/2010-04-01/Accounts/AC0123/Messages.json", bytes.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("SK0123", "sekret")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("HTTP %d", resp.StatusCode)
	}
	return nil
}

// cost runs do b.N times, costInFlight at once, once the connections stand.
func cost(b *testing.B, do func(context.Context) error) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	run := func(n int64) {
		var left atomic.Int64
		left.Store(n)
		var senders sync.WaitGroup
		for range costInFlight {
			senders.Go(func() {
				for left.Add(-1) >= 0 {
					if err := do(ctx); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		senders.Wait()
	}
	run(2 * costInFlight)
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime(b)
	run(int64(b.N))
	used := processorTime(b) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-us/op")
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// encoded is m's form as it is posted.
func encoded(m *twilio.Message) []byte {
	var form []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, _ = io.ReadAll(r.Body)
		answer(201, createdBody)(w, r)
	}))
	defer server.Close()
	c, err := twilio.New(twilio.Config{AccountSID: "AC0123", KeySID: "SK0123", KeySecret: "sekret"})
	if err != nil {
		panic(err)
	}
	defer c.Close()
	copied := *m
	copied.BaseURL = server.URL
	if r := c.Send(context.Background(), &copied, leave); r.Kind != outcome.Sent {
		panic(r.Err)
	}
	return form
}

// startCostServer runs this test's program as the server, and ends it with
// the benchmark.
func startCostServer(b *testing.B) (base string) {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), costServer+"=1")
	command.Stderr = os.Stderr
	input, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close() // which ends it
		_ = command.Wait()
	})
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// serveCost is that process: it tells its address and serves until its
// standard input ends.
func serveCost() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		time.Sleep(costLatency)
		answer(201, createdBody, "Twilio-Request-Id", "RQ0123", "Content-Type", "application/json")(w, r)
	}))
	defer server.Close()
	fmt.Println(server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// createdBody is an answer of Twilio's.
const createdBody = `{"account_sid":"AC0123","api_version":"2010-04-01","body":"Hi Jane","date_created":"Thu, 24 Aug 2023 05:01:45 +0000",` +
	`"date_sent":null,"date_updated":"Thu, 24 Aug 2023 05:01:45 +0000","direction":"outbound-api","error_code":null,"error_message":null,` +
	`"from":null,"num_media":"0","num_segments":"1","price":null,"price_unit":null,"messaging_service_sid":"MG1111222233334444",` +
	`"sid":"SM00112233445566778899aabbccddeeff","status":"queued",` +
	`"subresource_uris":{"media":"/2010-04-01/Accounts/AC0123/Messages/SM00112233445566778899aabbccddeeff/Media.json"},` +
	`"to":"+15551234567","uri":"/2010-04-01/Accounts/AC0123/Messages/SM00112233445566778899aabbccddeeff.json"}`
