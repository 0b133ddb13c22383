package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// overlay changes the worker while it is built, for what it has no setting for:
// nothing of it is in the worker's own source.
type overlay struct {
	// write writes what is changed into dir, and returns the file for go build
	// -overlay.
	write func(ctx context.Context, dir string) (file string, err error)
}

// writeOverlay writes the file for go build -overlay: what stands in for what.
func writeOverlay(dir string, replace map[string]string) (file string, err error) {
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
var smallSegments = &overlay{func(ctx context.Context, dir string) (string, error) {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	ledger := filepath.Join(strings.TrimSpace(string(module)), "consumer", "ledger")
	replace := map[string]string{}
	for name, constants := range map[string][][2]string{
		"index.go":   {{"bucketsPerRetention = 8\n", "bucketsPerRetention = 151_200\n"}},
		"segment.go": {{"segmentLength = 1 << 15\n", "segmentLength = 16\n"}, {"worthASegment = 1 << 12\n", "worthASegment = 4\n"}, {"claimsLength = 1 << 16\n", "claimsLength = 32\n"}},
	} {
		text, err := os.ReadFile(filepath.Join(ledger, name))
		if err != nil {
			return "", err
		}
		for _, c := range constants {
			if bytes.Count(text, []byte(c[0])) != 1 {
				return "", fmt.Errorf("%s has no %q any more: the ledger's segments can't be made small", name, strings.TrimSpace(c[0]))
			}
			text = bytes.Replace(text, []byte(c[0]), []byte(c[1]), 1)
		}
		replace[filepath.Join(ledger, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return "", err
		}
	}
	return writeOverlay(dir, replace)
}}
