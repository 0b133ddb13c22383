package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// programs are the workers that runs need: that of o.Of, the same under overlays,
// and an earlier one; the latter two only where a scenario wants them.
type programs struct {
	overlaid map[*overlay]string // nil: without one
	earlier  string
}

// buildAll builds them below dir.
func buildAll(ctx context.Context, dir string, chosen []scenario, o options) (built programs, err error) {
	built.overlaid = map[*overlay]string{}
	for _, s := range append([]scenario{{}}, chosen...) {
		if built.overlaid[s.overlay] != "" {
			continue
		}
		place, flags := filepath.Join(dir, fmt.Sprint(len(built.overlaid))), []string(nil)
		if err := os.Mkdir(place, 0o755); err != nil {
			return built, err
		}
		if s.overlay != nil {
			file, err := s.overlay.write(ctx, place)
			if err != nil {
				return built, err
			}
			flags = []string{"-overlay", file}
		}
		if built.overlaid[s.overlay], err = build(ctx, place, o.Of, flags...); err != nil {
			return built, err
		}
	}
	if slices.ContainsFunc(chosen, func(s scenario) bool { return s.upgrade }) {
		built.earlier, err = build(ctx, filepath.Join(dir, "earlier"), o.Earlier)
	}
	return built, err
}

// build builds the worker into dir, of the present state or of a commit of this
// repository's history, which is never fetched.
func build(ctx context.Context, dir, commit string, flags ...string) (program string, err error) {
	program = filepath.Join(dir, "engage-worker")
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, flags, []string{"engage-worker/cmd/engage-worker"})...)
	if commit != "" {
		if err := exec.CommandContext(ctx, "git", "cat-file", "-e", commit+"^{commit}").Run(); err != nil {
			return "", fmt.Errorf("commit %s isn't in this clone's history, so there is nothing to upgrade from: a shallow clone has only its last commits (git fetch --unshallow); --earlier names another", commit)
		}
		cmd.Dir = filepath.Join(dir, "source")
		if err := extract(ctx, commit, cmd.Dir); err != nil {
			return "", fmt.Errorf("take commit %s out of the history: %w", commit, err)
		}
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the worker of commit %q: %w: %s", commit, err, text)
	}
	return program, nil
}

// extract writes a commit's files to dir, which it makes.
func extract(ctx context.Context, commit, dir string) error {
	top, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	archive := filepath.Join(dir, "earlier.tar")
	pack := exec.CommandContext(ctx, "git", "archive", "--output", archive, commit)
	pack.Dir = strings.TrimSpace(string(top)) // else only the folder's files
	for _, cmd := range []*exec.Cmd{pack, exec.CommandContext(ctx, "tar", "-x", "-f", archive, "-C", dir)} {
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return os.Remove(archive)
}
