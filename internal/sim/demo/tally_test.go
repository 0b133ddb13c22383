package demo

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"engage-worker/actions/outcome"
	"engage-worker/deadletter"
	"engage-worker/internal/sim/sample"
	"engage-worker/internal/sim/twiliosim"
)

// accepted is a message with the event's id where the demo's mapping puts it.
func accepted(id string) twiliosim.Message {
	return twiliosim.Message{Form: [][2]string{{"Body", "hi"}, {"StatusCallback", "https://hooks.example.com/twilio?message_id=" + id + "&space_id=spa#rp=all"}}}
}

func published() *tally {
	t := newTally(100)
	entered := func(id, region string) sample.Event {
		return sample.Event{Kind: sample.Entered, MessageID: id, Region: region, SMS: outcome.ReasonNone}
	}
	t.expect(entered("us", sample.RegionUS), false)
	t.expect(entered("us", sample.RegionUS), true)
	t.expect(entered("eu", sample.RegionEU), false)
	t.expect(sample.Event{Kind: sample.Exited, MessageID: "exit", Region: sample.RegionEU, SMS: outcome.ReasonNoMatch}, false)
	t.expect(sample.Event{Kind: sample.OptedOut, MessageID: "stop", Region: sample.RegionEU, SMS: outcome.ReasonOptedOut}, false)
	t.expect(sample.Event{Kind: sample.Unsubscribed, MessageID: "no", Region: sample.RegionUS, SMS: outcome.ReasonNotSubscribed}, false)
	t.expect(sample.Event{Kind: sample.Malformed, MessageID: "bad", Region: sample.RegionUS, SMS: outcome.ReasonMalformedEvent}, false)
	return t
}

func TestTally(t *testing.T) {
	expected := map[became]int{
		{"americas", "sent", ""}: 1, {"europe", "sent", ""}: 1,
		{"americas", "skipped", "duplicate"}: 1, {"americas", "skipped", "not_subscribed"}: 1,
		{"americas", "skipped", "no_match"}: 3, {"europe", "skipped", "no_match"}: 4,
		{"europe", "dead_letter", "opted_out"}:         1,
		{"americas", "dead_letter", "malformed_event"}: 1, {"europe", "dead_letter", "malformed_event"}: 1,
	}
	for _, test := range []struct {
		name      string
		sent      []string
		buried    []string
		malformed int
		want      verdict
	}{
		{"all well", []string{"us", "eu"}, []string{"stop"}, 2, verdict{}},
		{"nothing came", nil, nil, 0, verdict{lost: 5}},
		{"sent twice and thrice", []string{"us", "us", "us", "eu", "eu"}, []string{"stop"}, 2, verdict{twice: 3}},
		{"sent to one who opted out", []string{"us", "eu", "stop"}, []string{"stop"}, 2, verdict{unasked: 1}},
		{"sent to one who isn't subscribed", []string{"us", "eu", "no"}, []string{"stop"}, 2, verdict{unasked: 1}},
		{"another's event", []string{"us", "eu", "", "theirs"}, []string{"stop", "theirs"}, 2, verdict{}},
		{"a dead letter instead of a message isn't lost", []string{"us"}, []string{"eu", "stop"}, 2, verdict{}},
		{"a dead letter missing", []string{"us", "eu"}, nil, 2, verdict{lost: 1}},
		{"a malformed event missing", []string{"us", "eu"}, []string{"stop"}, 1, verdict{lost: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tally := published()
			for _, id := range test.sent {
				tally.sent(accepted(id))
			}
			for _, id := range test.buried {
				tally.buried(&deadletter.Record{MessageID: id, Destination: "europe"})
			}
			test.want.expected = expected
			if got := tally.judge(test.malformed, 0, funnel{delivered: len(test.sent)}); !reflect.DeepEqual(got, test.want) {
				t.Errorf("\n got %+v\nwant %+v", got, test.want)
			}
			if tally.messages() != len(test.sent) || tally.due("americas") != 7 || tally.due("europe") != 7 {
				t.Errorf("%d messages, %d and %d due", tally.messages(), tally.due("americas"), tally.due("europe"))
			}
		})
	}
}

// TestEnds: what is said of messages' ends is compared with what becomes of them.
func TestEnds(t *testing.T) {
	tally := published()
	failing := accepted("eu")
	failing.End, failing.Code = "undelivered", 30003
	tally.sent(accepted("us"))
	tally.sent(failing)
	for _, c := range []struct {
		f       funnel
		letters int
		want    int
	}{
		{funnel{delivered: 1, failed: 1}, 1, 0},
		{funnel{delivered: 1}, 0, 2},
		{funnel{delivered: 1, failed: 1}, 2, 1},
		{funnel{delivered: 2}, 1, 2},
	} {
		if got := tally.judge(2, c.letters, c.f); got.untold != c.want {
			t.Errorf("%+v, %d letters: %d, want %d", c.f, c.letters, got.untold, c.want)
		}
	}
}

