package desk

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"engage-worker/internal/trace"
)

// words are what templates put numbers and times into words with.
func words() template.FuncMap {
	return template.FuncMap{
		"count":   count,
		"plural":  plural,
		"percent": percent,
		"stamp":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"when":    when,
		"minute":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") },
		"shares":  shares,
		"thousandths": func(part, whole float64) int {
			if whole <= 0 {
				return 0
			}
			return int(min(1000, 1000*part/whole))
		},
		"lasting":  lasting,
		"spaced":   func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
		"capital":  capital,
		"join":     strings.Join,
		"decimals": func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) },
		"short":    short,
		"add":      func(a, b int) int { return a + b },
		"step":     step,
		"dotted":   dotted,
	}
}

// count writes a number with thin gaps between thousands.
func count(n any) string {
	if p, ok := n.(*int); ok {
		n = *p
	}
	digits := fmt.Sprint(n)
	var groups []string
	for len(digits) > 3 && digits[0] != '-' {
		groups = append([]string{digits[len(digits)-3:]}, groups...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, groups...), ",")
}

func plural(n any, noun string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// percent is a part of a whole, "" of nothing. Only nothing is 0%, and only all
// is 100%.
func percent(part, whole int) string {
	if whole <= 0 {
		return ""
	}
	switch share := 100 * float64(part) / float64(whole); {
	case part > 0 && share < 1:
		return "<1%"
	case part < whole && share > 99:
		return ">99%"
	default:
		return strconv.Itoa(int(math.Round(share))) + "%"
	}
}

// when is a time as it is read: UTC, to the second.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateTime)
}

// lasting is a time in words, as exact as anyone needs it.
func lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return "under a second"
	case d < 2*time.Minute:
		return plural(int(d.Seconds()), "second")
	case d < 2*time.Hour:
		return plural(int(d.Minutes()), "minute")
	case d < 48*time.Hour:
		return plural(int(d.Hours()), "hour")
	default:
		return plural(int(d.Hours()/24), "day")
	}
}

func capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + s[size:]
}

// short is the beginning of a text.
func short(n int, s string) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// step is what happened, of a timeline, as a heading.
func step(what string) string {
	switch what {
	case trace.Dead:
		return "Failed"
	case trace.Replayed:
		return "Event again"
	}
	return capital(strings.ReplaceAll(what, "_", " "))
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
