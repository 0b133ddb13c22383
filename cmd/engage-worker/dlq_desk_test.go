package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"engage-worker/deadletter"
	"engage-worker/internal/config"
	"engage-worker/internal/desk/replays"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/letters"
	"engage-worker/internal/sim/twiliosim"
)

// asDesk makes this test's binary be a desk that replays all and ends, by whom it
// says, of the configuration that asDeskConfig names: a process that can be killed.
const (
	asDesk       = "ENGAGE_WORKER_AS_DESK"
	asDeskConfig = "ENGAGE_WORKER_AS_DESK_CONFIG"
)

// deskOf is a desk's store and replays, until ctx ends and stop is called.
func deskOf(ctx context.Context, path string) (s *store.Store, m *replays.Manager, stop func(), err error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, nil, nil, err
	}
	desk, err := letters.Open(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	planner, err := desk.Planner()
	if err != nil {
		desk.Close()
		return nil, nil, nil, err
	}
	var destinations []store.Destination
	for _, d := range cfg.Destinations {
		destinations = append(destinations, store.Destination{Name: d.Name, Ledger: cfg.LedgerTopic(d.Name), Status: cfg.StatusTopic(d.Name)})
	}
	s = store.New(store.Config{
		Cluster: desk.Cluster, DeadLetters: cfg.DeadLetterTopic(), Destinations: destinations, Present: desk.PresentName, Every: 100 * time.Millisecond, Log: zerolog.Nop(),
	})
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) }) // which is ctx's error
	m = replays.New(replays.Config{Planner: planner, OpenAudit: desk.OpenAudit, Store: s, Explain: desk.Explain})
	return s, m, func() {
		m.Close()
		cancel()
		wg.Wait()
		desk.Close()
	}, nil
}

// replayAll has a desk replay all that it may, and waits for the end.
func replayAll(ctx context.Context, m *replays.Manager, by string, rate float64) (replays.View, error) {
	v, err := m.Plan(ctx, replays.Options{Rate: rate, By: by})
	if err != nil {
		return v, err
	}
	for started := false; ; {
		v, _ = m.Job(v.ID)
		switch v.State {
		case replays.Planned:
			if v.Send == 0 && v.Continues == "" {
				return v, nil
			}
			if !started {
				started = true
				err = m.Start(v.ID)
			}
		case replays.Failed:
			err = fmt.Errorf("%s: %s", by, v.Err)
		case replays.Done, replays.Waiting, replays.Stopped:
			return v, nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return v, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func deskProcess(by string) int {
	_, m, stop, err := deskOf(context.Background(), os.Getenv(asDeskConfig))
	if err == nil {
		defer stop()
		_, err = replayAll(context.Background(), m, by, 150)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// TestTwoDesksAndACommandAtOnce on the same thousand letters, each killed in
// between: what is begun anew goes on, and everybody is texted once.
func TestTwoDesksAndACommandAtOnce(t *testing.T) {
	const n = 1000
	sim, err := twiliosim.New(twiliosim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	vendor, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newDLQPlace(t)
	p.deploy(vendor.URL(), `mapping: {from: "+15005550006", body: "Welcome!"}`)
	for i := range n {
		p.put(&deadletter.Record{
			Key: fmt.Append(nil, "user-", i), Topic: dlqSource, Partition: i % 3, Offset: int64(i), Destination: "onboarding", Action: "welcome-sms",
			Reason: "twilio_unavailable", Disposition: deadletter.Exhausted, MessageID: fmt.Sprint("m-", i), LastFailedAt: time.Now(),
			Value: fmt.Appendf(nil, `{"type":"track","event":"Audience Entered","userId":"user-%d","messageId":"m-%d","properties":{},`+
				`"external_ids":[{"type":"phone","id":"+1415555%04d","channelType":"sms","isSubscribed":true}]}`, i, i, i),
		})
	}
	stop := p.work()
	defer stop()

	var killed []*exec.Cmd
	said := make([]bytes.Buffer, 3)
	t.Cleanup(func() {
		for i := range said {
			if t.Failed() {
				t.Logf("%d said: %s", i, said[i].String())
			}
		}
	})
	for i, by := range []string{"jane@desk", "joe@desk", ""} {
		cmd := exec.Command(os.Args[0], "--config", p.config, "dlq", "replay", "--yes", "--rate", "150")
		cmd.Env = append(os.Environ(), asCommand+"=1")
		if by != "" {
			cmd = exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), asDesk+"="+by, asDeskConfig+"="+p.config)
		}
		cmd.Stdout, cmd.Stderr = &said[i], &said[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed = append(killed, cmd)
	}
	for i, cmd := range killed {
		p.awaitAtLeast(dlqSource, int64(150*(i+1)))
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	}
	if left := n - p.end(dlqSource); left <= 0 {
		t.Fatalf("all were replayed before the last was killed")
	}

	s, first, stopFirst, err := deskOf(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	defer stopFirst()
	_, second, stopSecond, err := deskOf(t.Context(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	defer stopSecond()
	var wg sync.WaitGroup
	for by, m := range map[string]*replays.Manager{"jane@desk": first, "joe@desk": second} {
		wg.Go(func() {
			if v, err := replayAll(t.Context(), m, by, 1000); err != nil {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	wg.Go(func() { p.ok("replay", "--yes", "--rate", "1000") })
	wg.Wait()
	p.sentAll(s, n)

	textedOnce(t, sim, n)
	// Of what was on its way when its process was killed, the source tells.
	known := 0
	for _, series := range s.Series() {
		known += series.Published + series.Intended
	}
	if known != n {
		t.Errorf("the record knows of %d", known)
	}
}

// awaitAtLeast waits until a topic has had n records, or more.
func (p *dlqPlace) awaitAtLeast(topic string, n int64) {
	p.t.Helper()
	deadline := time.After(time.Minute)
	for p.end(topic) < n {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			p.t.Fatalf("%s has %d records after a minute, want %d", topic, p.end(topic), n)
		}
	}
}

// sentAll waits until a desk sees that n letters were sent.
func (p *dlqPlace) sentAll(s *store.Store, n int) {
	p.t.Helper()
	deadline := time.After(2 * time.Minute)
	for {
		_, changed := s.Changes()
		groups, err := s.Groups(p.t.Context(), deadletter.Filter{})
		if err != nil {
			p.t.Fatal(err)
		}
		sent := 0
		for _, g := range groups.List {
			sent += g.ByState[deadletter.StateSent] + g.ByState[deadletter.StateDelivered]
		}
		if sent == n {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			p.t.Fatalf("%d of %d are sent: %+v", sent, n, groups)
		}
	}
}
