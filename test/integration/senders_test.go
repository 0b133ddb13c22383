package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	slowSender = "+15005550006"
	fastSender = "MG00000000000000000000000000000002"
)

// twoSenders are actions of one destination: events of the kind "slow" are
// sent from a number, the others from a messaging service.
var twoSenders = strings.ReplaceAll(strings.Replace(smsAction, "        type: sendSms\n", "        type: sendSms\n        trigger: properties.kind = \"slow\"\n", 1),
	"MG00000000000000000000000000000001", `"`+slowSender+`"`) +
	strings.NewReplacer("welcome-sms", "fast", "MG00000000000000000000000000000001", fastSender,
		"        type: sendSms\n", "        type: sendSms\n        trigger: properties.kind = \"fast\"\n").Replace(smsAction)

// of are n people's events of a kind, from the first one's number on.
func of(kind string, first, n int) []kafka.Message {
	all := make([]kafka.Message, n)
	for i := range all {
		all[i] = person(first+i, fmt.Sprintf(`,"kind":%q`, kind))
	}
	return all
}

// receivedFrom are the times at which the vendor read a sender's requests, in order.
func (r *rig) receivedFrom(sender string) (times []time.Time) {
	for _, m := range r.accepted() {
		if from := m.Value("From"); from == sender {
			times = append(times, m.ReceivedAt)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// most is the greatest number of times within any window.
func most(times []time.Time, window time.Duration) (most int) {
	for i, j := 0, 0; i < len(times); i++ {
		for j < len(times) && times[j].Sub(times[i]) < window {
			j++
		}
		most = max(most, j-i)
	}
	return most
}

// holds checks a rate at the vendor. A loaded machine may keep requests back on
// their way and let them through together, so that windows are longer than a
// second, and hold a message more.
func holds(t *testing.T, what string, times []time.Time, perSecond float64) {
	t.Helper()
	const window = 5
	if got, allowed := most(times, window*time.Second), int(window*perSecond*1.1)+1; got > allowed {
		t.Errorf("%s: %d requests within %d s at %v/s", what, got, window, perSecond)
	}
}

// TestSenders: a sender with five messages a second slows no other, is itself
// not exceeded with three replicas, and its events take no room from others'.
func TestSenders(t *testing.T) {
	t.Parallel()
	const slow, fast = 120, 400
	r := newRig(t, settings{
		regions:  "  us-west-2: {rate: 300, maxInFlight: 64, senders: {\"" + slowSender + "\": {rate: 5}, " + fastSender + ": {rate: 100}}}\n",
		delivery: "  maxUncommitted: 8\n",
		actions:  twoSenders,
	})
	r.produce(of("slow", 0, slow)...)
	r.produce(of("fast", slow, fast)...)
	for range 3 {
		r.start(shortTiers)
	}
	r.await(60*time.Second, func() error {
		if n := len(r.receivedFrom(fastSender)); n < fast {
			return fmt.Errorf("%d of %d of the fast sender", n, fast)
		}
		return nil
	})
	if n := len(r.receivedFrom(slowSender)); n >= slow {
		t.Errorf("the fast sender's messages were sent with the slow one's, of which there are %d", n)
	}
	r.awaitSettled(120 * time.Second)
	r.onceEach(slow + fast)
	holds(t, "slow", r.receivedFrom(slowSender), 5)
	holds(t, "fast", r.receivedFrom(fastSender), 100)
}

// TestSegments: a text of three segments costs a sender three.
func TestSegments(t *testing.T) {
	t.Parallel()
	const messages = 20
	r := newRig(t, settings{
		regions: "  us-west-2: {rate: 300, maxInFlight: 64, senders: {MG00000000000000000000000000000001: {rate: 6}}}\n",
		actions: strings.Replace(smsAction, "Welcome, ", "Welcome"+strings.Repeat("!", 330)+" ", 1),
	})
	r.produce(people(messages, "")...)
	r.start()
	r.awaitDone(60 * time.Second)
	r.onceEach(messages)
	holds(t, "messages of three segments at 6 a second", r.receivedFrom("MG00000000000000000000000000000001"), 2)
}

// another adds a destination to the configuration: the one there is, by
// another name.
func (r *rig) another(name string, change ...string) {
	r.t.Helper()
	text := r.text()
	_, first, _ := strings.Cut(text, "destinations:\n")
	r.configure(text + strings.NewReplacer(append([]string{"name: onboarding", "name: " + name}, change...)...).Replace(first))
}

// TestIdleDestination: of two destinations in a region the one with something
// to send has the other's part, too.
func TestIdleDestination(t *testing.T) {
	t.Parallel()
	const perSecond, events = 60, 3600
	r := newRig(t, settings{regions: fmt.Sprintf("  us-west-2: {rate: %d, maxInFlight: 64}\n", perSecond)})
	r.another("idle", `        type: sendSms`, `        type: sendSms`+"\n        trigger: event = \"Never\"")
	r.makeTopics(6)
	for range 2 {
		r.start()
	}
	r.produce(people(events, "")...)
	times := func() []time.Time { return r.receivedFrom("MG00000000000000000000000000000001") }
	r.await(120*time.Second, func() error { // a loaded machine has slow seconds
		if got, want := most(times(), 5*time.Second), 5*perSecond*95/100; got < want {
			return fmt.Errorf("at most %d requests within 5 s, of %d", got, want)
		}
		return nil
	})
	holds(t, "both", times(), perSecond)
}

// TestLoadThatMoves: the rate follows load that moves from partition to
// partition every 5 s.
func TestLoadThatMoves(t *testing.T) {
	t.Parallel()
	const perSecond, moves = 40, 4
	r := newRig(t, settings{partitions: 12, regions: fmt.Sprintf("  us-west-2: {rate: %d, maxInFlight: 64}\n", perSecond)})
	replicas := []*replica{r.start(), r.start(), r.start()}
	r.awaitShared(replicas, 4)
	to := 0
	w := r.writerTo(func() int { return to })
	for i := range moves {
		to = 5 * i % 12
		if err := w.WriteMessages(t.Context(), people(moves*5*perSecond, "")[i*5*perSecond:(i+1)*5*perSecond]...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
	}
	r.awaitDone(120 * time.Second)
	r.onceEach(moves * 5 * perSecond)
	holds(t, "the fleet", r.receivedFrom("MG00000000000000000000000000000001"), perSecond)
}

// TestTurns: a message of another destination every now and then isn't kept
// waiting by a campaign in the same region.
func TestTurns(t *testing.T) {
	t.Parallel()
	const campaign, singles = 4000, 15
	r := newRig(t, settings{
		regions: "  us-west-2: {rate: 100, maxInFlight: 64}\n",
		actions: strings.Replace(smsAction, "        type: sendSms\n", "        type: sendSms\n        trigger: properties.kind = \"campaign\"\n", 1),
	})
	r.another("other", `"campaign"`, `"single"`, "MG00000000000000000000000000000001", fastSender)
	r.makeTopics(6)
	for range 2 {
		r.start()
	}
	r.produce(of("campaign", 0, campaign)...)
	r.await(60*time.Second, func() error {
		if n := r.sim.Stats().Accepted; n < 100 {
			return fmt.Errorf("%d of the campaign", n)
		}
		return nil
	})
	var waits []time.Duration
	ahead := func() int { return len(r.receivedFrom("MG00000000000000000000000000000001")) }
	longest := 0 // messages of the campaign that a single one saw pass
	for i := range singles {
		began, before := time.Now(), ahead()
		r.produce(of("single", campaign+i, 1)...)
		r.await(30*time.Second, func() error {
			if n := len(r.receivedFrom(fastSender)); n <= i {
				return fmt.Errorf("%d single messages", n)
			}
			return nil
		})
		waits, longest = append(waits, time.Since(began)), max(longest, ahead()-before)
		time.Sleep(200 * time.Millisecond)
	}
	if n := ahead(); n >= campaign {
		t.Errorf("the campaign of %d is over: %d", campaign, n)
	}
	if longest > 300 { // three seconds' worth
		t.Errorf("%d messages of the campaign were sent before a single one", longest)
	}
	slices.Sort(waits)
	t.Logf("single messages beside a campaign took %v at the median, %v at most", waits[len(waits)/2], waits[len(waits)-1])
}
