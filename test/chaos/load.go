package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/pause"
	"engage-worker/test/chaos/evidence"
)

// load is paced events, several a user, of all kinds.
type load struct {
	rate  int // events a second
	users int
	plain bool          // no event that can't be sent
	moves time.Duration // all events are in one partition, and in another after this; 0: they are spread
}

// regions are those that events name, with the senders that tell the vendor's
// faults apart.
var regions = []struct{ name, sender string }{
	{"us-west-2", "MG00000000000000000000000000000001"},
	{"eu-west-1", "+442071838750"},
}

// produce writes events until ctx ends, and returns once all are acknowledged.
// An event whose write failed is written again, so the source may hold it
// twice: what was produced is what the source holds.
func (l load) produce(ctx context.Context, r *run) error {
	rng := rand.New(rand.NewPCG(r.seed, 1))
	writer := acked.NewWriter(r.broker.client.Addr, r.broker.client.Transport, "")
	defer writer.Close()
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	open := make(chan struct{}, 512) // so that a stalled broker stalls the load
	var writes sync.WaitGroup
	defer writes.Wait()
	var previous kafka.Message // a plain one
	previousPartition := 0
	begun := time.Now()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if r.idle.Load() {
			continue
		}
		user := rng.IntN(l.users)
		if l.moves > 0 {
			hot := 5 * int(time.Since(begun)/l.moves)
			user += (hot - user) % r.partitions() // the user's partition is hot
			user = (user + l.users) % l.users
		}
		m := event(rng, n, user, l.plain)
		partition := user % r.partitions()
		switch {
		case rng.IntN(50) == 0 && previous.Value != nil: // the same once more
			m, partition = previous, previousPartition
		case evidence.KindOf(evidence.RefOf(m.Value)) == evidence.Plain:
			previous, previousPartition = m, partition
		}
		m.Topic = r.topic
		select {
		case open <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		writes.Go(func() {
			defer func() { <-open }()
			minute, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute) // what is begun is produced
			defer cancel()
			for minute.Err() == nil {
				attempt, cancel := context.WithTimeout(minute, 10*time.Second)
				err := writer.Write(attempt, m, partition)
				cancel()
				if err == nil {
					return
				}
				pause.For(minute, 100*time.Millisecond)
			}
			r.fail(errors.New("an event couldn't be produced for a minute: a fault of the harness"))
		})
	}
}

// event is the n-th event, of a user.
func event(rng *rand.Rand, n, user int, plain bool) kafka.Message {
	kind, phone := byte('p'), fmt.Sprintf("+1415%07d", 2000000+user)
	name, messageID := "Audience Entered", ""
	switch draw := rng.IntN(100); {
	case draw < 10:
		kind = 'a'
	case plain:
	case draw < 12:
		kind, phone = 'o', "+15005550004" // who has opted out, in the simulator
	case draw < 14:
		kind = 'm'
	case draw < 17:
		kind, name = 'u', "Audience Exited"
	}
	ref := fmt.Sprintf("%c-%06d", kind, n)
	if kind != 'a' {
		messageID = fmt.Sprintf(`"messageId":%q,`, ref)
	}
	m := kafka.Message{Key: fmt.Appendf(nil, "user-%d", user)}
	if kind == 'm' {
		m.Value = fmt.Appendf(nil, "not JSON %s", ref)
		return m
	}
	// A user's events go to one region: where they don't, those of a region
	// that is away hold up the others of the same user, whose order is kept.
	region := regions[user/16%len(regions)]
	text := `"text":"yes",`
	if n%8 == 3 {
		text = "" // see withPoorBody
	}
	m.Value = fmt.Appendf(nil, `{"type":"track","event":%q,"userId":"user-%d",%s"properties":{`+text+`"ref":%q,"region":%q,"sender":%q},"external_ids":[{"id":%[7]q,"type":"phone","isSubscribed":true},{"id":%[7]q,"type":"phone","channelType":"whatsapp","isSubscribed":true}]}`,
		name, user, messageID, ref, region.name, region.sender, phone)
	return m
}
