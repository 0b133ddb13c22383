package config

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	inTicks = regexp.MustCompile("`([^`]+)`")
	testRun = regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	chaos   = regexp.MustCompile(`(?m)^\t+\{?name: "([^"]+)"`)
)

// TestChanging holds docs/changing.md to the keys: each has one row, each
// row's setting is a key, and what a row is held by exists.
func TestChanging(t *testing.T) {
	page, err := os.ReadFile("../../docs/changing.md")
	if err != nil {
		t.Fatal(err)
	}
	_, settings, found := strings.Cut(string(page), "| setting | what a change does to what waits or is in doubt | held by |\n|---|---|---|\n")
	changes, _, _ := strings.Cut(string(page), "## Setting by setting")
	_, changes, alsoFound := strings.Cut(changes, "|---|---|---|---|\n")
	if !found || !alsoFound {
		t.Fatal("the tables aren't there")
	}
	keys := map[string]bool{}
	for _, k := range documented() {
		keys[k.Path] = true
	}
	holders := holders(t)
	rows := map[string]int{}
	check := func(table string, named func(cell string)) {
		t.Helper()
		for row := range strings.Lines(table) {
			if !strings.HasPrefix(row, "|") {
				break
			}
			cells := strings.Split(strings.Trim(strings.TrimSpace(row), "|"), " | ")
			named(cells[0])
			for holder := range strings.SplitSeq(cells[len(cells)-1], ",") {
				if holder = strings.TrimSpace(holder); !holders[holder] {
					t.Errorf("%s: there is no test or scenario %q", strings.TrimSpace(cells[0]), holder)
				}
			}
		}
	}
	check(changes, func(string) {})
	check(settings, func(cell string) {
		for _, m := range inTicks.FindAllStringSubmatch(cell, -1) {
			if rows[m[1]]++; !keys[m[1]] {
				t.Errorf("there is no key %s", m[1])
			}
		}
	})
	for key := range keys {
		if rows[key] != 1 {
			t.Errorf("%s has %d rows, want one", key, rows[key])
		}
	}
}

// holders are the tests and the chaos scenarios of this module.
func holders(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		names := testRun
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return fs.SkipDir
		case strings.HasSuffix(filepath.ToSlash(path), "test/chaos/scenario.go"):
			names = chaos
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range names.FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
