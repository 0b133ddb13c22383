package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"time"
)

// firstVersion is the commit of the first version whose records every later one
// has to read.
const firstVersion = "5fd9b8dff85c8ed006881b3b9f0a0ab42cfc5f56"

// upgrade replaces the earlier version's replicas one at a time, as an
// orchestrator does. One of them is killed, and one goes back to the earlier
// version half way, before the rest follows.
func upgrade(r *run) {
	earlier := slices.Clone(r.live)
	replaceBy := func(w *replica, program string, while time.Duration) *replica {
		r.stop(w)
		other := r.startOf(program)
		r.pause(while)
		return other
	}
	r.pause(3 * time.Second)
	first := replaceBy(earlier[0], r.program, 6*time.Second)
	r.kill(earlier[1])
	r.startOf(r.program)
	r.pause(8 * time.Second)
	r.note("the first goes back")
	first = replaceBy(first, r.earlier, 8*time.Second)
	replaceBy(first, r.program, 5*time.Second)
	replaceBy(earlier[2], r.program, 5*time.Second)
	r.replace(5 * time.Second) // what the new versions wrote for one another
}

// createTopics has a version make the topics itself, as its operator did.
func (r *run) createTopics(ctx context.Context, program string) error {
	cmd := exec.CommandContext(ctx, program, "topics", "create", "--config", r.config, "--partitions", fmt.Sprint(r.width), "--replication-factor", "1")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("topics create: %w: %s", err, text)
	}
	return nil
}
