package records

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// What a broker's pauses say of its quota: 500 kB in ten seconds and a pause of
// two are a second's 50 kB, if as much as the last answer was held back.
func TestAQuotaIsReadEvenly(t *testing.T) {
	b, now := &broker{cluster: &Cluster{}}, time.Now()
	heed := func(bytes int, throttle, paused time.Duration, size int) {
		t.Helper()
		b.heed(&question{maxBytes: answerBytes, bytes: bytes, throttle: throttle}, now)
		if got := b.paused.Sub(now); got.Round(time.Millisecond) != paused || b.pace(now) != size {
			t.Errorf("a pause of %v and then %d bytes, want %v and %d", got, b.pace(now), paused, size)
		}
		now = b.paused
	}
	b.paused = now
	heed(300_000, 0, 0, answerBytes)
	heed(150_000, 0, 0, answerBytes)
	heed(0, 2*time.Second, 2*time.Second, 50_000)
	heed(50_000, 0, time.Second, 51_500)          // a little faster each time
	heed(25_000, 0, 485*time.Millisecond, 53_045) // 25,000 of 51,500
	heed(0, 100*time.Millisecond, 100*time.Millisecond, 49_331)
	b.rate = 1000
	heed(1000, 0, time.Second, leastAnswer) // which a second's bytes aren't
	now = now.Add(pacing)
	if got := b.pace(now); got != answerBytes {
		t.Errorf("long after the last pause there are %d bytes", got)
	}
}

// TestAPartitionIsAskedForOnce: an answer names partitions, and not who asked
// from where. With two questions in one, who reads from 7 would get what is at 90.
func TestAPartitionIsAskedForOnce(t *testing.T) {
	at := func(topic string, partition int32, offset int64) place {
		return place{seat: &seat{topic: topic, partition: partition, waiting: true}, offset: offset}
	}
	given := at("a", 0, 99)
	given.seat.waiting = false
	queue := []place{at("a", 0, 7), at("a", 0, 90), given, at("b", 0, 1), at("a", 1, 2), at("a", 0, 5), at("c", 0, 3)}
	offsets := func(places []place) (all []int64) {
		for _, p := range places {
			all = append(all, p.offset)
		}
		return all
	}
	for n, want := range map[int][2][]int64{
		7: {{7, 2, 1, 3}, {90, 5}},
		2: {{7, 1}, {90, 2, 5, 3}},
	} {
		chosen, rest := choose(slices.Clone(queue), n)
		if got := [2][]int64{offsets(chosen), offsets(rest)}; !reflect.DeepEqual(got, want) {
			t.Errorf("%d at most: asked for and left are %v, want %v", n, got, want)
		}
	}
}
