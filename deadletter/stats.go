package deadletter

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// Dimension is something that dead letters are counted by.
type Dimension string

const (
	ByState       Dimension = "state"
	ByReason      Dimension = "reason"
	ByDisposition Dimension = "disposition"
	ByDestination Dimension = "destination"
	ByAction      Dimension = "action"
	ByRegion      Dimension = "region"
	ByCode        Dimension = "code"
	ByUser        Dimension = "user"
	ByHour        Dimension = "hour" // of the failure, in the location
	ByDay         Dimension = "day"
)

// Dimensions are all of them.
func Dimensions() []Dimension {
	return []Dimension{ByState, ByReason, ByDisposition, ByDestination, ByAction, ByRegion, ByCode, ByUser, ByHour, ByDay}
}

// Chronological reports that the values are times, to be shown in their order.
func (d Dimension) Chronological() bool { return d == ByHour || d == ByDay }

// Stats counts dead letters. It is not safe for concurrent use.
type Stats struct {
	Total    int
	Replayed int // of them, died again after a replay
	Oldest   time.Time
	Newest   time.Time

	// Location is whose hours and days are counted: set it before the first
	// Add; nil is UTC.
	Location *time.Location

	dimensions []Dimension
	names      []map[string]int
	codes      map[int]int
	hours      map[int64]int // by their beginning, in Unix seconds
}

// maxValues bounds how many values a dimension keeps apart, should somebody
// fill the topic with ever new ones; Other counts the rest.
const maxValues = 10_000

// Other is the value under which the rest is counted.
const Other = "(other)"

// NewStats counts by the given dimensions.
func NewStats(dimensions ...Dimension) *Stats {
	s := &Stats{dimensions: dimensions, codes: map[int]int{}, hours: map[int64]int{}}
	s.names = make([]map[string]int, len(dimensions))
	for i := range s.names {
		s.names[i] = map[string]int{}
	}
	return s
}

// Add counts r.
func (s *Stats) Add(r *Record) {
	s.Total++
	if r.Replays > 0 {
		s.Replayed++
	}
	failed := r.FailedAt()
	if s.Oldest.IsZero() || failed.Before(s.Oldest) {
		s.Oldest = failed
	}
	if failed.After(s.Newest) {
		s.Newest = failed
	}
	hour := s.hour(failed)
	if _, known := s.hours[hour]; known || len(s.hours) < maxValues {
		s.hours[hour]++
	}
	s.codes[s.code(r.TwilioCode)]++
	for i, d := range s.dimensions {
		switch d {
		case ByState:
			if r.State != "" {
				s.count(i, string(r.State))
			}
		case ByReason:
			s.count(i, r.Reason)
		case ByDisposition:
			s.count(i, string(r.Disposition))
		case ByDestination:
			s.count(i, r.Destination)
		case ByAction:
			s.count(i, r.Action)
		case ByRegion:
			s.count(i, r.Region)
		case ByUser:
			s.count(i, r.UserID)
		}
	}
}

// AddState counts letters by their state, which Add counts only where it is known.
func (s *Stats) AddState(state State, n int) {
	if i := slices.Index(s.dimensions, ByState); i >= 0 && n > 0 {
		s.names[i][string(state)] += n
	}
}

func (s *Stats) local(t time.Time) time.Time {
	if s.Location == nil {
		return t.UTC()
	}
	return t.In(s.Location)
}

// hour is when the hour of t begins. Zones may be off by parts of an hour.
func (s *Stats) hour(t time.Time) int64 {
	_, offset := s.local(t).Zone()
	into := (t.Unix() + int64(offset)) % 3600
	return t.Unix() - (into+3600)%3600
}

// code is n, or -1 once there are too many.
func (s *Stats) code(n int) int {
	if _, known := s.codes[n]; known || len(s.codes) < maxValues {
		return n
	}
	return -1
}

func (s *Stats) count(i int, value string) {
	values := s.names[i]
	if _, known := values[value]; !known && len(values) >= maxValues {
		value = Other
	}
	values[value]++
}

// Count is how many dead letters have a value. An empty Value means that the
// fact is unknown.
type Count struct {
	Value string `json:"name"`
	N     int    `json:"n"`
}

// Counts are a dimension's, most first, or in the order of time. It is nil
// for a dimension that wasn't asked for.
func (s *Stats) Counts(d Dimension) []Count {
	i := slices.Index(s.dimensions, d)
	if i < 0 {
		return nil
	}
	counts := []Count{}
	switch d {
	case ByCode:
		for code, n := range s.codes {
			counts = append(counts, Count{codeName(code), n})
		}
	case ByHour:
		for hour, n := range s.hours {
			counts = append(counts, Count{s.local(time.Unix(hour, 0)).Format("2006-01-02T15:04Z07:00"), n})
		}
	case ByDay:
		days := map[string]int{}
		for hour, n := range s.hours {
			days[s.local(time.Unix(hour, 0)).Format(time.DateOnly)] += n
		}
		for day, n := range days {
			counts = append(counts, Count{day, n})
		}
	default:
		for value, n := range s.names[i] {
			counts = append(counts, Count{value, n})
		}
	}
	slices.SortFunc(counts, func(a, b Count) int {
		if d.Chronological() {
			return cmp.Compare(a.Value, b.Value)
		}
		return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value))
	})
	return counts
}

func codeName(code int) string {
	switch code {
	case 0:
		return ""
	case -1:
		return Other
	}
	return strconv.Itoa(code)
}
