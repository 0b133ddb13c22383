package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const brokenFile = "testdata/broken.txt"

// breakage is a way to break the configuration that testdata/broken.txt begins
// with: "# name", "- text" to replace with "+ text", and what must be said,
// "! fault" or "? warning".
type breakage struct {
	name    string
	changes [][2]string
	said    []string
}

// TestBroken: whatever is broken in one of these ways is refused or warned
// of, with its line and the way out. -update writes what is said.
func TestBroken(t *testing.T) {
	file, err := os.ReadFile(brokenFile)
	if err != nil {
		t.Fatal(err)
	}
	good, list, _ := strings.Cut(string(file), "\n====\n")
	t.Setenv("SECRET", "s3cret")
	t.Setenv("SPACED", "x ")
	t.Setenv("EMPTY", "")
	if lines := says(t, good); lines != nil {
		t.Fatalf("the good one: %q", lines)
	}
	var written strings.Builder
	breakages := readBreakages(t, list)
	for _, b := range breakages {
		t.Run(b.name, func(t *testing.T) {
			text := good
			fmt.Fprintf(&written, "\n# %s\n", b.name)
			for _, c := range b.changes {
				if !strings.Contains(text, c[0]) {
					t.Fatalf("nothing to break: %q", c[0])
				}
				text = strings.Replace(text, c[0], unescaped(c[1]), 1)
				fmt.Fprintf(&written, "- %s\n+ %s\n", c[0], strings.ReplaceAll(c[1], "\n", "\n+ "))
			}
			got := says(t, text)
			written.WriteString(strings.Join(got, "\n") + "\n")
			for _, line := range got {
				if !placed.MatchString(line) {
					t.Errorf("has no line: %s", line)
				}
			}
			if len(got) == 0 || !*update && !slices.Equal(got, b.said) {
				t.Errorf("says\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(b.said, "\n\t"))
			}
		})
	}
	if *update {
		if err := os.WriteFile(brokenFile, []byte(good+"\n====\n"+written.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var placed = regexp.MustCompile(`^[!?] \d+(:\d+)?: `)

// unescaped has the characters that an editor would change or not show.
func unescaped(text string) string {
	return strings.NewReplacer("<TAB>", "\t", "<NBSP>", "\u00a0", "<ZWSP>", "\u200b", "<LONG>", strings.Repeat("long ", 330)).Replace(text)
}

// says loads a configuration and returns its faults, else its warnings.
func says(t *testing.T, text string) (lines []string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "engage.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := Load(path)
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n"+path+":") { // a trigger's fault shows it on lines of its own
			line, _, _ = strings.Cut(strings.TrimPrefix(line, path+":"), "\n")
			lines = append(lines, "! "+line)
		}
		return lines
	}
	for _, w := range cfg.Warnings() {
		lines = append(lines, "? "+strings.Replace(strings.TrimPrefix(w.String(), path+":"), " warning:", "", 1))
	}
	return lines
}

func readBreakages(t *testing.T, text string) (list []breakage) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "# "); ok {
			list = append(list, breakage{name: name})
			continue
		}
		b := &list[len(list)-1]
		mark, rest := line[:1], line[min(2, len(line)):]
		switch last := len(b.changes) - 1; mark {
		case "-":
			b.changes = append(b.changes, [2]string{rest, "<NONE>"})
		case "+":
			if b.changes[last][1] == "<NONE>" {
				b.changes[last][1] = rest
			} else {
				b.changes[last][1] += "\n" + rest
			}
		case "!", "?":
			b.said = append(b.said, line)
		default:
			t.Fatalf("%s: not understood: %s", brokenFile, line)
		}
	}
	return list
}
