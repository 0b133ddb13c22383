package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	hour = time.Hour
	day  = 24 * hour
	week = 7 * day

	lately  = 30 * time.Minute
	quarter = 15 * time.Minute
	nowSpan = 15 * time.Second // over which a rate in use is measured

	// statusGate is the name of the gate that isn't a region's.
	statusGate = "status.rate"
)

// Spans are those of a destination's windows.
var Spans = [...]time.Duration{hour, day, week}

// state is what something is, and since when.
type state struct {
	is   string
	from time.Time
}

// sum makes a view of what the replicas say at a time.
type sum struct {
	now     time.Time
	totals  *totals
	history *history
	before  map[string]state
	lasting map[string]state // what before will be the next time
	samples map[time.Time]sample
}

// lasts is since when something is as it is now.
func (s *sum) lasts(what, is string) time.Time {
	now := state{is, s.now}
	if b, ok := s.before[what]; ok && b.is == is {
		now = b
	}
	s.lasting[what] = now
	return now.from
}

// rose is by how much a counter rose between two times.
func (s *sum) rose(c counter, from, to time.Time) float64 {
	i, ok := s.totals.index[c]
	if !ok {
		return 0
	}
	end := s.totals.values[i]
	if to.Before(s.now) {
		end = s.at(i, to)
	}
	return max(0, end-s.at(i, from))
}

// at is a number at a time: where samples are younger, that of the first one.
func (s *sum) at(i int, t time.Time) float64 {
	sampled, ok := s.samples[t]
	if !ok {
		if sampled, ok = s.history.before(t); !ok {
			return s.totals.values[i]
		}
		s.samples[t] = sampled
	}
	return sampled.value(i)
}

func (s *sum) view(answers []answer) View {
	v := View{Told: true, At: s.now, Since: s.totals.since, Cut: len(s.totals.cut)}
	var up []*scrape
	for _, a := range answers {
		r := Replica{Address: a.address, Up: a.scrape != nil, Ready: a.ready, Why: a.why}
		is := "away"
		if a.scrape != nil {
			up = append(up, a.scrape)
			r.Version, is = a.scrape.version, "up"
			if a.ready {
				is = "ready"
			}
		}
		r.Since = s.lasts("replica "+a.address, is)
		v.Replicas = append(v.Replicas, r)
	}
	regions, places := map[string]bool{}, map[string]bool{}
	for _, u := range up {
		for name := range u.regions {
			regions[name] = true
		}
		for name := range u.places {
			places[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(regions)) {
		r := s.region(name, up)
		if name == statusGate {
			v.Asking = &r
			continue
		}
		v.Regions = append(v.Regions, r)
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		v.Destinations = append(v.Destinations, s.destination(name, up))
	}
	return v
}

func (s *sum) region(name string, up []*scrape) Region {
	r := Region{Name: name}
	senders := map[string]Sender{}
	for _, u := range up {
		g := u.regions[name]
		if g == nil {
			continue
		}
		r.Allowed += g.allowed
		r.InFlight += int(g.inFlight)
		r.InFlightLimit += int(g.limit)
		r.Waiting += int(g.waiting)
		r.Breaker = max(r.Breaker, g.breaker)
		if g.breaker > BreakerClosed {
			r.BreakerOpen++
		}
		for n, held := range g.senders {
			had := senders[n]
			senders[n] = Sender{n, had.Allowed + held.home - held.lent + held.borrowed, had.Wanted + held.wanted, had.Waiting + int(held.waiting)}
		}
	}
	if r.Breaker > BreakerClosed {
		r.BreakerSince = s.lasts("breaker "+name, "not closed")
	}
	for _, n := range slices.Sorted(maps.Keys(senders)) {
		r.Senders = append(r.Senders, senders[n])
	}
	requests := counter{metric: "engage_request_duration_seconds", of: name}
	if name == statusGate {
		requests = counter{metric: "engage_status_requests_total"}
	}
	from := s.now.Add(-nowSpan)
	if sampled, ok := s.history.before(from); ok {
		r.Used = s.rose(requests, from, s.now) / s.now.Sub(sampled.at).Seconds()
	}
	r.Throttled = int(s.rose(counter{metric: "engage_throttled_total", of: name}, s.now.Add(-hour), s.now))
	return r
}

func (s *sum) destination(name string, up []*scrape) Destination {
	d := Destination{Name: name}
	lag, lagAge, open := map[shard]float64{}, map[shard]float64{}, map[shard]float64{}
	held := map[string]float64{}
	var closed, pending, oldestPending float64
	for _, u := range up {
		g := u.places[name]
		if g == nil {
			continue
		}
		// A shard that moves has two owners' series for a moment.
		most(lag, g.lag)
		most(lagAge, g.lagAge)
		most(open, g.oldestOpen)
		for cause, n := range g.held {
			held[cause] += n
		}
		d.Shards += int(g.shards)
		d.Stuck += int(g.stuck)
		d.StandingBy += int(g.standingBy)
		d.SendersClosed = max(d.SendersClosed, int(g.sendersClosed))
		closed = max(closed, g.accountClosed)
		pending += g.pending
		oldestPending = max(oldestPending, g.oldestPending)
	}
	for at, n := range lag {
		if at.stream == "source" {
			d.Lag += int(n)
			d.LagAge = max(d.LagAge, seconds(lagAge[at]))
		} else {
			d.Retrying += int(n)
		}
	}
	for at, age := range open {
		if at.stream == "source" {
			d.OldestOpen = max(d.OldestOpen, seconds(age))
		}
	}
	d.Held = counts(held)
	if d.Shards == 0 {
		d.Unowned = s.lasts("shards "+name, "nobody's")
	}
	if held["dead_letter"]+held["retry"] > 0 {
		d.Unwritable = s.lasts("writing "+name, "held")
	}
	d.Pending, d.OldestPending = int(pending), seconds(oldestPending)
	if closed > 0 {
		d.AccountClosed = s.lasts("account "+name, "closed")
	}
	if d.SendersClosed > 0 {
		d.SendersSince = s.lasts("senders "+name, "closed")
	}
	lagged := counter{metric: "engage_lag_records", of: name}
	if i, ok := s.totals.index[lagged]; ok && s.now.Sub(s.totals.since) >= quarter {
		d.LagBefore, d.LagKnown = int(s.at(i, s.now.Add(-quarter))), true
	}
	s.totals.set(lagged, float64(d.Lag))
	for _, span := range Spans {
		d.Windows = append(d.Windows, s.window(name, span))
	}
	d.Flow = s.flow(name)
	return d
}

func most(all, of map[shard]float64) {
	for at, n := range of {
		all[at] = max(all[at], n)
	}
}

func seconds(n float64) time.Duration { return time.Duration(min(n, 1e9) * float64(time.Second)) }

// counts are those above zero, the largest first.
func counts(of map[string]float64) []Count {
	var all []Count
	for name, n := range of {
		if n >= 1 {
			all = append(all, Count{name, int(n)})
		}
	}
	slices.SortFunc(all, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Name, b.Name)) })
	return all
}

