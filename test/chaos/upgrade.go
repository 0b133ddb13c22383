package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
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

// buildCommit builds the worker of a commit of this repository's history, which
// is never fetched.
func buildCommit(ctx context.Context, commit string, flags ...string) (program string, cleanup func(), err error) {
	if err := exec.CommandContext(ctx, "git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
		return "", nil, fmt.Errorf("commit %s isn't in this clone's history, so there is nothing to upgrade from: a shallow clone has only its last commits (git fetch --unshallow); --earlier names another", commit)
	}
	dir, err := os.MkdirTemp("", "engage-chaos-earlier-")
	if err != nil {
		return "", nil, err
	}
	cleanup = func() { os.RemoveAll(dir) }
	if err := extract(ctx, commit, dir); err != nil {
		cleanup()
		return "", nil, fmt.Errorf("take commit %s out of the history: %w", commit, err)
	}
	program = filepath.Join(dir, "earlier-engage-worker")
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, flags, []string{"./cmd/engage-worker"})...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		cleanup()
		return "", nil, fmt.Errorf("build the worker of commit %s: %w: %s", commit, err, text)
	}
	return program, cleanup, nil
}

// extract writes a commit's files to dir.
func extract(ctx context.Context, commit, dir string) error {
	archive := filepath.Join(dir, "earlier.tar")
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return err
	}
	pack := exec.CommandContext(ctx, "git", "archive", "--output", archive, commit)
	pack.Dir = strings.TrimSpace(string(top)) // else only the folder's files
	for _, cmd := range []*exec.Cmd{pack, exec.CommandContext(ctx, "tar", "-x", "-f", archive, "-C", dir)} {
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return os.Remove(archive)
}
