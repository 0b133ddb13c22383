package consumer

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
	"pgregory.net/rapid"
)

// TestClaims come back as they were told, whatever may follow them in a later
// version; an earlier one finds the owned shards and none that there are.
func TestClaims(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := claim{
			owned:       rapid.SliceOf(rapid.IntRange(0, 1<<20)).Draw(t, "owned"),
			since:       rapid.Int32Min(0).Draw(t, "since"),
			fingerprint: rapid.Uint64Range(1, 1<<62-1).Draw(t, "fingerprint"),
		}
		data := c.append(nil)
		more := rapid.SliceOfN(rapid.Uint32Min(notAShard), 0, 3).Draw(t, "more")
		for _, word := range more {
			data = binary.BigEndian.AppendUint32(data, word)
		}
		if got := parseClaim(data); !slices.Equal(got.owned, c.owned) || got.since != c.since || got.fingerprint != c.fingerprint {
			t.Fatalf("%+v became %+v", c, got)
		}
		for i, word := range earlierOwned(data) {
			if i < len(c.owned) && word != c.owned[i] || i >= len(c.owned) && word < 1<<31 {
				t.Fatalf("an earlier version takes %d for a shard", word)
			}
		}
	})
	untold := claim{owned: []int{3, 5}, since: 7}
	if got := fmt.Sprint(parseClaim(untold.append(nil))); got != fmt.Sprint(claim{owned: []int{3, 5}}) {
		t.Errorf("without a fingerprint: %v", got)
	}
	if got := parseClaim([]byte("of another version")); got.fingerprint != 0 {
		t.Errorf("%+v", got)
	}
}

// earlierOwned is what the versions before the fingerprint read.
func earlierOwned(data []byte) (shards []int) {
	for ; len(data) >= 4; data = data[4:] {
		shards = append(shards, int(binary.BigEndian.Uint32(data)))
	}
	return shards
}

func TestAtWork(t *testing.T) {
	const former, newer = 7, 9
	has := func(fingerprint uint64, since int32, shards ...int) claim {
		return claim{owned: shards, since: since, fingerprint: fingerprint}
	}
	for _, c := range []struct {
		name    string
		members []claim
		want    uint64
	}{
		{"nobody", nil, 0},
		{"one", []claim{has(newer, 0)}, newer},
		{"alike", []claim{has(newer, 3, 0, 1), has(newer, 3, 2)}, newer},
		{"the first one of a rollout", []claim{has(former, 3, 0, 1), has(former, 3, 2), has(newer, 0)}, former},
		{"half", []claim{has(former, 3, 0, 1), has(newer, 0)}, former},
		{"more than half", []claim{has(former, 3, 0, 1), has(newer, 0), has(newer, 0)}, newer},
		{"the last one of a rollout", []claim{has(former, 0), has(newer, 4, 0, 1, 2)}, newer},
		{"one that slept through a generation", []claim{has(former, 3, 0, 1, 2, 3), has(newer, 4, 0)}, newer},
		{"all begin at once", []claim{has(former, 0), has(newer, 0), has(newer, 0), has(former, 0)}, former},
		{"three configurations", []claim{has(5, 0), has(newer, 2, 1), has(former, 2, 0, 2)}, former},
		{"an earlier version is among them", []claim{has(former, 3, 0, 1), has(newer, 0), has(0, 0, 3)}, 0},
	} {
		if got := atWork(c.members); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestOneConfigurationAtATime: members come and go, in two configurations,
// and some sleep through generations. Each generation's shards are all owned, by
// members of one configuration, and that changes only where more than half
// have the other or none of the former is left.
func TestOneConfigurationAtATime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := []string{"source", "ledger"}
		var partitions []kafka.Partition
		for _, topic := range topics {
			for id := range 5 {
				partitions = append(partitions, kafka.Partition{Topic: topic, ID: id})
			}
		}
		members := map[string]*balancer{}
		was := uint64(0) // at work
		for generation := int32(1); generation <= 20; generation++ {
			for i := range rapid.IntRange(0, 2).Draw(t, "come") {
				members[fmt.Sprintf("%d-%d", generation, i)] = &balancer{source: "source", fingerprint: rapid.Uint64Range(1, 2).Draw(t, "fingerprint")}
			}
			var joined []kafka.GroupMember
			count := map[uint64]int{}
			leftOwners := map[uint64]int{}
			var leader *balancer
			for id, b := range members {
				switch rapid.IntRange(0, 5).Draw(t, id) {
				case 0:
					delete(members, id)
					continue
				case 1:
					continue // sleeps
				}
				data, err := b.UserData()
				if err != nil {
					t.Fatal(err)
				}
				joined = append(joined, kafka.GroupMember{ID: id, Topics: topics, UserData: data})
				count[b.fingerprint]++
				if b.since == generation-1 && len(b.owned) > 0 {
					leftOwners[b.fingerprint]++
				}
				leader = b
			}
			if leader == nil {
				was = 0
				continue
			}
			at, owned := map[uint64]bool{}, 0
			for id, byTopic := range leader.AssignGroups(joined, partitions) {
				b := members[id]
				b.setOwned(byTopic["source"], generation)
				if owned += len(b.owned); len(b.owned) > 0 {
					at[b.fingerprint] = true
				}
			}
			if owned != 5 || len(at) != 1 {
				t.Fatalf("%d shards are owned, by %d configurations", owned, len(at))
			}
			for is := range at {
				if was != 0 && is != was && leftOwners[was] > 0 && 2*count[is] <= len(joined) {
					t.Fatalf("%d of %d members changed what is at work", count[is], len(joined))
				}
				was = is
			}
		}
	})
}
