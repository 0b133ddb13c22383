package status

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Due is a message of which Twilio is to be asked.
type Due struct {
	Known
	follower *Follower
	entry    entry
}

// Survey is what a look through the index found.
type Survey struct {
	Pending int
	Oldest  time.Time // when the oldest of them was accepted; zero without one
	due     []entry
}

// survey looks through the index: it forgets what ended a while ago, notes what
// needn't be read again, and chooses up to most messages that are due, those
// whose records come first.
func (f *Follower) survey(now time.Time, most int) Survey {
	f.mu.Lock()
	defer f.mu.Unlock()
	at := ticksOf(now)
	s := Survey{Pending: f.pending}
	position := f.next
	if f.overflow >= 0 {
		position = min(position, f.overflow)
	}
	var ended []entry
	for e := range f.index.table.All() {
		if e.state().Final() {
			if e.next <= at {
				ended = append(ended, e)
			}
			continue
		}
		position = min(position, e.offset())
		if accepted := f.schedule.accepted(e); s.Oldest.IsZero() || accepted.Before(s.Oldest) {
			s.Oldest = accepted
		}
		if e.next <= at {
			s.due = append(s.due, e)
		}
	}
	for _, e := range ended {
		f.remove(e)
	}
	if position >= 0 {
		f.position = position
	}
	slices.SortFunc(s.due, func(a, b entry) int { return cmp.Compare(a.where, b.where) })
	s.due = s.due[:min(len(s.due), most)]
	return s
}

// due reads the records of what a survey found due. Those that aren't in the
// topic any more are forgotten.
func (f *Follower) due(ctx context.Context, s Survey) ([]Due, error) {
	if len(s.due) == 0 {
		return nil, nil
	}
	found, err := f.read(ctx, s.due)
	if err != nil {
		return nil, err
	}
	var all []Due
	for _, e := range s.due {
		at, ok := found[e.offset()]
		if !ok {
			f.forget(e)
			continue
		}
		all = append(all, Due{Known: at, follower: f, entry: e})
	}
	return all, nil
}

// forget takes an entry out unless it has changed.
func (f *Follower) forget(e entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now, ok := f.index.table.Get(e); ok && now.where == e.where {
		f.remove(e)
	}
}

// asked notes that Twilio was asked of messages, and what it said brought them no
// further. Records that lie far behind the topic's end are written again, so
// that the next owner needn't read from there.
func (f *Follower) asked(due []Due, now time.Time) {
	f.mu.Lock()
	end := f.next
	var behind []*Due
	for i := range due {
		e, ok := f.index.table.Get(due[i].entry)
		if !ok || e.where != due[i].entry.where {
			continue // there was news of it
		}
		e = f.schedule.asked(e, now)
		f.index.table.Put(e)
		if end-e.offset() > carryBehind {
			due[i].entry = e
			behind = append(behind, &due[i])
		}
	}
	f.mu.Unlock()
	for _, d := range behind {
		f.enqueue(d.Key, &d.Record, d.entry)
	}
}

// carryBehind is how many records may lie between a pending one and the
// topic's end: about what a new owner reads in a few seconds.
const carryBehind = 500_000

// refill reads in what had no room, once there is some.
func (f *Follower) refill(ctx context.Context) error {
	f.mu.Lock()
	from, end := f.overflow, f.next
	if from < 0 || end < 0 || !f.parts.Room.ample() {
		f.mu.Unlock()
		return nil
	}
	f.overflow = -1 // put notes it anew
	f.mu.Unlock()
	if err := f.fold(ctx, from, end, true); err != nil {
		f.mu.Lock()
		if f.overflow < 0 || from < f.overflow {
			f.overflow = from
		}
		f.mu.Unlock()
		return err
	}
	return nil
}
