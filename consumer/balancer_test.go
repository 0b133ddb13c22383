package consumer

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

func TestAssignShards(t *testing.T) {
	for _, c := range []struct {
		name   string
		owned  map[string][]int
		shards int
		want   map[string][]int
	}{
		{"alone", map[string][]int{"a": nil}, 3, map[string][]int{"a": {0, 1, 2}}},
		{"one joins", map[string][]int{"a": {0, 1, 2, 3, 4, 5}, "b": nil}, 6, map[string][]int{"a": {0, 1, 2}, "b": {3, 4, 5}}},
		{"one left", map[string][]int{"b": {2, 3}, "c": {4, 5}}, 6, map[string][]int{"b": {0, 2, 3}, "c": {1, 4, 5}}},
		{"both claim", map[string][]int{"a": {0, 1}, "b": {0, 1}}, 2, map[string][]int{"a": {0}, "b": {1}}},
		{"more members than shards", map[string][]int{"a": nil, "b": {0}, "c": nil}, 1, map[string][]int{"a": nil, "b": {0}, "c": nil}},
		{"partitions added", map[string][]int{"a": {0}, "b": {1}}, 4, map[string][]int{"a": {0, 2}, "b": {1, 3}}},
		{"owned shard is gone", map[string][]int{"a": {7}, "b": nil}, 2, map[string][]int{"a": {0}, "b": {1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := assignShards(c.owned, seq(c.shards))
			if !maps.EqualFunc(got, c.want, slices.Equal) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAssignShardsIsEvenAndSticky(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "shards")
		before := map[string][]int{}
		for i := range rapid.IntRange(1, 12).Draw(t, "members") {
			before[fmt.Sprintf("m%02d", i)] = nil
		}
		first := assignShards(before, seq(n))
		again := assignShards(first, seq(n))
		if !maps.EqualFunc(first, again, slices.Equal) {
			t.Fatalf("nothing changed, but %v became %v", first, again)
		}
		first["new"] = nil
		moved := assignShards(first, seq(n))
		for m, shards := range moved {
			if m == "new" {
				continue
			}
			for _, s := range shards {
				if !slices.Contains(first[m], s) {
					t.Fatalf("shard %d moved to %s, which isn't new", s, m)
				}
			}
		}
		var all []int
		low, high := n, 0
		for _, shards := range moved {
			all = append(all, shards...)
			low, high = min(low, len(shards)), max(high, len(shards))
		}
		slices.Sort(all)
		if !slices.Equal(all, seq(n)) {
			t.Fatalf("not each shard once: %v", moved)
		}
		if high-low > 1 {
			t.Fatalf("uneven: %v", moved)
		}
	})
}

func TestBalancerKeepsAShardTogether(t *testing.T) {
	var partitions []kafka.Partition
	for _, topic := range []string{"events", "events.retry"} {
		for id := range 4 {
			partitions = append(partitions, kafka.Partition{Topic: topic, ID: id})
		}
	}
	partitions = append(partitions, kafka.Partition{Topic: "events", ID: 4}) // the retry topic hasn't grown yet
	b := &balancer{}
	topics := []string{"events", "events.retry"}
	b.setOwned([]int{3}, 1)
	data, err := b.UserData()
	if err != nil {
		t.Fatal(err)
	}
	got := b.AssignGroups([]kafka.GroupMember{{ID: "a", Topics: topics}, {ID: "b", Topics: topics, UserData: data}}, partitions)
	want := kafka.GroupMemberAssignments{
		"a": {"events": {0, 1}, "events.retry": {0, 1}},
		"b": {"events": {2, 3}, "events.retry": {2, 3}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

func seq(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

// TestTheLeaderKnowsWhatItAssigned: until it joins again, whether it leads then
// or not.
func TestTheLeaderKnowsWhatItAssigned(t *testing.T) {
	b := balancer{source: "source"}
	topics := []string{"source", "retry", "ledger"}
	b.setOwned([]int{1}, 1)
	data, err := b.UserData()
	if err != nil {
		t.Fatal(err)
	}
	if _, led := b.leads(); led {
		t.Error("leads before it assigned anything")
	}
	var partitions []kafka.Partition
	for _, topic := range []string{"source", "retry", "ledger"} {
		for id := range 3 {
			if topic != "ledger" || id < 2 { // it lags behind
				partitions = append(partitions, kafka.Partition{Topic: topic, ID: id})
			}
		}
	}
	got := b.AssignGroups([]kafka.GroupMember{{ID: "a", Topics: topics}, {ID: "b", Topics: topics, UserData: data}, {ID: "c", Topics: topics, UserData: []byte("of another version")}}, partitions)
	for member, want := range map[string][]int{"a": {0}, "b": {1}, "c": nil} {
		for _, topic := range []string{"source", "retry", "ledger"} {
			if shards := got[member][topic]; !slices.Equal(shards, want) {
				t.Errorf("%s has %v of %s, want %v", member, shards, topic, want)
			}
		}
	}
	if split, led := b.leads(); split != 2 || !led {
		t.Errorf("it assigned %d shards, %t; want 2", split, led)
	}
	b.AssignGroups([]kafka.GroupMember{{ID: "a", Topics: topics}}, nil) // no topic is there
	if split, led := b.leads(); split != 0 || !led {
		t.Errorf("it assigned %d shards, %t; want none", split, led)
	}
	if _, err := b.UserData(); err != nil {
		t.Fatal(err)
	}
	if _, led := b.leads(); led {
		t.Error("leads though it joins anew")
	}
}

// TestAGroupWithTwoSources: each is wholly read by those that want it, and the
// leader says that there are two.
func TestAGroupWithTwoSources(t *testing.T) {
	var partitions []kafka.Partition
	for topic, n := range map[string]int{"events": 4, "events.ledger": 4, "staging": 2, "staging.ledger": 2} {
		for id := range n {
			partitions = append(partitions, kafka.Partition{Topic: topic, ID: id})
		}
	}
	var told []string
	b := &balancer{source: "events", others: func(sources []string) { told = sources }}
	got := b.AssignGroups([]kafka.GroupMember{
		{ID: "a", Topics: []string{"events", "events.ledger"}},
		{ID: "b", Topics: []string{"staging", "staging.ledger"}},
		{ID: "c", Topics: []string{"events", "events.ledger"}},
	}, partitions)
	want := kafka.GroupMemberAssignments{
		"a": {"events": {0, 2}, "events.ledger": {0, 2}},
		"b": {"staging": {0, 1}, "staging.ledger": {0, 1}},
		"c": {"events": {1, 3}, "events.ledger": {1, 3}},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if split, _ := b.leads(); split != 4 {
		t.Errorf("the leader's own source has %d shards, want 4", split)
	}
	if !slices.Equal(told, []string{"events", "staging"}) {
		t.Errorf("told of %v", told)
	}
}