// An endless demo forgets the oldest events, and doesn't take them for
// nobody's.
func TestTallyForgets(t *testing.T) {
	tally := newTally(10)
	for i := range 100 {
		tally.expect(sample.Event{Kind: sample.Entered, MessageID: fmt.Sprint(i), Region: sample.RegionUS}, false)
		tally.sent(accepted(fmt.Sprint(i)))
	}
	if len(tally.ids) != 10 {
		t.Errorf("%d events are known", len(tally.ids))
	}
	tally.sent(accepted("3"))
	tally.sent(accepted("99"))
	if got := tally.judge(0, 0, funnel{}); got.unasked != 0 || got.twice != 1 || got.lost != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTable(t *testing.T) {
	expected := map[became]int{
		{"americas", "sent", ""}: 1200, {"europe", "sent", ""}: 4, {"americas", "skipped", "duplicate"}: 1,
		{"europe", "dead_letter", "opted_out"}: 2,
	}
	for _, c := range []struct {
		name      string
		actual    map[became]int
		others    int
		different int
		want      string
	}{
		{"two cells differ", map[became]int{
			{"americas", "sent", ""}: 1200, {"europe", "sent", ""}: 3, {"europe", "retry", "rate_limited"}: 5, {"europe", "dead_letter", "opted_out"}: 2,
		}, 0, 2, `
                                               americas            europe
                                      expected   actual expected   actual
 sent                                    1,200    1,200        4        3
 skipped, duplicate                          1        0        0        0
 dead letter, opted_out                      0        0        2        2
 deliveries                              1,201    1,200        6        5

`},
		{"others made three", map[became]int{
			{"americas", "sent", ""}: 1202, {"europe", "sent", ""}: 4, {"americas", "skipped", "duplicate"}: 1, {"americas", "skipped", "no_match"}: 1,
			{"europe", "skipped", "no_match"}: 3, {"europe", "dead_letter", "opted_out"}: 2,
		}, 3, 0, `
                                               americas            europe
                                      expected   actual expected   actual others
 sent                                    1,200    1,202        4        4      2
 skipped, duplicate                          1        1        0        0      0
 skipped, no_match                           0        1        0        3      4
 dead letter, opted_out                      0        0        2        2      0
 deliveries                              1,201    1,204        6        9      6

`},
		{"others made one, and one is missing and three too many", map[became]int{
			{"americas", "sent", ""}: 1200, {"europe", "sent", ""}: 7, {"europe", "dead_letter", "opted_out"}: 2,
		}, 1, 3, `
                                               americas            europe
                                      expected   actual expected   actual others
 sent                                    1,200    1,200        4        7      3
 skipped, duplicate                          1        0        0        0     -1
 dead letter, opted_out                      0        0        2        2      0
 deliveries                              1,201    1,200        6        9      2

`},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, different := table(c.actual, expected, c.others)
			var out strings.Builder
			(&screen{w: &out}).print(lines...)
			if different != c.different || out.String() != c.want {
				t.Errorf("%d different\n got %s\nwant %s", different, out.String(), c.want)
			}
			for line := range strings.Lines(out.String()) {
				if length(line) > 81 {
					t.Errorf("wider than 80: %s", line)
				}
			}
		})
	}
}

// A refusal that the director makes is expected where it came, and a message that
// somebody sent again isn't one that was sent twice.
func TestTallyOfReplays(t *testing.T) {
	tally := published()
	refused := &deadletter.Record{Destination: "americas", Action: "welcome-sms", MessageID: "us", Reason: outcome.ReasonSenderRejected.String()}
	later := &deadletter.Record{Destination: "europe", Action: "welcome-sms", MessageID: "eu", Reason: outcome.ReasonNotDelivered.String()}
	for _, id := range []string{"us", "eu", "eu", "eu"} {
		tally.sent(accepted(id))
	}
	for _, r := range []*deadletter.Record{refused, refused, later, {Destination: "europe", MessageID: "stop"}} {
		tally.buried(r)
	}
	tally.replayed(refused.ID())
	tally.replayed(later.ID())
	tally.replayed("another's")
	v := tally.judge(2, 0, funnel{delivered: 4})
	if v.twice != 1 || v.lost != 0 {
		t.Errorf("%d were sent twice, %d lost; want the one that nobody sent again, and none", v.twice, v.lost)
	}
	if sent, dead := v.expected[became{"americas", "sent", ""}], v.expected[became{"americas", "dead_letter", "sender_rejected"}]; sent != 0 || dead != 1 {
		t.Errorf("%d sent and %d refused are expected, want 0 and 1", sent, dead)
	}
}
