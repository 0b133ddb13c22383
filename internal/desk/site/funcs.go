package site

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"engage-worker/internal/desk/words"
	"engage-worker/internal/trace"
)

// funcs are what the templates call.
func funcs() template.FuncMap {
	return template.FuncMap{
		"count":   words.Count,
		"plural":  words.Plural,
		"percent": words.Percent,
		"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"when":    words.When,
		"minute":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"shares":  shares,
		"thousandths": func(part, whole float64) int {
			if whole <= 0 {
				return 0
			}
			return int(min(1000, 1000*part/whole))
		},
		"lasting":  words.Lasting,
		"spaced":   func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
		"capital":  words.Capital,
		"join":     strings.Join,
		"decimals": func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) },
		"short":    words.Short,
		"add":      func(a, b int) int { return a + b },
		"step":     step,
		"dotted":   dotted,
	}
}

// step is what happened, of a timeline, as a heading.
func step(what string) string {
	switch what {
	case trace.Dead:
		return "Failed"
	case trace.Replayed:
		return "Event again"
	}
	return words.Capital(strings.ReplaceAll(what, "_", " "))
}

// dotted are those texts that there are, with dots between them.
func dotted(texts ...string) string {
	return strings.Join(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), " · ")
}

// share is a part of a bar that is 100 wide.
type share struct {
	Class    string
	X, Width float64
}

// shares is what became of all as a bar.
func shares(all, delivered, failed int) []share {
	if all <= 0 {
		return nil
	}
	good, bad := 100*float64(delivered)/float64(all), 100*float64(failed)/float64(all)
	return []share{{"delivered", 0, good}, {"pending", good, 100 - good - bad}, {"failed", 100 - bad, bad}}
}
