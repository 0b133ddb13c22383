package docs

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// pages are the documents, as paths from here.
func pages(t *testing.T) []string {
	var all []string
	for _, pattern := range []string{"*.md", "../*.md", "../.github/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		all = append(all, found...)
	}
	return all
}

// prose calls visit with each line of a page that is no code.
func prose(t *testing.T, page string, visit func(number int, line string)) {
	file, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, code := bufio.NewScanner(file), false
	for number := 1; lines.Scan(); number++ {
		line := lines.Text()
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		} else if !code {
			visit(number, line)
		}
	}
	if lines.Err() != nil || code {
		t.Errorf("%s: %v, ends within code: %t", page, lines.Err(), code)
	}
}

// TestLines: lines are short enough to be read beside something else, and for a
// change of a word to be seen in a diff. A table's row is one line.
func TestLines(t *testing.T) {
	const most = 140
	for _, page := range pages(t) {
		prose(t, page, func(number int, line string) {
			if n := utf8.RuneCountInString(line); n > most && !strings.HasPrefix(strings.TrimSpace(line), "|") {
				t.Errorf("%s:%d has %d characters, %d are the most", page, number, n, most)
			}
		})
	}
}

// link is one of Markdown's, to a file and a section of it.
var link = regexp.MustCompile(`\]\(([^)#:\s]*)(?:#([^)\s]*))?\)`)

// TestLinks: what a page refers to in this repository is there, section and all.
func TestLinks(t *testing.T) {
	known := map[string]map[string]bool{}
	for _, page := range pages(t) {
		prose(t, page, func(number int, line string) {
			for _, to := range link.FindAllStringSubmatch(line, -1) {
				target := page
				if to[1] != "" {
					target = filepath.Join(filepath.Dir(page), to[1])
				}
				if _, err := os.Stat(target); err != nil {
					t.Errorf("%s:%d: %v", page, number, err)
				} else if to[2] != "" && !sections(t, target, known)[to[2]] {
					t.Errorf("%s:%d: %s has no section %s", page, number, target, to[2])
				}
			}
		})
	}
}

// left out of a heading's anchor
var unanchored = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// sections are the anchors of a page's headings, as GitHub makes them.
func sections(t *testing.T, page string, known map[string]map[string]bool) map[string]bool {
	if known[page] == nil {
		anchors := map[string]bool{}
		prose(t, page, func(_ int, line string) {
			if hashes, heading, ok := strings.Cut(line, " "); ok && hashes != "" && strings.Trim(hashes, "#") == "" {
				anchors[strings.ReplaceAll(unanchored.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")] = true
			}
		})
		known[page] = anchors
	}
	return known[page]
}
