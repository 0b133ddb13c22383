package consumer

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer/intake"
	"engage-worker/deadletter"
)

// TestWhatOnlyOthersMayKnow: a retry and a replay for an action that the owner
// doesn't know go round while a member of the group has another
// configuration, and become dead letters once none has.
func TestWhatOnlyOthersMayKnow(t *testing.T) {
	r := newRig(t)
	owner := r.group(zerolog.Nop(), func(c *Config, p *Parts) { c.Fingerprint, p.Replays = 1, believing{} })
	stop := r.run(owner)
	defer stop()
	awaitState := func(g *Group, want State) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			is := g.State()
			is.Since = time.Time{}
			if is == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v, want %+v", is, want)
			}
		}
	}
	awaitState(owner, State{Joined: true, Owned: shards})
	other := r.group(zerolog.Nop(), func(c *Config, p *Parts) { c.Fingerprint, p.Replays = 2, believing{} })
	stopOther := r.run(other)
	defer stopOther()
	awaitState(other, State{Joined: true, StandsBy: true})
	awaitState(owner, State{Joined: true, Owned: shards})

	o := intake.Origin{Topic: source, Partition: 0, Offset: 7, Time: time.Now()}
	retry := o.RetryMessage(&kafka.Message{Value: event("waits")}, "another", 1, time.Now(), "")
	r.write(retryTopic, 0, kafka.Message{Value: retry.Value, Headers: retry.Headers})
	replay := func(destination, action, id string) kafka.Message {
		return kafka.Message{Value: event(id), Headers: []kafka.Header{
			{Key: deadletter.HeaderReplayID, Value: []byte(id)}, {Key: deadletter.HeaderReplayDestination, Value: []byte(destination)}, {Key: deadletter.HeaderReplayAction, Value: []byte(action)},
		}}
	}
	r.write(source, 1, replay("d", "another", "replayed"))
	r.write(source, 1, replay("d", "another", "replayed, and wanted by nobody"))
	r.write(source, 1, replay("elsewhere", "another", "not ours"))
	r.await(source)
	ends := func(topic string) (ends []int64) {
		t.Helper()
		for p := range shards {
			_, end, err := r.cluster.Bounds(t.Context(), topic, p)
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		return ends
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if got := ends(retryTopic); got[0] > 2 && got[1] > 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the retry topic's partitions end at %d: nothing goes round", ends(retryTopic))
		}
	}
	if got := ends(deadTopic); !slices.Equal(got, []int64{0, 0}) {
		t.Errorf("%d dead letters while another may know the action", got)
	}
	stopOther()
	r.await(source, retryTopic)
	if got := ends(deadTopic); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("%d dead letters once nobody knows the action, want 1 and 2", got)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sent) > 0 {
		t.Errorf("sent %s", fmt.Sprint(r.sent))
	}
}

// believing is a record of replays that knows whatever headers say.
type believing struct{}

func (believing) Confirm(_ context.Context, m *kafka.Message) (deadletter.Replayed, bool, error) {
	r, ok := deadletter.ParseReplayed(m.Headers)
	return r, ok, nil
}
