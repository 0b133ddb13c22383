package config

import (
	"strings"

	"engage-worker/actions"
)

// compile has the definitions compiled and puts their faults where they stand
// in the file. What is reported already isn't reported again as its
// consequence.
func (r *reader) compile(root *node, c *Config, compile func(actions.Definition, actions.Options) ([]string, []actions.Fault)) {
	broken := map[string]bool{}
	for _, f := range r.faults {
		broken[f.Path] = true
	}
	veil := veiler(r.secrets)
	for i, d := range c.Destinations {
		base := element("destinations", i)
		at := root.resolve(base)
		if at.kind != kindObject {
			continue
		}
		regions, faults := compile(d.Definition, actions.Options{Region: c.wholeTwilioRegion})
		c.mapped = append(c.mapped, regions...)
		for _, f := range faults {
			path := base
			if f.Path != "" {
				path = join(base, f.Path)
			}
			if path != base && consequence(broken, path) {
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

// consequence says whether path, something in it or what it is in is broken.
func consequence(broken map[string]bool, path string) bool {
	for b := range broken {
		if b == path || b != "" && (below(path, b) || below(b, path)) {
			return true
		}
	}
	return false
}

// below says whether path is inside of base.
func below(path, base string) bool {
	rest, ok := strings.CutPrefix(path, base)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}
