package actions

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	"engage-worker/actions/jsvalue"
)

// Fingerprint is the same for destinations that decide alike who gets a
// message, by which action, and through which account, host and sender; it
// is never 0. Texts, pictures, templates, keys and callbacks have no part
// in it: replicas that differ in these alone work side by side. It depends on
// nothing else than the configuration, in every process and version.
func (d *Destination) Fingerprint() uint64 { return d.fingerprint }

// fingerprint is computed once the definition is known to be good.
func (c *compiler) fingerprint() uint64 {
	h := sha256.New()
	s := &c.def.Settings
	write(h, c.def.Name, s.TwilioAccountSID, s.SpaceID, s.ProfileAPIEnvironment, s.ProfileAPIHostname, c.d.region)
	for _, region := range slices.Sorted(maps.Keys(c.d.endpoints)) {
		write(h, region, c.d.endpoints[region].api)
	}
	for i := range c.def.Actions {
		a := &c.def.Actions[i]
		write(h, a.Name, string(a.Type), a.Trigger, fmt.Sprint(a.Disabled))
		write(h, slices.Sorted(slices.Values(a.FormerNames))...)
		texts := map[string]bool{}
		for _, f := range fieldTable(a.Type) {
			texts[f.name] = f.id.isContent()
		}
		for _, name := range slices.Sorted(maps.Keys(a.Mapping)) {
			if !texts[name] {
				write(h, name, jsvalue.Encode(a.Mapping[name]))
			}
		}
	}
	return max(1, binary.BigEndian.Uint64(h.Sum(nil))>>2) // of 62 bits
}

// isContent reports whether the field only says what a message holds, or what
// its callbacks say.
func (id fieldID) isContent() bool {
	switch id {
	case fieldBody, fieldMedia, fieldContentSID, fieldContentVariables, fieldContentType, fieldTemplateMedia, fieldInlineVariables,
		fieldCustomArgs, fieldConnectionOverrides, fieldTags, fieldTraits, fieldTraitEnrichment, fieldEventOccurredTS, fieldValidityPeriod:
		return true
	}
	return false
}

// write adds a list of texts to a hash so that no other list adds the same.
func write(h io.Writer, texts ...string) {
	fmt.Fprintf(h, "%d:", len(texts))
	for _, s := range texts {
		fmt.Fprintf(h, "%d:%s", len(s), s)
	}
}
