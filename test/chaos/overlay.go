package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// overlay changes the worker while it is built, for what it has no setting for:
// nothing of it is in the worker's own source.
type overlay struct {
	root    []string            // what the go command is asked for the folder that folder is in
	folder  string              // of the files
	changes map[string][]string // by file: pairs of what stands there, once, and what is to
	added   map[string]string   // whole files
}

// write writes what is changed into dir, and returns the file for go build -overlay.
func (o *overlay) write(ctx context.Context, dir string) (file string, err error) {
	root, err := exec.CommandContext(ctx, "go", o.root...).Output()
	if err != nil {
		return "", fmt.Errorf("find the source: go %s: %w", strings.Join(o.root, " "), err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), o.folder)
	files := maps.Clone(o.added)
	if files == nil {
		files = map[string]string{}
	}
	for name, pairs := range o.changes {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return "", err
		}
		for i := 0; i < len(pairs); i += 2 {
			if strings.Count(string(text), pairs[i]) != 1 {
				return "", fmt.Errorf("%s/%s has no %q any more: it can't be changed", o.folder, name, strings.TrimSpace(pairs[i]))
			}
		}
		files[name] = strings.NewReplacer(pairs...).Replace(string(text))
	}
	replace := map[string]string{}
	for name, text := range files {
		replace[filepath.Join(folder, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file = filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, text, 0o600)
}

// smallSegments is a ledger that does within seconds what takes millions of
// deliveries and days: a bucket of time is over after 4 s, and a few entries are
// worth a segment. Nothing is forgotten earlier.
var smallSegments = &overlay{
	root: []string{"list", "-m", "-f", "{{.Dir}}"}, folder: "consumer/ledger",
	changes: map[string][]string{
		"index.go":   {"bucketsPerRetention = 8\n", "bucketsPerRetention = 151_200\n"},
		"segment.go": {"segmentLength = 1 << 15\n", "segmentLength = 16\n", "worthASegment = 1 << 12\n", "worthASegment = 4\n", "claimsLength = 1 << 16\n", "claimsLength = 32\n"},
	},
}

// setClocks is a package time whose wall clock is off by what clockVariable says,
// in the whole program with its libraries. The monotonic clock is as it is.
var setClocks = &overlay{
	root: []string{"env", "GOROOT"}, folder: "src/time",
	changes: map[string][]string{"time.go": {timeNow, timeNow + "\tsec += testClock\n"}},
	added: map[string]string{"testclock.go": `package time

import "syscall"

var testClock = func() int64 {
	text, _ := syscall.Getenv("` + clockVariable + `")
	seconds, _ := atoi(text)
	return int64(seconds)
}()
`},
}

const (
	timeNow = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"

	// clockVariable says by how many seconds the clock of a program is ahead that
	// is built with setClocks.
	clockVariable = "ENGAGE_TEST_CLOCK"
)
