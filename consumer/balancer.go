package consumer

import (
	"cmp"
	"maps"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// balancer assigns whole shards: a partition number of all the topics that go
// with a source goes to one member. Members keep what they own as far as an even
// split allows, so that a rebalance moves few ledgers.
//
// Members of one group may read different sources, while a rollout changes the
// topic, or by mistake. Each source is then split among those that read it.
//
// Each member says in its join request which shards it owns, since which
// generation, and a fingerprint of its actions and settings: shards go to
// members of one fingerprint only; see atWork.
type balancer struct {
	source      string
	fingerprint uint64                 // of 62 bits; 0: it isn't told
	others      func(sources []string) // is told, as the leader, of a group with several sources

	mu    sync.Mutex
	owned []int
	since int32 // the generation that owned is of
	split int   // how many shards of the source this member assigned as its generation's leader
	led   bool
}

func (b *balancer) setOwned(shards []int, generation int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.owned, b.since = slices.Clone(shards), generation
}

// ProtocolName implements kafka.GroupBalancer. It changes when the meaning of
// UserData does.
func (b *balancer) ProtocolName() string { return "engage-shards" }

// UserData implements kafka.GroupBalancer; see claim. kafka-go asks for it
// before each join.
func (b *balancer) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.split, b.led = 0, false
	return claim{owned: b.owned, since: b.since, fingerprint: b.fingerprint}.append(nil), nil
}

// AssignGroups implements kafka.GroupBalancer; the group's leader calls it.
func (b *balancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	ids := map[string][]int{}
	for _, p := range partitions {
		ids[p.Topic] = append(ids[p.Topic], p.ID)
	}
	sources := map[string][]kafka.GroupMember{}
	for _, m := range members {
		if len(m.Topics) > 0 {
			sources[m.Topics[0]] = append(sources[m.Topics[0]], m)
		}
	}
	b.mu.Lock()
	b.split, b.led = 0, true
	b.mu.Unlock()
	result := kafka.GroupMemberAssignments{}
	for source, members := range sources {
		split := assignSource(members, ids, result)
		if source == b.source {
			b.mu.Lock()
			b.split = split
			b.mu.Unlock()
		}
	}
	if len(sources) > 1 && b.others != nil {
		b.others(slices.Sorted(maps.Keys(sources)))
	}
	return result
}

// assignSource splits a source among the members that read it and whose
// configuration is at work, and says how many shards it has. The source is the
// first topic of each.
func assignSource(members []kafka.GroupMember, ids map[string][]int, result kafka.GroupMemberAssignments) (split int) {
	topics := map[string][]int{}
	claims := make(map[string]claim, len(members))
	for _, m := range members {
		claims[m.ID] = parseClaim(m.UserData)
		for _, topic := range m.Topics {
			if len(ids[topic]) > 0 {
				topics[topic] = ids[topic]
			}
		}
	}
	chosen := atWork(slices.Collect(maps.Values(claims)))
	owned := make(map[string][]int, len(members))
	for id, c := range claims {
		if chosen == 0 || c.fingerprint == chosen {
			owned[id] = c.owned
		}
	}
	shards := commonShards(topics)
	assigned := assignShards(owned, shards)
	for _, m := range members {
		byTopic := map[string][]int{}
		for _, topic := range m.Topics {
			if topics[topic] != nil {
				byTopic[topic] = assigned[m.ID]
			}
		}
		result[m.ID] = byTopic
	}
	return len(shards)
}

// leads tells how many shards this member assigned, if it is the leader of the
// generation that it joined last.
func (b *balancer) leads() (split int, led bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.split, b.led
}

// commonShards are the partition numbers that every topic has: a shard whose
// retry topics lag behind a grown source isn't assigned until they catch up.
func commonShards(topics map[string][]int) []int {
	count := map[int]int{}
	for _, ids := range topics {
		for _, id := range ids {
			count[id]++
		}
	}
	var shards []int
	for id, n := range count {
		if n == len(topics) {
			shards = append(shards, id)
		}
	}
	slices.Sort(shards)
	return shards
}

// assignShards splits shards evenly over the members: their numbers differ by
// one at most. A member keeps what it owned while its share allows; a shard
// that two claim goes to the first by name.
func assignShards(owned map[string][]int, shards []int) map[string][]int {
	members := make([]string, 0, len(owned))
	for m := range owned {
		members = append(members, m)
	}
	slices.Sort(members)
	assigned := make(map[string][]int, len(members))
	if len(members) == 0 {
		return assigned
	}
	free := make(map[int]bool, len(shards))
	for _, s := range shards {
		free[s] = true
	}
	share, extra := len(shards)/len(members), len(shards)%len(members)
	// Those who own most keep the larger shares.
	byOwned := slices.SortedStableFunc(slices.Values(members), func(a, b string) int { return cmp.Compare(len(owned[b]), len(owned[a])) })
	for _, m := range byOwned {
		assigned[m] = nil
		for _, s := range owned[m] {
			if !free[s] {
				continue
			}
			if n := len(assigned[m]); n < share {
				assigned[m] = append(assigned[m], s)
			} else if n == share && extra > 0 {
				assigned[m] = append(assigned[m], s)
				extra--
			} else {
				break
			}
			delete(free, s)
		}
	}
	rest := make([]int, 0, len(free))
	for _, s := range shards {
		if free[s] {
			rest = append(rest, s)
		}
	}
	for _, s := range rest {
		least := slices.MinFunc(members, func(a, b string) int { return cmp.Compare(len(assigned[a]), len(assigned[b])) })
		assigned[least] = append(assigned[least], s)
	}
	for _, s := range assigned {
		slices.Sort(s)
	}
	return assigned
}
