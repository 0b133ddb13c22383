package store

import (
	"slices"
	"sort"

	"engage-worker/deadletter"
)

// choice is a filter as rows are asked it, but for the text that Contains names.
type choice struct {
	nothing                                      bool // whatever the rows are
	any                                          bool // all that failed in time
	from, to                                     int  // rows that failed in time
	reasons, dispositions, destinations, actions set[text]
	regions                                      set[text]
	users, messages                              set[uint64]
	codes                                        set[int32]
	states                                       uint // bits by stateIndex; 0: any
	ids                                          map[rowID]bool
	prefix                                       string // of the id
}

type rowID struct {
	id  uint64
	odd bool
}

// set is what may be; none: anything.
type set[T comparable] []T

func (s set[T]) lacks(v T) bool {
	return len(s) > 0 && !slices.Contains(s, v)
}

// choose is a filter for the rows as they are now. The caller holds the lock.
func (s *Store) choose(f *deadletter.Filter) *choice {
	c := &choice{to: len(s.rows), prefix: f.IDPrefix}
	if !f.Since.IsZero() {
		since := nanoseconds(f.Since)
		c.from = sort.Search(len(s.rows), func(i int) bool { return s.rows[i].failed >= since })
	}
	if !f.Until.IsZero() {
		until := nanoseconds(f.Until)
		c.to = sort.Search(len(s.rows), func(i int) bool { return s.rows[i].failed >= until })
	}
	c.reasons, c.destinations = c.named(s, f.Reasons), c.named(s, f.Destinations)
	c.actions, c.regions = c.named(s, f.Actions), c.named(s, f.Regions)
	var kinds []string
	for _, d := range f.Dispositions {
		kinds = append(kinds, string(d))
	}
	c.dispositions = c.named(s, kinds)
	for _, user := range f.Users {
		c.users = append(c.users, s.hash(user))
	}
	for _, id := range f.MessageIDs {
		c.messages = append(c.messages, s.hash(id))
	}
	for _, code := range f.Codes {
		if int(int32(code)) == code {
			c.codes = append(c.codes, int32(code))
		}
	}
	for _, state := range f.States {
		c.states |= 1 << indexOf(state) // of an unknown one bit 0, which no row has
	}
	c.nothing = c.nothing || len(f.Codes) > 0 && len(c.codes) == 0
	c.chooseIDs(s, f)
	c.any = c.states == 0 && c.ids == nil && c.prefix == "" && len(c.reasons)+len(c.codes)+len(c.destinations)+len(c.actions)+
		len(c.regions)+len(c.dispositions)+len(c.users)+len(c.messages) == 0
	return c
}

// named are the places of names; of names that no row has, it is nothing.
func (c *choice) named(s *Store, names []string) (places set[text]) {
	for _, name := range names {
		if n, ok := s.texts.index[name]; ok {
			places = append(places, n)
		}
	}
	c.nothing = c.nothing || len(names) > 0 && len(places) == 0
	return places
}

func (c *choice) chooseIDs(s *Store, f *deadletter.Filter) {
	if len(f.IDs) > 0 {
		c.ids = map[rowID]bool{}
		for _, id := range f.IDs {
			if n, ok := parseID(id); ok {
				c.ids[rowID{n, false}] = true
			} else if n, ok := s.texts.index[id]; ok {
				c.ids[rowID{uint64(n), true}] = true
			}
		}
	}
}

// match reports whether a row between from and to is chosen.
func (c *choice) match(s *Store, r *row) bool {
	switch {
	case c.any:
		return true
	case c.states != 0 && c.states&(1<<r.state) == 0,
		c.reasons.lacks(r.reason), c.codes.lacks(r.code), c.destinations.lacks(r.destination), c.actions.lacks(r.action),
		c.regions.lacks(r.region), c.dispositions.lacks(r.disposition), c.users.lacks(r.user), c.messages.lacks(r.message):
		return false
	case c.ids != nil && !c.ids[rowID{r.id, r.odd}]:
		return false
	}
	return c.prefix == "" || s.idBegins(r, c.prefix)
}

// newest calls each for the chosen rows, newest first, until it returns false. The
// caller holds the lock.
func (s *Store) newest(c *choice, each func(*row) bool) {
	if c.nothing {
		return
	}
	for i := c.to - 1; i >= c.from; i-- {
		if r := &s.rows[i]; c.match(s, r) && !each(r) {
			return
		}
	}
}
