package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"engage-worker/cmd/engage-worker/cli"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// completionScripts have the shell ask the program itself what may come next.
// Where it knows nothing, the shell completes files.
func completionScripts() map[string]string {
	return map[string]string{
		"bash": `_engage_worker() {
  local IFS=$'\n'
  COMPREPLY=($(compgen -W "$("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _engage_worker engage-worker
`,
		"zsh": `#compdef engage-worker
_engage_worker() {
  local -a candidates
  candidates=("${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _engage_worker engage-worker
`,
		"fish": `function __engage_worker
  set -l words (commandline -opc) (commandline -ct)
  $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c engage-worker -a '(__engage_worker)'
`,
	}
}

// Run prints the script for a shell.
func (c *completionCmd) Run(_ context.Context, app *cli.App) error {
	fmt.Fprint(app.Stdout, completionScripts()[c.Shell])
	return nil
}

// completeCmd says what the last of the words may be; the scripts call it.
type completeCmd struct {
	Words []string `arg:"" optional:""`
}

// Run prints a candidate a line.
func (c *completeCmd) Run(_ context.Context, app *cli.App, kctx *kong.Context) error {
	node, last, before := kctx.Model.Node, "", ""
	for i, word := range c.Words {
		if i == len(c.Words)-1 {
			last = word
			break
		}
		for _, child := range node.Children {
			if child.Type == kong.CommandNode && child.Name == word {
				node = child
			}
		}
		before = word
	}
	for _, candidate := range candidates(node, before, last) {
		fmt.Fprintln(app.Stdout, candidate)
	}
	return nil
}

// candidates are the values of the option before, else the node's commands and
// options.
func candidates(node *kong.Node, before, last string) []string {
	var all []string
	for _, group := range node.AllFlags(true) {
		for _, flag := range group {
			if before == "--"+flag.Name && !flag.IsBool() {
				return matching(slices.Sorted(slices.Values(flag.EnumSlice())), last)
			}
			all = append(all, "--"+flag.Name)
		}
	}
	if !strings.HasPrefix(last, "-") {
		all = nil
		for _, child := range node.Children {
			if !child.Hidden {
				all = append(all, child.Name)
			}
		}
		for _, positional := range node.Positional {
			all = append(all, positional.EnumSlice()...)
		}
	}
	return matching(all, last)
}

func matching(words []string, prefix string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return w == "" || !strings.HasPrefix(w, prefix) })
}
