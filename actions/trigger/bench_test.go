package trigger

import (
	"encoding/json"
	"strings"
	"testing"

	"engage-worker/internal/sim/sample"
)

const complexTrigger = `(type = "track" and (event = "Audience Entered" or match(event, "*Exited"))) and ` +
	`properties.ltv >= 1000 and !contains(properties.city, "Bern") and (context.locale = "en-US" or context.personas.computation_key != "x") and userId != null`

func BenchmarkMatch(b *testing.B) {
	exited := strings.Replace(event, "Entered", "Exited", 1)
	page := strings.Replace(event, `"track"`, `"page"`, 1)
	for _, c := range []struct{ name, expr, event string }{
		{"default/match", defaultTrigger, event},
		{"default/other event", defaultTrigger, exited},
		{"default/other type", defaultTrigger, page},
		{"complex/match", complexTrigger, event},
		{"complex/no match", complexTrigger, page},
	} {
		b.Run(c.name, func(b *testing.B) {
			trigger, raw := compile(b, c.expr), []byte(c.event)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				trigger.Match(raw)
			}
		})
	}
}

// BenchmarkMatchEvent is what each further trigger costs.
func BenchmarkMatchEvent(b *testing.B) {
	for name, expr := range map[string]string{"default": defaultTrigger, "complex": complexTrigger} {
		b.Run(name, func(b *testing.B) {
			trigger := compile(b, expr)
			e, err := Parse([]byte(event))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				trigger.MatchEvent(e)
			}
		})
	}
}

func BenchmarkValid(b *testing.B) {
	raw := []byte(event)
	for _, c := range []struct {
		name  string
		valid func()
	}{
		{"trigger", func() { _ = Valid(raw) }},
		{"encoding-json", func() { json.Valid(raw) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				c.valid()
			}
		})
	}
}

// BenchmarkValidMixed checks one event after another as a topic holds them, so
// that the processor can't learn one by heart.
func BenchmarkValidMixed(b *testing.B) {
	g := sample.New(1, sample.Options{Unwanted: 0.5})
	events, size := make([][]byte, 4096), 0
	for i := range events {
		events[i] = g.Next().Value
		size += len(events[i])
	}
	b.SetBytes(int64(size / len(events)))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_ = Valid(events[i])
		i = (i + 1) % len(events)
	}
}

func BenchmarkCompile(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		compile(b, complexTrigger)
	}
}
