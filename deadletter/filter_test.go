package deadletter

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

func TestFilter(t *testing.T) {
	r := full()
	for name, tc := range map[string]struct {
		filter Filter
		want   bool
	}{
		"empty":               {Filter{}, true},
		"all":                 {Filter{IDs: []string{r.ID()}, Reasons: []string{"expired", "opted_out"}, Dispositions: []Disposition{Permanent}, Destinations: []string{"onboarding"}, Actions: []string{"welcome-sms"}, Users: []string{"u-1"}, MessageIDs: []string{"m-1"}, Regions: []string{"us-west-2"}, Codes: []int{1, 21610}, Since: r.LastFailedAt, Until: r.LastFailedAt.Add(1), Contains: "track"}, true},
		"another id":          {Filter{IDs: []string{"x"}}, false},
		"another reason":      {Filter{Reasons: []string{"expired"}}, false},
		"another disposition": {Filter{Dispositions: []Disposition{Expired}}, false},
		"another destination": {Filter{Destinations: []string{"x"}}, false},
		"another action":      {Filter{Actions: []string{"x"}}, false},
		"another user":        {Filter{Users: []string{"x"}}, false},
		"another message":     {Filter{MessageIDs: []string{"x"}}, false},
		"another region":      {Filter{Regions: []string{"x"}}, false},
		"another code":        {Filter{Codes: []int{1}}, false},
		"since later":         {Filter{Since: r.LastFailedAt.Add(1)}, false},
		"until then":          {Filter{Until: r.LastFailedAt}, false},
		"in the message":      {Filter{Contains: "recipient opted"}, true},
		"nowhere":             {Filter{Contains: "TRUCK"}, false},
		"in another case":     {Filter{Contains: "TRACK"}, true},
		"an id's beginning":   {Filter{IDPrefix: r.ID()[:4]}, true},
		"not its beginning":   {Filter{IDPrefix: r.ID()[1:]}, false},
		"one of two fields":   {Filter{Reasons: []string{"opted_out"}, Users: []string{"x"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.filter.Match(r); got != tc.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestNewest(t *testing.T) {
	rs := letters(100, 3)
	rs[50].LastFailedAt = rs[51].LastFailedAt // a tie
	shuffled := append([]*Record(nil), rs...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(rs), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, n := range []int{0, 1, 7, 100, 200} {
		k := NewNewest(n)
		for _, r := range shuffled {
			k.Add(r)
		}
		var got, want []string
		for _, r := range k.Records() {
			got = append(got, r.MessageID)
			if r.Value != nil || r.Headers != nil {
				t.Fatal("keeps events")
			}
		}
		for i := 99; i >= max(0, 100-n); i-- {
			want = append(want, rs[i].MessageID)
		}
		if n >= 51 { // 50 is in partition 2, 51 in partition 0, both failed at once
			want[48], want[49] = "m-51", "m-50"
		}
		if !reflect.DeepEqual(got, want) || k.Seen() != 100 {
			t.Errorf("n = %d: %v (of %d), want %v", n, got, k.Seen(), want)
		}
	}
}

func TestStats(t *testing.T) {
	s := NewStats(ByReason, ByCode, ByHour, ByDay, ByRegion)
	for i, r := range letters(130, 1) {
		if i < 30 {
			r.Reason, r.TwilioCode, r.Region = "expired", 0, ""
		}
		if i >= 10 {
			r.Replays = 0
		}
		s.Add(r)
	}
	if s.Total != 130 || s.Replayed != 10 || !s.Oldest.Equal(at("2026-03-01T00:00:00Z")) || !s.Newest.Equal(at("2026-03-01T02:09:00Z")) {
		t.Errorf("%+v", s)
	}
	for d, want := range map[Dimension][]Count{
		ByReason: {{"opted_out", 100}, {"expired", 30}},
		ByCode:   {{"21610", 100}, {"", 30}},
		ByHour:   {{"2026-03-01T00:00Z", 60}, {"2026-03-01T01:00Z", 60}, {"2026-03-01T02:00Z", 10}},
		ByDay:    {{"2026-03-01", 130}},
		ByRegion: {{"us-west-2", 100}, {"", 30}},
		ByAction: nil,
	} {
		if got := s.Counts(d); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", d, got, want)
		}
	}
}
