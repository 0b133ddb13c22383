package config

import (
	"iter"
	"strings"

	"engage-worker/actions"
)

// compile has the definitions compiled and puts their faults where they stand
// in the file. What is reported already isn't reported again as its
// consequence.
func (r *reader) compile(root *node, c *Config, compile compiler) {
	reported := newPlaces(r.faults, r.unknown)
	veil := veiler(r.secrets)
	for i, d := range c.Destinations {
		base := element("destinations", i)
		at := root.resolve(base)
		if at.kind != kindObject {
			continue
		}
		regions, faults, warnings := compile(d.Definition, actions.Options{Region: c.wholeTwilioRegion, Regions: c.RegionNames()})
		c.mapped = append(c.mapped, regions...)
		r.warnOfDefinition(at, base, warnings, veil)
		for _, f := range faults {
			path := base
			if f.Path != "" {
				path = child(base, f.Path)
			}
			if path != base && reported.near(path) {
				continue
			}
			n := *at.resolve(f.Path)
			n.path = path
			r.fault(&n, "%s", veil.Replace(f.Message))
		}
	}
}

// wholeTwilioRegion is TwilioRegion, where both parts are there: one without
// the other is reported where it stands.
func (c *Config) wholeTwilioRegion(name string) (twilioRegion, twilioEdge string) {
	twilioRegion, twilioEdge = c.TwilioRegion(name)
	if twilioRegion == "" || twilioEdge == "" {
		return "", ""
	}
	return twilioRegion, twilioEdge
}

// places are paths, those above and those below them.
type places struct{ at, above map[string]bool }

func newPlaces(faults []Fault, unknown []string) places {
	p := places{map[string]bool{}, map[string]bool{}}
	for _, f := range faults {
		p.add(f.Path)
	}
	for _, path := range unknown {
		p.add(path)
	}
	return p
}

func (p places) add(path string) {
	p.at[path] = true
	for above := range ancestors(path) {
		p.above[above] = true
	}
}

// near reports whether path, something in it or what it is in is one of them.
func (p places) near(path string) bool {
	if p.at[path] || p.above[path] {
		return true
	}
	for above := range ancestors(path) {
		if p.at[above] {
			return true
		}
	}
	return false
}

// ancestors are the paths of what path is in, but for the whole file.
func ancestors(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := len(path) - 1; i > 0; i-- {
			if (path[i] == '.' || path[i] == '[') && !yield(path[:i]) {
				return
			}
		}
	}
}

// below reports whether path is inside of base.
func below(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
