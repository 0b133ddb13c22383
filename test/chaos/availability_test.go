package main

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"engage-worker/test/chaos/evidence"
)

func TestMeasureTakeovers(t *testing.T) {
	r := &run{handovers: []handover{{"kill -9", at(0), []int{0, 1}, 6 * time.Second}}}
	h := &evidence.History{
		Records: []evidence.Record{
			{Ref: "p-000000", At: at(-1), Place: evidence.Place{Topic: "source", Partition: 0, Offset: 0}}, // before it
			{Ref: "p-000001", At: at(1), Place: evidence.Place{Topic: "source", Partition: 0, Offset: 1}},
			{Ref: "p-000002", At: at(1), Place: evidence.Place{Topic: "source", Partition: 1, Offset: 0}},
		},
		Messages: []evidence.Message{{Ref: "p-000000", At: at(1)}, {Ref: "p-000001", At: at(3)}},
	}
	late := evidence.Message{Ref: "p-000002", At: at(9)}
	for _, c := range []struct {
		name           string
		messages       []evidence.Message
		grades, faults []string
	}{
		{"in time", append(h.Messages[:2:2], evidence.Message{Ref: "p-000002", At: at(4)}), []string{"after kill -9 of the owner of 2 shards: served again within 4s (promised 6s)"}, nil},
		{"late", append(h.Messages[:2:2], late), []string{"after kill -9 of the owner of 2 shards: served again within 9s (promised 6s)"}, []string{"after kill -9 of the owner of 2 shards: served again within 9s (promised 6s)"}},
		{"never", h.Messages, []string{"after kill -9 of the owner of 2 shards: served again within 3s (promised 6s)"}, []string{"shard 1 was never served again after kill -9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			grades, faults := measureTakeovers(r, &evidence.History{Records: h.Records, Messages: c.messages})
			if !reflect.DeepEqual(grades, c.grades) || !reflect.DeepEqual(faults, c.faults) {
				t.Errorf("%q, %q", grades, faults)
			}
		})
	}
}

func TestMeasureRegions(t *testing.T) {
	r := &run{away: [2]time.Time{at(0), at(60)}}
	h := &evidence.History{}
	for i := range 2000 {
		ref := fmt.Sprintf("p-%06d", i)
		h.Records = append(h.Records, evidence.Record{Ref: ref, At: at(1), Place: evidence.Place{Topic: "source", Partition: 0, Offset: int64(i)}})
		took := 10 * time.Millisecond
		if i >= 1985 { // fewer than one of a hundred
			took = 30 * time.Second
		}
		h.Messages = append(h.Messages, evidence.Message{Ref: ref, At: at(1).Add(took), Sender: regions[1].sender})
	}
	if grades, faults := measureRegions(r, h); len(grades) != 1 || len(faults) != 0 {
		t.Errorf("%q, %q", grades, faults)
	}
	for i := range 10 {
		h.Messages[i].At = at(5)
	}
	if _, faults := measureRegions(r, h); len(faults) != 1 {
		t.Errorf("more than one of a hundred takes too long, and the faults are %q", faults)
	}
	if _, faults := measureRegions(r, &evidence.History{Records: h.Records, Messages: h.Messages[:900]}); len(faults) != 1 {
		t.Errorf("too few messages show nothing, and the faults are %q", faults)
	}
}
