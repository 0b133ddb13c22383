package main

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"engage-worker/internal/sim/twiliosim"
	"engage-worker/test/chaos/evidence"
)

const (
	senderRejected = "sender_rejected"

	// beforeClosing is how many of a sender's messages may die of it in one
	// process: the fifth refusal in a row closes the sender.
	beforeClosing = 4

	// mostRefused is how many requests one process may make with a key that
	// is refused.
	mostRefused = 20
)

// refused has the vendor refuse the key, and then one of the two senders, with
// kills in both.
func refused(r *run) {
	key, sender := usual, usual
	key.KeyRefused, sender.SenderRefused = true, true
	kills := func() {
		for range 2 {
			r.replace(4 * time.Second)
		}
	}
	r.pause(4 * time.Second) // in which the group settles
	r.before = r.timed(10 * time.Second)
	r.during("the key is refused", key, 3*time.Second)
	kills()
	r.during("as usual", usual, 10*time.Second)
	r.behave("the sender "+regions[1].sender+" is refused", usual, twiliosim.Scope{Senders: []string{regions[1].sender}, Behaviour: sender})
	r.pause(2 * time.Second)
	r.away = r.timed(10 * time.Second)
	kills()
	r.pause(3 * time.Second) // the last one's shards are taken over meanwhile
}

// timed is a pause, from when until when.
func (r *run) timed(d time.Duration) (span [2]time.Time) {
	span[0] = time.Now()
	r.pause(d)
	span[1] = time.Now()
	return span
}

// measureRefused judges what a refused key and a refused sender cost: requests,
// and dead letters of the messages that found the sender out.
func measureRefused(r *run, h *evidence.History) (grades, faults []string) {
	processes := len(r.all)
	asked := 0
	for _, q := range h.Requests {
		if q.Status == http.StatusUnauthorized {
			asked++
		}
	}
	dead := len(slices.DeleteFunc(slices.Clone(h.Dead), func(d evidence.Dead) bool { return d.Reason != senderRejected }))
	grades = append(grades, fmt.Sprintf("%d processes: %d requests with the refused key, %d dead letters of the refused sender", processes, asked, dead))
	usually, meanwhile := h.Took(r.before, regions[0].sender), h.Took(r.away, regions[0].sender)
	if n, m := len(usually), len(meanwhile); n > 0 && m > 0 {
		grades = append(grades, fmt.Sprintf("the other sender's messages took %v (p50), %v (p99) before, and %v, %v while one is refused",
			usually[n/2].Round(time.Millisecond), usually[n*99/100].Round(time.Millisecond), meanwhile[m/2].Round(time.Millisecond), meanwhile[m*99/100].Round(time.Millisecond)))
	}
	if asked == 0 || asked > mostRefused*processes {
		faults = append(faults, fmt.Sprintf("%d requests were refused with the key, at most %d should be", asked, mostRefused*processes))
	}
	if dead > beforeClosing*processes {
		faults = append(faults, fmt.Sprintf("%d messages died of the refused sender, at most %d should", dead, beforeClosing*processes))
	}
	return grades, faults
}
