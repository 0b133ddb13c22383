package messages

import (
	"slices"
	"strings"
	"time"

	"engage-worker/consumer/status"
	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/packed"
)

// message is what a status topic says of a message.
type message struct {
	delivery uint64 // hash of its key
	offset   uint32 // in its partition, the last bits
	accepted uint32 // Unix seconds
	eventLow uint32 // the event's offset, the last bits, and
	action   uint16 // index into Messages.actions
	eventTop uint8  // those before them
	state    status.State
}

func (m message) Empty() bool           { return m.delivery == 0 }
func (m message) Hash() uint64          { return m.delivery }
func (m message) Same(n message) bool   { return m.delivery == n.delivery }
func (m message) event() int64          { return int64(m.eventTop)<<32 | int64(m.eventLow) }
func (m message) before(end int64) bool { return int32(m.offset-uint32(end)) < 0 }

const (
	// window is how old messages may be that are counted: what a Funnel looks
	// back, and as much as shows the last hours of that whole.
	window = 7*24*time.Hour + 2*time.Hour

	// minutesKept is for how long they are counted by the minute.
	minutesKept = 25 * time.Hour

	// slack is the part of the bound by which there may be more.
	slack = 64

	// mostActions bounds how many actions are counted apart.
	mostActions = 4096
)

// Messages are those of all status topics. Make it with New.
type Messages struct {
	present func(destination, action string) string
	most    int // that are kept

	tables  map[part]*packed.Table[message]
	actions []*action
	index   map[actionName]uint16
	n       int
	oldest  int64 // Unix seconds: none is older
	minute  int64 // Unix seconds: minutes before then aren't counted
	changed bool
}

// part is a partition of a topic.
type part struct {
	topic     string
	partition int
}

// New keeps at most so many messages, by their actions' present names, as of now.
func New(present func(destination, action string) string, most int, now time.Time) *Messages {
	m := &Messages{present: present, most: most, tables: map[part]*packed.Table[message]{}, index: map[actionName]uint16{}}
	m.Clean(now)
	return m
}

// Len is how many there are.
func (m *Messages) Len() int { return m.n }

// Changed reports whether there is something new since it was last asked.
func (m *Messages) Changed() bool {
	changed := m.changed
	m.changed = false
	return changed
}

type actionName struct{ destination, action string }

// counts are messages by their states.
type counts [status.Canceled + 1]int32

// action counts the messages of one action by when they were accepted.
type action struct {
	actionName
	minutes, hours map[int64]*counts // by their beginning, in Unix seconds
	segments, of   int64             // of messages whose segments are known
}

// Said is as much of a status record as counts.
type Said struct {
	action     string
	delivery   uint64
	offset     int64
	there      bool // false: nothing is there any more
	state      status.State
	segments   int
	acceptedAt time.Time
	event      int64
}

// Parse reads a block of a destination's status topic; delivery hashes a record's key.
// It is safe for concurrent use.
func (m *Messages) Parse(destination string, delivery func(destination string, key []byte) uint64, block []records.Record) []Said {
	all := make([]Said, 0, len(block))
	for i := range block {
		r := &block[i]
		one := Said{delivery: delivery(destination, r.Key), offset: r.Offset}
		if r.Value == nil {
			all = append(all, one)
			continue
		}
		v, err := status.ParseRecord(r.Value)
		if err != nil {
			continue
		}
		name, _, _ := strings.Cut(string(r.Key), "\x00")
		one.event, one.there, one.action, one.state, one.segments = v.Position.Offset, true, m.present(destination, name), v.Status, v.Segments
		if one.acceptedAt = v.AcceptedAt; one.acceptedAt.IsZero() {
			one.acceptedAt = r.Time
		}
		all = append(all, one)
	}
	return all
}

