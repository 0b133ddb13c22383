package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"engage-worker/cmd/engage-worker/cli"
)

// TestDocumentedCommands: the commands that the documents give exist, with
// their options.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	// From the program's name to the end of the line, in a block of code, or of
	// the code in a sentence.
	inBlock := regexp.MustCompile(`(?m)^\s*(?:\$ )?(?:bin/)?engage-worker ([a-z].*)`)
	inText := regexp.MustCompile("`(?:[A-Z_]+=\\S+ )*engage-worker ([a-z][^`]*)`")
	option := regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]*)`)
	helps := map[string]string{}
	help := func(name string) string {
		if _, known := helps[name]; !known {
			got := command(t, append([]string{"help"}, strings.Fields(name)...)...)
			if got.code != cli.ExitOK {
				got.stdout = ""
			}
			helps[name] = got.stdout
		}
		return helps[name]
	}
	checked := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		var given [][]string
		for i, part := range strings.Split(string(text), "\n```") {
			pattern := inText
			if i%2 == 1 {
				pattern = inBlock
			}
			given = append(given, pattern.FindAllStringSubmatch(part, -1)...)
		}
		for _, m := range given {
			line, _, _ := strings.Cut(m[1], " #")
			words := strings.Fields(line)
			name := words[0]
			if len(words) > 1 && help(words[0]+" "+words[1]) != "" {
				name += " " + words[1]
			}
			usage := help(name)
			if usage == "" {
				t.Errorf("%s: there is no command %s: %s", page, name, line)
				continue
			}
			checked++
			for _, o := range option.FindAllStringSubmatch(line, -1) {
				if !regexp.MustCompile(regexp.QuoteMeta(o[1]) + `\b`).MatchString(usage) {
					t.Errorf("%s: %s has no %s: %s", page, name, o[1], line)
				}
			}
		}
	}
	if checked < 60 {
		t.Errorf("only %d commands were found", checked)
	}
}
