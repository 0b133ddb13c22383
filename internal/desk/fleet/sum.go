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

	// statusGate is the name of the gate that isn't a region's: of the requests that ask
	// what became of messages.
	statusGate = "status.rate"
)

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
	v := View{Told: true, At: s.now, Since: s.totals.since, Replicas: []Replica{}, Regions: []Region{}, Destinations: []Destination{}}
	regions, places := map[string][][]gauge{}, map[string][][]gauge{} // of each, the replicas'
	for _, a := range answers {
		r := Replica{Address: a.address, Up: a.scrape != nil, Ready: a.ready, Why: a.why}
		is := "away"
		if a.scrape != nil {
			r.Version, is = a.scrape.version, "up"
			if a.ready {
				is = "ready"
			}
			for name, gauges := range a.scrape.regions {
				regions[name] = append(regions[name], gauges)
			}
			for name, gauges := range a.scrape.places {
				places[name] = append(places[name], gauges)
			}
		}
		r.Since = s.lasts("replica "+a.address, is)
		v.Replicas = append(v.Replicas, r)
	}
	delete(regions, statusGate)
	for _, name := range slices.Sorted(maps.Keys(regions)) {
		v.Regions = append(v.Regions, s.region(name, slices.Concat(regions[name]...)))
	}
	for _, name := range slices.Sorted(maps.Keys(places)) {
		v.Destinations = append(v.Destinations, s.destination(name, slices.Concat(places[name]...)))
	}
	return v
}

// holds is how the parts of a sender's rate count for what a replica holds of it.
var holds = map[string]float64{"home": 1, "borrowed": 1, "lent": -1}

func (s *sum) region(name string, gauges []gauge) Region {
	r := Region{Name: name}
	senders := map[string]*Sender{}
	of := func(sender string) *Sender {
		if senders[sender] == nil {
			senders[sender] = &Sender{Name: sender}
		}
		return senders[sender]
	}
	for _, g := range gauges {
		switch g.metric {
		case "engage_breaker_state":
			if g.value == 0 || g.value == 1 || g.value == 2 {
				r.Breaker = max(r.Breaker, BreakerClosed+Breaker(g.value))
			}
		case "engage_rate_limit_messages_per_second":
			r.Allowed += g.value
		case "engage_in_flight_requests":
			r.InFlight += int(g.value)
		case "engage_in_flight_limit_requests":
			r.InFlightLimit += int(g.value)
		case "engage_gate_waiting":
			if g.sender == "" {
				r.Waiting += int(g.value)
			} else {
				of(g.sender).Waiting += int(g.value)
			}
		case "engage_rate_slots":
			if g.sender != "" {
				of(g.sender).Allowed += holds[g.whose] * g.value
			}
		}
	}
	if r.Breaker > BreakerClosed {
		r.BreakerSince = s.lasts("breaker "+name, "not closed")
	}
	for _, n := range slices.Sorted(maps.Keys(senders)) {
		r.Senders = append(r.Senders, *senders[n])
	}
	from := s.now.Add(-nowSpan)
	if sampled, ok := s.history.before(from); ok {
		r.Used = s.rose(counter{metric: "engage_request_duration_seconds", of: name}, from, s.now) / s.now.Sub(sampled.at).Seconds()
	}
	r.Throttled = int(s.rose(counter{metric: "engage_throttled_total", of: name}, s.now.Add(-hour), s.now))
	return r
}

// shard is a partition of the source, or of a retry topic.
type shard struct{ stream, partition string }

func (s *sum) destination(name string, gauges []gauge) Destination {
	d := Destination{Name: name}
	lag, held := map[shard]float64{}, map[string]float64{}
	var shards, closed, pending, open float64
	for _, g := range gauges {
		switch g.metric {
		case "engage_lag_records": // a shard that moves has two owners' series for a moment
			at := shard{g.stream, g.partition}
			lag[at] = max(lag[at], g.value)
		case "engage_oldest_open_seconds":
			if g.stream == "source" {
				open = max(open, g.value)
			}
		case "engage_held_deliveries":
			held[g.cause] += g.value
		case "engage_shards":
			shards += g.value
		case "engage_stuck_shards":
			d.Stuck += int(g.value)
		case "engage_account_closed":
			closed = max(closed, g.value)
		case "engage_senders_closed":
			d.SendersClosed = max(d.SendersClosed, int(g.value))
		case "engage_messages_pending":
			pending += g.value
		}
	}
	for at, n := range lag {
		if at.stream == "source" {
			d.Lag += int(n)
		} else {
			d.Retrying += int(n)
		}
	}
	d.OldestOpen = time.Duration(min(open, 1e9) * float64(time.Second))
	d.OldestSeconds = d.OldestOpen.Seconds()
	d.Held, d.Pending = counts(held), int(pending)
	if shards == 0 {
		d.Unowned = s.lasts("shards "+name, "nobody's")
	}
	if held["dead_letter"]+held["retry"] > 0 {
		d.Unwritable = s.lasts("writing "+name, "held")
	}
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
	d.Windows = Windows{}
	for _, span := range []time.Duration{hour, day, week} {
		d.Windows[span] = s.window(name, span)
	}
	d.Flow = s.flow(name)
	return d
}

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
	w := Window{Since: from}
	if w.Since.Before(s.totals.since) {
		w.Since = s.totals.since
	}
	skipped := map[string]float64{}
	matched := 0.0
	for c := range s.totals.index {
		if c.of != name || c.metric != "engage_events_total" {
			continue
		}
		n := s.rose(c, from, s.now)
		if c.action != "" {
			matched += n
		}
		if c.kind == "skipped" {
			skipped[c.reason] += n
		}
	}
	w.Read = int(s.rose(counter{metric: "engage_records_read_total", of: name, kind: "source"}, from, s.now))
	w.Matched, w.Skipped = int(matched), counts(skipped)
	return w
}

// flow is what became of a destination's messages lately.
func (s *sum) flow(name string) Flow {
	f := Flow{Destination: name}
	ago := func(d time.Duration) time.Time { return s.now.Add(-d) }
	dead := map[string]float64{}
	var settled, further float64
	for c := range s.totals.index {
		if c.of != name {
			continue
		}
		switch n := s.rose(c, ago(lately), s.now); {
		case c.metric == "engage_dead_letters_total":
			dead[c.reason] += n
			settled += n
		case c.metric == "engage_events_total" && c.kind == "sent":
			settled += n
		case c.metric == "engage_messages_total" && c.kind != "accepted":
			further += n
		}
	}
	f.Dead, f.Settled, f.Further = counts(dead), int(settled), int(further)
	status := func(kind string, from, to time.Duration) int {
		return int(s.rose(counter{metric: "engage_messages_total", of: name, kind: kind}, ago(from), ago(to)))
	}
	f.Accepted = status("accepted", quarter+lately, quarter)
	f.Delivered, f.DayDelivered = status("delivered", lately, 0), status("delivered", day, 0)
	for _, end := range []string{"delivered", "undelivered", "failed"} {
		f.Ended += status(end, lately, 0)
		f.DayEnded += status(end, day, 0)
	}
	return f
}