// Take takes in what a partition of a destination's status topic says.
func (m *Messages) Take(destination, topic string, partition int, all []Said, now time.Time) {
	at := part{topic, partition}
	table := m.tables[at]
	if table == nil {
		table = new(packed.Table[message])
		m.tables[at] = table
	}
	soon := now.Add(time.Hour).Unix() // a clock may be ahead, and not by years
	for i := range all {
		said := &all[i]
		m.changed = true
		before, known := table.Get(message{delivery: said.delivery})
		if known {
			m.count(before, -1)
		}
		accepted := min(said.acceptedAt.Unix(), soon)
		if !said.there || accepted < m.oldest {
			if known {
				table.Remove(before)
				m.n--
			}
			continue
		}
		action, ok := m.action(actionName{destination, said.action})
		if !ok {
			continue
		}
		latest := message{
			delivery: said.delivery, offset: uint32(said.offset), accepted: uint32(accepted), action: action, state: said.state,
			eventLow: uint32(said.event), eventTop: uint8(said.event >> 32),
		}
		if !known {
			m.n++
		}
		table.Put(latest)
		m.count(latest, 1)
		if a := m.actions[action]; said.segments > 0 {
			a.segments, a.of = a.segments+int64(said.segments), a.of+1
		}
	}
	if m.n > m.most+m.most/slack {
		m.Clean(now)
	}
}

func (m *Messages) action(name actionName) (uint16, bool) {
	n, ok := m.index[name]
	if !ok {
		if len(m.actions) == mostActions {
			return 0, false
		}
		n = uint16(len(m.actions))
		m.index[name] = n
		m.actions = append(m.actions, &action{actionName: name, minutes: map[int64]*counts{}, hours: map[int64]*counts{}})
	}
	return n, true
}

// count counts a message in, or out again.
func (m *Messages) count(one message, by int32) {
	a, at := m.actions[one.action], int64(one.accepted)
	add := func(to map[int64]*counts, length int64) {
		from := at - at%length
		c := to[from]
		if c == nil {
			c = new(counts)
			to[from] = c
		}
		c[one.state] += by
	}
	add(a.hours, 3600)
	if at >= m.minute {
		add(a.minutes, 60)
	}
}

// Of is what a partition of a status topic says of a delivery's message.
func (m *Messages) Of(topic string, partition int, delivery uint64) (deadletter.Message, bool) {
	table := m.tables[part{topic, partition}]
	if table == nil {
		return deadletter.Message{}, false
	}
	one, ok := table.Get(message{delivery: delivery})
	return deadletter.Message{
		Delivered: one.state == status.Delivered || one.state == status.Read,
		Failed:    one.state.Failure() || one.state == status.Canceled,
		Offset:    one.event(),
	}, ok
}

// Gone forgets what lies before an offset of a partition.
func (m *Messages) Gone(topic string, partition int, first int64) {
	if table := m.tables[part{topic, partition}]; table != nil {
		m.remove(table, func(one message) bool { return one.before(first) })
	}
}

func (m *Messages) remove(table *packed.Table[message], which func(message) bool) {
	var gone []message
	for one := range table.All() {
		if which(one) {
			gone = append(gone, one)
		}
	}
	for _, one := range gone {
		table.Remove(one)
		m.count(one, -1)
	}
	m.n -= len(gone)
	m.changed = m.changed || len(gone) > 0
}

// Clean forgets what is too old to be counted, and the oldest hours beyond the
// bound.
func (m *Messages) Clean(now time.Time) {
	minute := now.Add(-minutesKept).Unix()
	m.minute = minute - minute%60
	hour := now.Add(-window).Unix()
	oldest := max(m.oldest, hour-hour%3600)
	if m.n > m.most+m.most/slack {
		oldest = max(oldest, m.oldestWithin(m.most))
	}
	if oldest > m.oldest {
		m.oldest = oldest
		for _, table := range m.tables {
			m.remove(table, func(one message) bool { return int64(one.accepted) < oldest })
		}
	}
	for _, a := range m.actions {
		for at := range a.minutes {
			if at < m.minute {
				delete(a.minutes, at)
			}
		}
		for at := range a.hours {
			if at < m.oldest-m.oldest%3600 {
				delete(a.hours, at)
			}
		}
	}
}

// oldestWithin is from when on there are at most so many.
func (m *Messages) oldestWithin(most int) int64 {
	hours := map[int64]int{}
	for _, a := range m.actions {
		for at, c := range a.hours {
			for _, n := range c {
				hours[at] += int(n)
			}
		}
	}
	var starts []int64
	for at := range hours {
		starts = append(starts, at)
	}
	slices.Sort(starts)
	n := 0
	for _, start := range slices.Backward(starts) {
		if n += hours[start]; n > most {
			return start + 3600
		}
	}
	return 0
}
