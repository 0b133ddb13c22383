package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A clone without the history says so, and what to do.
func TestBuildUnknown(t *testing.T) {
	const nowhere = "0000000000000000000000000000000000000001"
	_, err := build(t.Context(), t.TempDir(), nowhere)
	if err == nil || !strings.Contains(err.Error(), nowhere) || !strings.Contains(err.Error(), "git fetch --unshallow") {
		t.Errorf("got %v", err)
	}
}

// A commit is taken out whole, whatever folder the program is started in.
func TestExtract(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "git", "rev-parse", "HEAD").Run(); err != nil {
		t.Skip("not in a clone:", err)
	}
	dir := t.TempDir()
	if err := extract(t.Context(), "HEAD", dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"go.mod", "cmd/engage-worker/main.go"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "earlier.tar")); err == nil {
		t.Error("the archive is left behind")
	}
}
