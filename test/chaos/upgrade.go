package main

import (
	"context"
	"errors"
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
func upgrade(ctx context.Context, r *run) error {
	earlier := append([]*replica(nil), r.live...)
	replaceBy := func(w *replica, program string) (*replica, error) {
		if err := r.stop(w); err != nil {
			return nil, err
		}
		return r.startOf(program)
	}
	first, err := r.rolledBack(ctx, earlier, replaceBy)
	if err != nil {
		return err
	}
	for _, w := range []*replica{first, earlier[2]} {
		if _, err := replaceBy(w, r.program); err != nil {
			return err
		}
		if err := pause(ctx, 5*time.Second); err != nil {
			return err
		}
	}
	// What the new versions wrote for one another.
	return errors.Join(r.replace(ctx), pause(ctx, 5*time.Second))
}

// rolledBack upgrades the first replica, kills the second, whose place a new
// version takes, and takes the first back to the earlier version.
func (r *run) rolledBack(ctx context.Context, earlier []*replica, replaceBy func(*replica, string) (*replica, error)) (*replica, error) {
	if err := pause(ctx, 3*time.Second); err != nil {
		return nil, err
	}
	first, err := replaceBy(earlier[0], r.program)
	if err = errors.Join(err, pause(ctx, 6*time.Second)); err != nil {
		return nil, err
	}
	r.kill(earlier[1])
	if _, err = r.startOf(r.program); err != nil {
		return nil, err
	}
	if err := pause(ctx, 8*time.Second); err != nil {
		return nil, err
	}
	r.note("the first goes back")
	first, err = replaceBy(first, r.earlier)
	return first, errors.Join(err, pause(ctx, 8*time.Second))
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
