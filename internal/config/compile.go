package config

import (
	"engage-worker/actions"
	"engage-worker/internal/config/form"
)

// compile has the definitions compiled and puts their faults where they stand
// in the file. What is reported already isn't reported again as its
// consequence.
func (r *reader) compile(root *form.Node, c *Config, compile compiler) {
	reported := r.Reported()
	veil := r.Veiler()
	for i, d := range c.Destinations {
		base := form.Element("destinations", i)
		at := root.Resolve(base)
		if at.Kind != form.KindObject {
			continue
		}
		regions, faults, warnings := compile(d.Definition, actions.Options{Region: c.wholeTwilioRegion, Regions: c.RegionNames()})
		c.mapped = append(c.mapped, regions...)
		r.warnOfDefinition(at, base, warnings, veil)
		for _, f := range faults {
			path := base
			if f.Path != "" {
				path = form.Child(base, f.Path)
			}
			if path != base && reported.Near(path) {
				continue
			}
			n := *at.Resolve(f.Path)
			n.Path = path
			r.Fault(&n, "%s", veil.Replace(f.Message))
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
