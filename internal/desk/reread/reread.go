// Package reread reads dead letters, and what the record of replays says of them, again
// by their places: the desk keeps no texts. Letters that are near one another are read
// at once, and several such runs at a time; those that were on pages lately are
// remembered, without their events.
package reread

import (
	"cmp"
	"context"
	"errors"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/errgroup"

	"engage-worker/deadletter"
	"engage-worker/internal/kafka/records"
)

// Place is where a record is in its topic.
type Place struct {
	Partition int32
	Offset    int64
}

const (
	// near is how many offsets may lie between two letters that are read at once.
	near = 64

	// atOnce is how many runs are read at a time, and answerBytes about what one answer
	// of a broker's has: little, as a batch comes whole in any case.
	atOnce      = 8
	answerBytes = 64 << 10

	// mostRecent is how many letters are remembered; each takes about a kilobyte.
	mostRecent = 4096
)

// Reader reads again. Make it with New; it is safe for concurrent use.
type Reader struct {
	cluster *records.Cluster
	topic   string // of the dead letters
	recent  *lru.Cache[Place, *deadletter.Record]
}

// New makes a Reader of a topic of dead letters.
func New(cluster *records.Cluster, topic string) *Reader {
	recent, err := lru.New[Place, *deadletter.Record](mostRecent)
	if err != nil {
		panic(err) // of a size below 1
	}
	return &Reader{cluster: cluster, topic: topic, recent: recent}
}

// Letters are the letters at places, whole. Those that retention deleted are absent. A
// letter is the caller's.
func (r *Reader) Letters(ctx context.Context, places []Place) (map[Place]*deadletter.Record, error) {
	wanted := slices.SortedFunc(slices.Values(places), func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	letters := make([]*deadletter.Record, len(wanted)) // of the wanted, each at its place
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for from := 0; from < len(wanted); {
		to := from + 1
		for to < len(wanted) && wanted[to].Partition == wanted[from].Partition && wanted[to].Offset-wanted[to-1].Offset < near {
			to++
		}
		some, into := wanted[from:to], letters[from:to]
		from = to
		g.Go(func() error { return r.run(within, some, into) })
	}
	err := g.Wait()
	found := make(map[Place]*deadletter.Record, len(wanted))
	for i, letter := range letters {
		if letter != nil {
			found[wanted[i]] = letter
		}
	}
	return found, err
}

// run reads letters that are near one another in a partition, in their order.
func (r *Reader) run(ctx context.Context, wanted []Place, into []*deadletter.Record) error {
	span := records.Span{Topic: r.topic, Partition: int(wanted[0].Partition), From: wanted[0].Offset, End: wanted[len(wanted)-1].Offset + 1}
	scanner := records.Scanner{Cluster: r.cluster, MaxBytes: answerBytes}
	i := 0
	return scanner.Scan(ctx, span, func(block []records.Record) error {
		for k := range block {
			for i < len(wanted) && wanted[i].Offset < block[k].Offset { // retention or compaction took it
				i++
			}
			if i == len(wanted) || wanted[i].Offset != block[k].Offset {
				continue
			}
			letter, fault := deadletter.Decode(block[k].Message(span.Topic, span.Partition))
			if !errors.Is(fault, deadletter.ErrForeign) {
				into[i] = letter
			}
		}
		return nil
	})
}

// Texts are the letters at places without their events; those that were read lately are
// remembered. With an error they are those that are known. None may be changed.
func (r *Reader) Texts(ctx context.Context, places []Place) (map[Place]*deadletter.Record, error) {
	known := make(map[Place]*deadletter.Record, len(places))
	var missing []Place
	for _, at := range places {
		if letter, ok := r.recent.Get(at); ok {
			known[at] = letter
		} else {
			missing = append(missing, at)
		}
	}
	read, err := r.Letters(ctx, missing)
	for at, letter := range read {
		letter.Key, letter.Value, letter.Headers = nil, nil, nil
		r.recent.Add(at, letter)
		known[at] = letter
	}
	return known, err
}

// Audits are what stands at places of the record of replays, the last word of each step,
// by replays and in time.
func (r *Reader) Audits(ctx context.Context, places []Place) ([]deadletter.Audit, error) {
	type entry struct {
		deadletter.Audit
		offset int64
	}
	var found []entry
	scanner := records.Scanner{Cluster: r.cluster, MaxBytes: answerBytes}
	for _, at := range places {
		span := records.Span{Topic: deadletter.AuditTopic(r.topic), Partition: int(at.Partition), From: at.Offset, End: at.Offset + 1}
		if err := scanner.Scan(ctx, span, func(block []records.Record) error {
			for i := range block {
				if a, err := deadletter.DecodeAudit(block[i].Value); err == nil {
					found = append(found, entry{a, block[i].Offset})
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b entry) int { return cmp.Compare(a.offset, b.offset) })
	all := make([]deadletter.Audit, len(found))
	for i, a := range found {
		all[i] = a.Audit
	}
	return deadletter.LastSteps(all), nil
}
