package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Severity is how soon somebody should look.
type Severity int

// Urgent: people don't get their messages. Soon: someone should look today.
const (
	Urgent Severity = iota + 1
	Soon
)

func (s Severity) String() string { return [...]string{"", "urgent", "soon"}[s] }

// MarshalText has JSON say it in words.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Need is something that needs a person now.
type Need struct {
	Severity Severity `json:"severity"`
	What     string   `json:"what"`           // one sentence
	WayOut   string   `json:"wayOut"`         // what to do
	Link     string   `json:"link,omitempty"` // the path of the desk's page that shows more, with its query
	Runbook  string   `json:"runbook"`        // the section of the documentation that says more
}

// The bounds are those of the alerts with the same names.
const (
	patience        = time.Minute // with a replica, which may just be starting
	absentPatience  = 15 * time.Second
	breakerPatience = 3 * time.Minute
	unownedPatience = 3 * time.Minute
	writePatience   = 5 * time.Minute

	manyLag   = 1000
	oldEvent  = time.Hour
	tooOld    = 18 * time.Hour // six before the default of delivery.maxEventAge
	backlog   = 6.0            // hours
	manyDead  = 20
	manySame  = 5
	manyEnded = 50
	manySent  = 20
)

// Needs says what needs a person, the urgent first. A flow of the topics goes
// before that of the metrics, which begins only when the desk does.
func Needs(v View, flows ...Flow) []Need {
	all := append([]Need{}, replicaNeeds(v)...)
	for _, d := range v.Destinations {
		all = append(all, accountNeeds(v.At, d)...)
		all = append(all, progressNeeds(v.At, d)...)
		if !slices.ContainsFunc(flows, func(f Flow) bool { return f.Destination == d.Name }) {
			flows = append(slices.Clip(flows), d.Flow)
		}
	}
	for _, r := range v.Regions {
		if r.Breaker > BreakerClosed && v.At.Sub(r.BreakerSince) >= breakerPatience {
			all = append(all, Need{Urgent, fmt.Sprintf("Twilio fails for %s: its circuit breaker has not been closed for %s.", r.Name, lasting(v.At.Sub(r.BreakerSince))),
				"Look at Twilio's status page and at the way to it. The worker tries again by itself and loses nothing meanwhile.", "", "engagebreakeropen"})
		}
	}
	for _, f := range flows {
		all = append(all, flowNeeds(f)...)
	}
	slices.SortStableFunc(all, func(a, b Need) int { return cmp.Compare(a.Severity, b.Severity) })
	for i := range all {
		all[i].Runbook = "docs/operations.md#" + all[i].Runbook
	}
	return all
}

// replicaNeeds are of those that are away or not ready.
func replicaNeeds(v View) []Need {
	if !v.Told || v.At.IsZero() {
		return nil
	}
	var all []Need
	away, unready := map[string][]string{}, map[string][]string{}
	up, since := 0, v.At
	for _, r := range v.Replicas {
		if r.Up {
			up++
		}
		if r.Since.Before(since) {
			since = r.Since
		}
		if v.At.Sub(r.Since) < patience {
			continue
		}
		switch {
		case !r.Up:
			away[r.Why] = append(away[r.Why], r.Address)
		case !r.Ready:
			unready[r.Why] = append(unready[r.Why], r.Address)
		}
	}
	if up == 0 && v.At.Sub(since) < absentPatience {
		return nil // they may be starting together
	}
	if up == 0 {
		why := "there is none"
		if len(v.Replicas) > 0 {
			why = v.Replicas[0].Address + " " + v.Replicas[0].Why
		}
		return []Need{{Urgent, "No replica of the worker answers: " + why + ".",
			"Do any run? Their last log lines say why they ended. If they run: are desk.workers their addresses, and may the desk reach them?", "", "engageworkerabsent"}}
	}
	for _, why := range slices.Sorted(maps.Keys(away)) {
		all = append(all, Need{Soon, fmt.Sprintf("Away: %s (%s).", listed(away[why]), oneLine(why)),
			"A replica that ended has left its shards to others by now. What one does that lives nobody sees: look at its log, and end it if it hangs.", "", "engagereplicadown"})
	}
	for _, why := range slices.Sorted(maps.Keys(unready)) {
		all = append(all, Need{Urgent, fmt.Sprintf("Not ready: %s (%s).", listed(unready[why]), oneLine(why)),
			"A replica goes on by itself once that is mended.", "", "http"})
	}
	return all
}

