// Package nearest finds what a mistyped word was meant to be.
package nearest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// longest is how many bytes of a word are looked at: no name is longer.
const longest = 100

// Name is the name that differs from the typed one the least, and whether
// there is one that differs by no more than half of the word and two
// letters. Capitals don't count.
func Name(typed string, names []string) (name string, ok bool) {
	const furthest = 2
	if len(typed) > longest {
		return "", false
	}
	distance := max(1, min(len(typed)/2, furthest)) + 1
	for _, n := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(typed), strings.ToLower(n)); d < distance {
			name, distance = n, d
		}
	}
	return name, name != ""
}
