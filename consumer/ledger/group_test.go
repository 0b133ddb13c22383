package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestWhoseRecord: each value says which group wrote it, where earlier versions
// don't read on.
func TestWhoseRecord(t *testing.T) {
	l := New(Config{Others: Others{Group: "engage-worker.onboarding"}}, nil)
	at := time.UnixMilli(1732390000123)
	for text, e := range map[string]Entry{
		"1 sent 1732390000123 3/5 7 SM0 @engage-worker.onboarding":                      {State: Sent, SID: "SM0"},
		"1 sent 1732390000123 3/5 7 SM0 #9f @engage-worker.onboarding":                  {State: Sent, SID: "SM0", Mark: 0x9f},
		"1 sent 1732390000123 3/5 7  #ffff @engage-worker.onboarding":                   {State: Sent, Mark: 0xffff},
		"1 refused 1732390000123 3/5 7  @engage-worker.onboarding":                      {State: Refused},
		"1 intent 1732390000123 3/5 7 ~1/2 @engage-worker.onboarding":                   {State: Intent, Tags: Tags{1, 2}},
		"1 intent 1732390000123 3/5 7 ~1/2 =1/1/2/3/4/5/1000 @engage-worker.onboarding": {State: Intent, Tags: Tags{1, 2}, Made: Made{1, 2, 3, 4, 5, time.Second}},
		"1 intent 1732390000123 3/5 7  =1/1/2/3/4/5/1000 @engage-worker.onboarding":     {State: Intent, Made: Made{1, 2, 3, 4, 5, time.Second}},
	} {
		e.Time, e.Position, e.Generation = at, Position{3, 5}, 7
		if got := string(l.value(nil, e)); got != text {
			t.Errorf("%q, want %q", got, text)
		}
		if got, err := ParseEntry([]byte(text)); err != nil || got != e {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, e)
		}
		if got := string(groupOf([]byte(text))); got != "engage-worker.onboarding" {
			t.Errorf("%q: group %q", text, got)
		}
	}
	for _, text := range []string{"", "1 sent 1732390000123 3/5 7 SM0", "1 dead 1732390000123 3/5 7"} {
		if got := groupOf([]byte(text)); len(got) > 0 {
			t.Errorf("%q: group %q, want none", text, got)
		}
	}
}

// TestUsurper: what another group wrote settles nothing, and stands in the way
// for as long as it may still write, or is all that there is.
func TestUsurper(t *testing.T) {
	const quiet = 5 * time.Minute
	for _, c := range []struct {
		name    string
		records []string // of the group @b, of ours @a, of an earlier version's, or of an adopted group @c, by age
		ages    []time.Duration
		want    string
		knows   bool // the delivery of the last record
	}{
		{"our own", []string{"@a"}, []time.Duration{0}, "", true},
		{"an earlier version's", []string{""}, []time.Duration{0}, "", true},
		{"an adopted group's", []string{"@c"}, []time.Duration{0}, "", true},
		{"another's just now", []string{"@a", "@b"}, []time.Duration{time.Hour, time.Minute}, "b", false},
		{"another's, whose clock is ahead", []string{"@a", "@b"}, []time.Duration{time.Hour, -time.Hour}, "b", false},
		{"another's, whose clock is behind, or who wrote long ago", []string{"@a", "@b"}, []time.Duration{time.Hour, 6 * 24 * time.Hour}, "b", false},
		{"another's, and then our own, of whoever's clock", []string{"@b", "@a"}, []time.Duration{0, -time.Hour}, "b", true},
		{"another's alone", []string{"@b"}, []time.Duration{time.Hour}, "b", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log memory
				key := AppendKey(nil, "sms", "m1")
				for i, group := range c.records {
					value := fmt.Appendf(nil, "1 sent %d 0/1 1 SM%d %s", time.Now().Add(-c.ages[i]).UnixMilli(), i, group)
					k := key
					if i < len(c.records)-1 {
						k = AppendKey(nil, "sms", "another")
					}
					log.records = append(log.records, Record{Key: k, Value: value})
				}
				l := New(Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop(), Others: Others{Group: "a", Adopted: []string{"c"}, Quiet: quiet}}, &log)
				if _, err := l.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := l.Usurper(); got != c.want {
					t.Errorf("usurper %q, want %q", got, c.want)
				}
				if _, known := l.Get(key); known != c.knows {
					t.Errorf("known: %t, want %t", known, c.knows)
				}
				// Nothing comes of it any more, which counts by this clock alone.
				time.Sleep(quiet - time.Second)
				if got := l.Usurper(); got != c.want {
					t.Errorf("usurper %q just before it is believed gone, want %q", got, c.want)
				}
				time.Sleep(time.Second)
				own := slices.ContainsFunc(c.records, func(group string) bool { return group != "@b" })
				if got := l.Usurper(); own && got != "" || !own && got != "b" {
					t.Errorf("usurper %q after %v, with records of our own: %t", got, quiet, own)
				}
				// It comes back, and its clock is far behind.
				log.records = append(log.records, Record{Key: key, Value: fmt.Appendf(nil, "1 intent %d 0/1 1  @b", time.Now().Add(-24*time.Hour).UnixMilli())})
				if _, err := l.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := l.Usurper(); got != "b" {
					t.Errorf("usurper %q, after b has written", got)
				}
			})
		})
	}
}