// accountNeeds are of what Twilio refuses.
func accountNeeds(now time.Time, d Destination) []Need {
	var all []Need
	if !d.AccountClosed.IsZero() {
		all = append(all, Need{Urgent, fmt.Sprintf("Twilio refuses the account or key of %s, for %s: its messages are held.", d.Name, lasting(now.Sub(d.AccountClosed))),
			"Mend the account, or correct the key and restart the workers; engage-worker check tries it. All goes on by itself then.",
			"", "engageaccountclosed"})
	}
	if d.SendersClosed > 0 {
		all = append(all, Need{Soon, fmt.Sprintf("Twilio refuses %s of %s, for %s; its messages are held.", several(d.SendersClosed, "sender"), d.Name, lasting(now.Sub(d.SendersSince))),
			"Correct the sender in the mapping, or at Twilio; engage-worker check tries senders. Then send its dead letters again.",
			letters(d.Name, "sender_rejected"), "engagesendersclosed"})
	}
	return all
}

// progressNeeds are of what isn't done in time.
func progressNeeds(now time.Time, d Destination) []Need {
	var all []Need
	need := func(s Severity, runbook, wayOut, what string, args ...any) {
		all = append(all, Need{s, fmt.Sprintf(what, args...), wayOut, "", runbook})
	}
	if !d.Unowned.IsZero() && now.Sub(d.Unowned) >= unownedPatience {
		need(Urgent, "engagenoshardsowned", "The replicas' logs say what keeps them out of the consumer group.",
			"Nobody has read the events of %s for %s.", d.Name, lasting(now.Sub(d.Unowned)))
	}
	if d.Stuck > 0 {
		need(Urgent, "engagestuckshards", "Is the region's breaker open, or a topic unwritable? Otherwise restart the replica; nothing is lost by that.",
			"Open events of %s don't get done: %s.", d.Name, several(d.Stuck, "stuck shard"))
	}
	if !d.Unwritable.IsZero() && now.Sub(d.Unwritable) >= writePatience {
		need(Urgent, "engageheldunwritable", "The log's line \"can't be written\" says why: brokers, rights, or a topic that is gone (engage-worker topics create).",
			"%s can't write its dead-letter or retry topics, for %s.", d.Name, lasting(now.Sub(d.Unwritable)))
	}
	hours := 0.0
	if w := d.Windows[hour]; w.Read > 0 && now.Sub(w.Since) >= quarter {
		hours = float64(d.Lag) / (float64(w.Read) / now.Sub(w.Since).Hours())
	}
	switch {
	case d.Lag > manyLag && hours > backlog:
		need(Urgent, "engagebacklogwillexpire", "Find what bounds it: the rate, requests in flight, Twilio, the brokers. What is older than delivery.maxEventAge becomes a dead letter.",
			"%s needs %.0f more hours for its backlog of %d events at the pace of the last hour.", d.Name, hours, d.Lag)
	case d.Lag > manyLag && d.LagKnown && float64(d.Lag) > 1.1*float64(d.LagBefore):
		need(Soon, "engagelaggrowing", "Find what bounds it: the rate (then wait, or raise it), requests in flight, Twilio, the brokers, CPU.",
			"%s falls behind: %d events wait, a quarter of an hour ago %d did.", d.Name, d.Lag, d.LagBefore)
	}
	if d.OldestOpen > oldEvent {
		severity := Soon
		if d.OldestOpen > tooOld {
			severity = Urgent
		}
		need(severity, "engageuncommittedspanstuck", "Is there a backlog, is the breaker open, or does one event hold up the others? Older than delivery.maxEventAge it becomes a dead letter.",
			"The oldest open event of %s is %s old.", d.Name, lasting(d.OldestOpen))
	}
	return all
}