// window is what became of a destination's events in a span.
func (s *sum) window(name string, span time.Duration) Window {
	from := s.now.Add(-span)
	w := Window{Span: span, Since: from}
	if w.Since.Before(s.totals.since) {
		w.Since = s.totals.since
	}
	skipped, failed, status := map[string]float64{}, map[string]float64{}, map[string]float64{}
	var read, matched, sent, retried, dead float64
	for c := range s.totals.index {
		if c.of != name {
			continue
		}
		n := s.rose(c, from, s.now)
		switch c.metric {
		case "engage_records_read_total":
			if c.kind == "source" {
				read += n
			}
		case "engage_dead_letters_total":
			dead += n
			failed[c.reason] += n
		case "engage_messages_total":
			status[c.kind] += n
		case "engage_events_total":
			if c.action != "" {
				matched += n
			}
			switch c.kind {
			case "sent":
				sent += n
			case "retry":
				retried += n
			case "skipped":
				skipped[c.reason] += n
			}
		}
	}
	w.Read, w.Matched, w.Sent, w.Retried, w.Dead = int(read), int(matched), int(sent), int(retried), int(dead)
	w.Skipped, w.Failed, w.Status = counts(skipped), counts(failed), counts(status)
	return w
}

// flow is what became of a destination's messages lately.
func (s *sum) flow(name string) Flow {
	f := Flow{Destination: name}
	ago := func(d time.Duration) time.Time { return s.now.Add(-d) }
	recent := s.window(name, lately)
	f.Dead, f.Settled = recent.Failed, recent.Sent+recent.Dead
	status := func(kind string, from, to time.Duration) int {
		return int(s.rose(counter{metric: "engage_messages_total", of: name, kind: kind}, ago(from), ago(to)))
	}
	f.Accepted = status("accepted", quarter+lately, quarter)
	for _, c := range recent.Status {
		if c.Name != "accepted" {
			f.Further += c.N
		}
	}
	f.Delivered, f.DayDelivered = status("delivered", lately, 0), status("delivered", day, 0)
	for _, end := range []string{"delivered", "undelivered", "failed"} {
		f.Ended += status(end, lately, 0)
		f.DayEnded += status(end, day, 0)
	}
	return f
}
