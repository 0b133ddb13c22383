package fleet

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return at.Add(-d) }

// fine is a fleet that needs nobody.
func fine() View {
	return View{
		Told: true, At: at, Since: ago(week),
		Replicas: []Replica{{Address: "10.0.0.1:8080", Up: true, Ready: true, Since: ago(day)}, {Address: "10.0.0.2:8080", Up: true, Ready: true, Since: ago(day)}},
		Regions:  []Region{{Name: "us-west-2", Allowed: 100, Used: 20, Breaker: BreakerClosed}},
		Destinations: []Destination{{
			Name: "onboarding", Lag: 40, LagBefore: 10, LagKnown: true, OldestOpen: time.Minute,
			Windows: Windows{hour: {Since: ago(hour), Read: 3600}},
			Flow: Flow{Destination: "onboarding", Settled: 1000, Dead: []Count{{"opted_out", 20}}, Accepted: 900, Further: 900,
				Delivered: 80, Ended: 100, DayDelivered: 900, DayEnded: 1000},
		}},
	}
}

// Each of what needs a person, with what it is bounded by.
func TestNeeds(t *testing.T) {
	d := func(change func(*Destination)) func(*View) { return func(v *View) { change(&v.Destinations[0]) } }
	flow := func(change func(*Flow)) func(*View) { return d(func(d *Destination) { change(&d.Flow) }) }
	for _, c := range []struct {
		name   string
		change func(*View)
		want   []string // severity: what
	}{
		{"fine", func(*View) {}, nil},
		{"nobody is told", func(v *View) { *v = View{} }, nil},
		{"nobody was asked yet", func(v *View) { *v = View{Told: true} }, nil},
		{"nobody answers", func(v *View) {
			*v = View{Told: true, At: at, Replicas: []Replica{{Address: "worker:8080", Why: "refuses connections: nothing listens there", Since: ago(15 * time.Second)}}}
		}, []string{"urgent: No replica of the worker answers: worker:8080 refuses connections: nothing listens there. #engageworkerabsent"}},
		{"nobody answers yet", func(v *View) {
			*v = View{Told: true, At: at, Replicas: []Replica{{Address: "worker:8080", Why: "refuses connections: nothing listens there", Since: ago(14 * time.Second)}}}
		}, nil},
		{"one is away, for a moment", func(v *View) {
			v.Replicas[1] = Replica{Address: "10.0.0.2:8080", Why: "x", Since: ago(59 * time.Second)}
		}, nil},
		{"one is away", func(v *View) {
			v.Replicas[1] = Replica{Address: "10.0.0.2:8080", Why: "doesn't answer within 5s", Since: ago(time.Minute)}
		}, []string{"soon: Away: 10.0.0.2:8080 (doesn't answer within 5s). #engagereplicadown"}},
		{"some aren't ready for the same reason", func(v *View) {
			for i := range v.Replicas {
				v.Replicas[i].Ready, v.Replicas[i].Why, v.Replicas[i].Since = false, "kafka doesn't answer: no broker\nnor this.", ago(time.Hour)
			}
		}, []string{"urgent: Not ready: 10.0.0.1:8080, 10.0.0.2:8080 (kafka doesn't answer: no broker; nor this). #http"}},
		{"many are away", func(v *View) {
			for _, a := range []string{"a:1", "b:1", "c:1", "d:1"} {
				v.Replicas = append(v.Replicas, Replica{Address: a, Why: "x", Since: ago(time.Hour)})
			}
		}, []string{"soon: Away: a:1, b:1 and 2 more (x). #engagereplicadown"}},
		{"a breaker opens", func(v *View) { v.Regions[0].Breaker, v.Regions[0].BreakerSince = BreakerOpen, ago(2*time.Minute) }, nil},
		{"a breaker is open", func(v *View) { v.Regions[0].Breaker, v.Regions[0].BreakerSince = BreakerHalfOpen, ago(3*time.Minute) },
			[]string{"urgent: Twilio fails for us-west-2: its circuit breaker has not been closed for 3 minutes. #engagebreakeropen"}},
		{"an account", d(func(d *Destination) { d.AccountClosed = ago(3 * time.Hour) }),
			[]string{"urgent: Twilio refuses the account or key of onboarding, for 3 hours: its messages are held. #engageaccountclosed"}},
		{"senders", d(func(d *Destination) { d.SendersClosed, d.SendersSince = 2, ago(time.Second) }),
			[]string{"soon: Twilio refuses 2 senders of onboarding, for a moment; its messages are held. #engagesendersclosed /dead-letters?destination=onboarding&reason=sender_rejected"}},
		{"nobody owns a shard", d(func(d *Destination) { d.Unowned = ago(3 * time.Minute) }),
			[]string{"urgent: Nobody has read the events of onboarding for 3 minutes. #engagenoshardsowned"}},
		{"stuck", d(func(d *Destination) { d.Stuck = 1 }), []string{"urgent: Open events of onboarding don't get done: 1 stuck shard. #engagestuckshards"}},
		{"unwritable", d(func(d *Destination) { d.Unwritable = ago(5 * time.Minute) }),
			[]string{"urgent: onboarding can't write its dead-letter or retry topics, for 5 minutes. #engageheldunwritable"}},
		{"lag grows", d(func(d *Destination) { d.Lag, d.LagBefore = 2000, 1500 }),
			[]string{"soon: onboarding falls behind: 2000 events wait, a quarter of an hour ago 1500 did. #engagelaggrowing"}},
		{"lag shrinks", d(func(d *Destination) { d.Lag, d.LagBefore = 2000, 2500 }), nil},
		{"lag isn't known for long", d(func(d *Destination) { d.Lag, d.LagKnown = 2000, false }), nil},
		{"a backlog for hours", d(func(d *Destination) { d.Lag = 36000 }),
			[]string{"urgent: onboarding needs 10 more hours for its backlog of 36000 events at the pace of the last hour. #engagebacklogwillexpire"}},
		{"an old event", d(func(d *Destination) { d.OldestOpen = 2 * time.Hour }),
			[]string{"soon: The oldest open event of onboarding is 2 hours old. #engageuncommittedspanstuck"}},
		{"an event that will expire", d(func(d *Destination) { d.OldestOpen = 50 * time.Hour }),
			[]string{"urgent: The oldest open event of onboarding is 2 days old. #engageuncommittedspanstuck"}},
		{"dead letters rise", flow(func(f *Flow) { f.Dead = []Count{{"opted_out", 60}, {"expired", 21}} }),
			[]string{"soon: Dead letters of onboarding rise: 60 of opted_out in half an hour, of 1000 deliveries. #engagedeadlettersrising /dead-letters?destination=onboarding&reason=opted_out"}},
		{"all fails", flow(func(f *Flow) { f.Dead, f.Settled = []Count{{"template_failed", 6}}, 6 }),
			[]string{"urgent: Every delivery of onboarding fails: 6 dead letters of template_failed in half an hour, and nothing was sent. #engageconfigurationrefused /dead-letters?destination=onboarding&reason=template_failed"}},
		{"an unknown outcome", flow(func(f *Flow) { f.Dead = []Count{{"outcome_unknown", 1}} }),
			[]string{"soon: Twilio can't tell whether it sent 1 message of onboarding. #engageoutcomeunknown /dead-letters?destination=onboarding&reason=outcome_unknown"}},
		{"the delivered share falls", flow(func(f *Flow) { f.Delivered = 71 }),
			[]string{"soon: Of the messages of onboarding that ended in the last half hour, 71% were delivered; over the day 90%. #engagedeliveredsharefalls /dead-letters?destination=onboarding&reason=not_delivered"}},
		{"too few ended", flow(func(f *Flow) { f.Delivered, f.Ended = 0, 50 }), nil},
		{"statuses stopped", flow(func(f *Flow) { f.Further = 0 }),
			[]string{"soon: Nobody tells what became of the messages of onboarding: Twilio accepted 900, and none came further in half an hour. #engagestatusesstopped"}},
		{"the urgent first", func(v *View) {
			v.Destinations[0].OldestOpen = 2 * time.Hour
			v.Destinations[0].Flow.Further = 0
			v.Regions[0].Breaker, v.Regions[0].BreakerSince = BreakerOpen, ago(day)
		}, []string{
			"urgent: Twilio fails for us-west-2: its circuit breaker has not been closed for 24 hours. #engagebreakeropen",
			"soon: The oldest open event of onboarding is 2 hours old. #engageuncommittedspanstuck",
			"soon: Nobody tells what became of the messages of onboarding: Twilio accepted 900, and none came further in half an hour. #engagestatusesstopped",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := fine()
			c.change(&v)
			var got []string
			for _, n := range Needs(v) {
				if n.WayOut == "" {
					t.Errorf("%q has no way out", n.What)
				}
				got = append(got, strings.TrimSpace(n.Severity.String()+": "+n.What+" "+strings.TrimPrefix(n.Runbook, "docs/operations.md")+" "+n.Link))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// What the topics say goes before what the metrics do.
func TestFlowOfTopics(t *testing.T) {
	v := fine()
	v.Destinations[0].Flow.Further = 0
	if got := Needs(v, Flow{Destination: "onboarding", Accepted: 900, Further: 1}); len(got) != 0 {
		t.Errorf("got %v, want none", got)
	}
	got := Needs(View{}, Flow{Destination: "winback", Dead: []Count{{"outcome_unknown", 3}}})
	if len(got) != 1 || got[0].Runbook != "docs/operations.md#engageoutcomeunknown" {
		t.Errorf("got %v, want the unknown outcomes, though no replica was told", got)
	}
}

// Every section that a need points to is there.
func TestRunbook(t *testing.T) {
	page, err := os.ReadFile("../../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("needs.go")
	if err != nil {
		t.Fatal(err)
	}
	var anchors []string
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(page, -1) {
		anchors = append(anchors, strings.ReplaceAll(strings.ToLower(string(m[1])), " ", "-"))
	}
	named := regexp.MustCompile(`"(engage[a-z]+|http)"`).FindAllSubmatch(source, -1)
	if len(named) < 15 {
		t.Fatalf("found only %d sections in needs.go", len(named))
	}
	for _, m := range named {
		if !slices.Contains(anchors, string(m[1])) {
			t.Errorf("docs/operations.md has no section %s", m[1])
		}
	}
}