// operators are the reasons of dead letters that the configuration, the
// credentials or the account must mend.
var operators = map[string]bool{
	"sender_rejected": true, "account_rejected": true, "mapping_failed": true,
	"template_failed": true, "no_content": true, "content_template_failed": true,
}

// flowNeeds are of what became of messages lately.
func flowNeeds(f Flow) []Need {
	var all []Need
	need := func(s Severity, link, runbook, wayOut, what string, args ...any) {
		all = append(all, Need{s, fmt.Sprintf(what, args...), wayOut, link, runbook})
	}
	dead := 0
	for _, c := range f.Dead {
		dead += c.N
	}
	for _, c := range f.Dead {
		switch {
		case operators[c.Name] && c.N > manySame && dead >= f.Settled:
			need(Urgent, letters(f.Destination, c.Name), "engageconfigurationrefused", "Mend the configuration, the credentials or the account, then send them again.",
				"Every delivery of %s fails: %d dead letters of %s in half an hour, and nothing was sent.", f.Destination, c.N, c.Name)
		case c.Name == "outcome_unknown":
			need(Soon, letters(f.Destination, c.Name), "engageoutcomeunknown", "Look for them in Twilio's console. A replay passes over them unless told otherwise, as some may have been sent.",
				"Twilio can't tell whether it sent %s of %s.", several(c.N, "message"), f.Destination)
		case c.N > manyDead && float64(c.N) > 0.05*float64(f.Settled):
			need(Soon, letters(f.Destination, c.Name), "engagedeadlettersrising", "The letters say what mends them.",
				"Dead letters of %s rise: %d of %s in half an hour, of %d deliveries.", f.Destination, c.N, c.Name, f.Settled)
		}
	}
	if f.Ended > manyEnded && f.DayEnded > 0 {
		share, before := float64(f.Delivered)/float64(f.Ended), float64(f.DayDelivered)/float64(f.DayEnded)
		if share < 0.8*before {
			need(Soon, letters(f.Destination, "not_delivered"), "engagedeliveredsharefalls", "The letters' codes say why: overload, filters, people who are away.",
				"Of the messages of %s that ended in the last half hour, %.0f%% were delivered; over the day %.0f%%.", f.Destination, 100*share, 100*before)
		}
	}
	if f.Accepted > manySent && f.Further == 0 {
		need(Soon, "", "engagestatusesstopped", "Twilio isn't asked, or doesn't answer; with callbacks, are the receivers reached?",
			"Nobody tells what became of the messages of %s: Twilio accepted %d, and none came further in half an hour.", f.Destination, f.Accepted)
	}
	return all
}

// letters is the page of a destination's dead letters of a reason.
func letters(destination, reason string) string {
	return "/dead-letters?" + url.Values{"destination": {destination}, "reason": {reason}}.Encode()
}

func oneLine(text string) string {
	return strings.TrimSuffix(strings.ReplaceAll(text, "\n", "; "), ".")
}

// listed names a few and counts the others.
func listed(names []string) string {
	if len(names) > 3 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:2], ", "), len(names)-2)
	}
	return strings.Join(names, ", ")
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// lasting is a time in words, as exact as anyone needs it.
func lasting(d time.Duration) string {
	switch {
	case d < 5*time.Second:
		return "a moment"
	case d < time.Minute:
		return several(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return several(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return several(int(d.Hours()), "hour")
	default:
		return several(int(d.Hours()/24), "day")
	}
}
