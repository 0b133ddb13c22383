package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
)

// TestDLQForAnalysts: what an analyst asks, by its answer.
func TestDLQForAnalysts(t *testing.T) {
	p := newDLQPlace(t)
	for n := range 3 {
		p.put(dlqLetter(n))
	}
	p.put(dlqLetter(3, func(r *deadletter.Record) { r.UserID, r.MessageID = "user-0", "m-0b" }))
	id := dlqLetter(0).ID()
	for _, c := range []struct {
		args string
		want string
	}{
		{"stats --by user", `
audience-events.dlq: 4 dead letters, failed from 2026-03-01 10:00:00 to 2026-03-01 10:03:00 UTC

BY USER  COUNT  SHARE
user-0       2  50.0%  ██████████████████████████████
user-1       1  25.0%  ███████████████
user-2       1  25.0%  ███████████████
`},
		{"stats --by hour,day --tz Asia/Kolkata", `
audience-events.dlq: 4 dead letters, failed from 2026-03-01 15:30:00 to 2026-03-01 15:33:00 Asia/Kolkata

BY HOUR                 COUNT   SHARE
2026-03-01T15:00+05:30      4  100.0%  ██████████████████████████████

BY DAY      COUNT   SHARE
2026-03-01      4  100.0%  ██████████████████████████████
`},
		{"list --limit 1 --contains ENTERED", fmt.Sprintf(`
FAILED (UTC)         ID                STATE  REASON     DESTINATION  ACTION       REGION      CODE  RECIPIENT  REPLAYS  USER    WHAT HAPPENED
2026-03-01 10:03:00  %s  open   opted_out  onboarding   welcome-sms  us-west-2  21610  +15***003        0  user-0  The recipient has unsubscribed from this sender (STOP).

1 to 1 of 4, newest first; --page 2 goes on
`, dlqLetter(3, func(r *deadletter.Record) { r.MessageID = "m-0b" }).ID())},
		{"list --columns user_id,failed_at --tz America/New_York --since 2026-03-01T05:02", `
USER    FAILED (America/New_York)
user-0  2026-03-01 05:03:00
user-2  2026-03-01 05:02:00

1 to 2 of 2, newest first
`},
		{"list --columns user_id,twilio_code,recipient --output csv --limit 1", "\nuser_id,twilio_code,recipient\nuser-0,21610,'+15***003\n"},
		{"list --columns twilio_code,user_id,twilio_meaning --output json --limit 1", `
{
  "total": 4,
  "page": 1,
  "limit": 1,
  "records": [
    {
      "twilio_code": 21610,
      "user_id": "user-0",
      "twilio_meaning": "The recipient has unsubscribed from this sender (STOP)."
    }
  ]
}
`},
		{"export --columns message_id,id --user user-1", fmt.Sprintf("\n{\"message_id\":\"m-1\",\"id\":%q}\n", dlqLetter(1).ID())},
		{"export --format csv --columns message_id,twilio_code --user user-1", "\nmessage_id,twilio_code\nm-1,21610\n"},
	} {
		if got := "\n" + p.ok(strings.Fields(c.args)...); got != c.want {
			t.Errorf("dlq %s:\n%s\nwant\n%s", c.args, got, c.want)
		}
	}
	if got := p.ok("show", id[:6], "--tz", "Europe/Berlin"); !strings.HasPrefix(got, "Dead letter "+id+": ") || !strings.Contains(got, "last failed      2026-03-01 11:00:00\n") {
		t.Errorf("show of a prefix:\n%s", got)
	}
	if code, _, stderr := p.run("show", ""); code != cli.ExitBadInput {
		t.Errorf("an empty prefix: %d, %s", code, stderr)
	}
	for _, format := range []string{"jsonl", "csv"} {
		if got := p.ok("export", "--mask", "--format", format); strings.Contains(got, "user-0\"") || strings.Contains(got, "+1555000") || !strings.Contains(got, "+15***000") {
			t.Errorf("masked:\n%s", got)
		}
	}
	if got := p.ok("list", "--mask"); strings.Contains(got, "user-0") || strings.Count(got, letters.MaskedUser("user-0")) != 2 {
		t.Errorf("masked:\n%s", got)
	}
}