// TestAnAdoptedGroupsGenerations: a group counts its generations anew, and what
// its first says of an adopted intent counts all the same.
func TestAnAdoptedGroupsGenerations(t *testing.T) {
	key := AppendKey(nil, "sms", "m1")
	now := time.Now().UnixMilli()
	log := memory{records: []Record{
		{Key: key, Value: fmt.Appendf(nil, "1 intent %d 0/1 57 ~1/2 @c", now)},
		{Key: key, Value: fmt.Appendf(nil, "1 refused %d 0/1 56  @c", now)}, // of one that had lost the shard
	}}
	l := New(Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop(), Others: Others{Group: "a", Adopted: []string{"c"}}}, &log)
	for _, c := range []struct {
		more string
		want State
	}{{"", Intent}, {"refused %d 0/1 1  @a", Refused}, {"intent %d 0/1 2  @a", Intent}} {
		if c.more != "" {
			log.records = append(log.records, Record{Key: key, Value: fmt.Appendf(nil, "1 "+c.more, now)})
		}
		if _, err := l.Restore(t.Context()); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		if e, _ := l.Get(key); e.State != c.want {
			t.Errorf("after %q: %+v, want %v", c.more, e, c.want)
		}
	}
}

// TestAnAdoptedGroupsSecondIntent: behind an outcome of the adopted group's own it leaves the
// delivery in doubt, as one of ours would; what came of it then settles it.
func TestAnAdoptedGroupsSecondIntent(t *testing.T) {
	var log memory
	l := New(Config{Retention: 7 * 24 * time.Hour, Log: zerolog.Nop(), Others: Others{Group: "a", Adopted: []string{"c"}}}, &log)
	key := AppendKey(nil, "sms", "m1")
	for i, want := range []State{Intent, Refused, Intent, Refused, Intent, Dead} {
		value := fmt.Appendf(nil, "1 %v %d 0/1 5  @c", want, time.Now().Add(time.Duration(i)*time.Second).UnixMilli())
		log.records = append(log.records, Record{Offset: int64(i), Key: key, Value: value})
		if _, err := l.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e, _ := l.Get(key); e.State != want {
			t.Errorf("after %d records it is %v, want %v", i+1, e.State, want)
		}
	}
}

// TestAClockFarAhead: what is in doubt or was sent isn't forgotten for it.
func TestAClockFarAhead(t *testing.T) {
	const retention = 7 * 24 * time.Hour
	now := func() time.Time { return time.Now().Add(-8 * 24 * time.Hour) } // the time; this machine's clock is ahead
	var log memory
	for i, state := range []string{"intent", "sent", "refused"} {
		log.records = append(log.records, Record{Key: AppendKey(nil, "sms", fmt.Sprint("m", i)), Value: fmt.Appendf(nil, "1 %s %d 0/%d 1", state, now().Add(-time.Hour).UnixMilli(), i)})
	}
	for _, c := range []struct {
		now   func() time.Time
		known int
	}{{now, 3}, {nil, 1}} { // where nobody tells the time, all but the last is long ago
		l := New(Config{Retention: retention, Log: zerolog.Nop(), Now: c.now}, &log)
		if _, err := l.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
		known := 0
		for i := range log.records {
			if _, ok := l.Get(AppendKey(nil, "sms", fmt.Sprint("m", i))); ok {
				known++
			}
		}
		if known != c.known {
			t.Errorf("%d entries are known, want %d", known, c.known)
		}
	}
}

// memory is a log that is only read.
type memory struct{ records []Record }

func (m *memory) Bounds(context.Context) (first, end int64, err error) {
	return 0, int64(len(m.records)), nil
}

func (m *memory) Read(_ context.Context, from, end int64, each func(Record)) error {
	for i := from; i < end; i++ {
		each(m.records[i])
	}
	return nil
}

func (m *memory) Append(context.Context, []Record) (base int64, err error) {
	return 0, errors.ErrUnsupported
}

// TestGroupOf: a group stands behind a space, last; another @ is part of what is said.
func TestGroupOf(t *testing.T) {
	for value, want := range map[string]string{
		"1 sent 1 0/1 1 SM1 @g":                "g",
		"1 refused 1 0/1 1  !no@body":          "",
		"1 refused 1 0/1 1  !no@body @g.other": "g.other",
		"1 sent 1 0/1 1 SM1":                   "",
		"@g":                                   "",
	} {
		if got := string(groupOf([]byte(value))); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
