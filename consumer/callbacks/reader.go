package callbacks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/status"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/internal/pause"
)

// Reader reads a shard's callbacks and has them applied.
type Reader struct {
	Destination string // the metrics' label
	Cluster     *records.Cluster
	Topic       string
	Shard       int
	Apply       func(ctx context.Context, news []status.News) error
	Metrics     *metrics.Metrics
	Log         zerolog.Logger

	position atomic.Int64 // one more than Position: 0 is unknown
}

// readBytes bounds an answer of the broker's, and a block of it.
const readBytes = 256 << 10

// Run reads from an offset on (negative: from the topic's beginning) until ctx
// ends. What goes wrong on the way is tried again.
func (r *Reader) Run(ctx context.Context, from int64) {
	pauses := pause.Growing(100*time.Millisecond, 10*time.Second)
	for ctx.Err() == nil {
		next, err := r.read(ctx, from)
		if next > from {
			from = next
			pauses.Reset()
		}
		if errors.Is(err, kafka.OffsetOutOfRange) {
			from = -1
		}
		if !pause.For(ctx, pauses.NextBackOff()) {
			return
		}
	}
}

// read reads until something goes wrong, and returns where to go on.
func (r *Reader) read(ctx context.Context, from int64) (next int64, err error) {
	first, end, err := r.Cluster.Bounds(ctx, r.Topic, r.Shard)
	if err != nil {
		return from, err
	}
	if from < first || from > end {
		from = first
	}
	log := r.Cluster.Open(r.Topic, r.Shard, from, records.Bytes{Answer: readBytes, Block: readBytes})
	defer log.Close()
	for {
		block, err := log.Next(ctx)
		var news []status.News
		for i := range block {
			n, ok := newsOf(&block[i])
			result := "ok"
			if !ok {
				result = "malformed"
			}
			r.Metrics.CallbacksRead.WithLabelValues(r.Destination, result).Inc()
			if ok {
				news = append(news, n)
			}
		}
		if len(news) > 0 {
			if err := r.Apply(ctx, news); err != nil {
				if ctx.Err() == nil {
					r.Log.Warn().Err(err).Msg("callbacks can't be applied; trying again")
				}
				return from, err
			}
		}
		if err != nil {
			return from, err
		}
		from = log.Offset()
		r.position.Store(from + 1)
	}
}

// Position is what to commit; ok is false where that isn't known.
func (r *Reader) Position() (at int64, ok bool) {
	at = r.position.Load() - 1
	return at, at >= 0
}

// newsOf is what a callback says; ok is false where it says nothing.
func newsOf(r *records.Record) (n status.News, ok bool) {
	var form map[string]string
	if r.Value == nil || json.Unmarshal(r.Value, &form) != nil {
		return n, false
	}
	state, ok := status.StateOf(form["MessageStatus"])
	if !ok || form["MessageSid"] == "" {
		return n, false
	}
	n = status.News{Key: bytes.Clone(r.Key), SID: form["MessageSid"], Status: state, By: status.ByCallback, SeenAt: r.Time}
	n.Code, _ = strconv.Atoi(form["ErrorCode"])
	n.Segments, _ = strconv.Atoi(form["NumSegments"])
	return n, true
}