// TestShowOfAnAmbiguousPrefix names what it could mean.
func TestShowOfAnAmbiguousPrefix(t *testing.T) {
	p := newDLQPlace(t)
	ids := map[byte][]string{}
	for n := range 17 { // of sixteen digits, one comes twice
		p.put(dlqLetter(n))
		id := dlqLetter(n).ID()
		ids[id[0]] = append(ids[id[0]], id)
	}
	for first, all := range ids {
		if len(all) < 2 {
			continue
		}
		code, _, stderr := p.run("show", string(first))
		if code != cli.ExitBadInput || !strings.Contains(stderr, fmt.Sprintf("%q is the beginning of several ids: ", string(first))) {
			t.Errorf("%d, %s", code, stderr)
		}
		for _, id := range all {
			if !strings.Contains(stderr, id) {
				t.Errorf("%s isn't named in %s", id, stderr)
			}
		}
	}
}

func TestExportCompresses(t *testing.T) {
	p := newDLQPlace(t)
	p.put(dlqLetter(1))
	for _, ending := range []string{"csv", "jsonl"} {
		file := filepath.Join(t.TempDir(), "all."+ending+".gz")
		p.ok("export", file)
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		unpacked, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(unpacked)
		if want := p.ok("export", "--format", ending); err != nil || string(text) != want {
			t.Errorf("%v\n%s\nwant\n%s", err, text, want)
		}
	}
}

// growing is output that a test reads while it is written.
type growing struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (g *growing) Write(b []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.Write(b)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.text.String()
}

// TestDLQFollows: what comes later is there once, and so is what was there.
func TestDLQFollows(t *testing.T) {
	for _, args := range []string{"list --follow", "list -f -o json", "list -f -o csv", "export --follow", "export -f --format csv --columns message_id"} {
		t.Run(args, func(t *testing.T) {
			p := newDLQPlace(t)
			p.put(dlqLetter(1))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var out, errs growing
			ended := make(chan int, 1)
			go func() {
				ended <- run(ctx, append([]string{"--config", p.config, "dlq"}, strings.Fields(args)...), strings.NewReader(""), &out, &errs)
			}()
			await := func(text string) {
				t.Helper()
				for end := time.Now().Add(30 * time.Second); !strings.Contains(out.String(), text); time.Sleep(5 * time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%q never came:\n%s%s", text, out.String(), errs.String())
					}
				}
			}
			names := []string{dlqLetter(1).ID(), dlqLetter(2).ID(), dlqLetter(3).ID()}
			if strings.Contains(args, "message_id") {
				names = []string{"m-1", "m-2", "m-3"}
			}
			await(names[0])
			p.put(dlqLetter(2), dlqLetter(2))
			await(names[1])
			p.put(dlqLetter(3))
			await(names[2])
			stop()
			if code := <-ended; code != cli.ExitOK {
				t.Errorf("code %d: %s", code, errs.String())
			}
			if args == "list --follow" && strings.Count(out.String(), "FAILED (UTC)") != 1 {
				t.Errorf("not under one header:\n%s", out.String())
			}
			for _, name := range names {
				if n := strings.Count(out.String(), name); n != 1 {
					t.Errorf("%s is there %d times:\n%s", name, n, out.String())
				}
			}
		})
	}
}

// TestShowExplainsWhatCameLater: one code may mean something else once Twilio has
// accepted the message, and another way out.
func TestShowExplainsWhatCameLater(t *testing.T) {
	p := newDLQPlace(t)
	letter := dlqLetter(1, func(r *deadletter.Record) {
		r.Reason, r.Disposition, r.TwilioCode, r.TwilioStatus = "not_delivered", deadletter.Undelivered, 30001, 0
		r.TwilioSID = "SM00112233445566778899aabbccddeeff"
	})
	p.put(letter)
	_, remedy := twilio.ExplainLater(letter.TwilioCode)
	if shown := p.ok("show", letter.ID()); remedy == "" || !strings.Contains(strings.Join(strings.Fields(shown), " "), strings.Join(strings.Fields(remedy), " ")) {
		t.Errorf("%q isn't in\n%s", remedy, shown)
	}
}
