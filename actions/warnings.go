package actions

import (
	"cmp"
	"fmt"

	"engage-worker/actions/trigger"
)

// Warnings says what of a definition works and is likely not meant. A Fault's
// way out is advice here.
func Warnings(def Definition) (warnings []Fault) {
	for i, a := range def.Actions {
		path := fmt.Sprintf("actions[%d]", i)
		for _, message := range trigger.Warnings(cmp.Or(a.Trigger, DefaultTrigger)) {
			warnings = append(warnings, Fault{Path: path + ".trigger", Message: message})
		}
		if a.LiquidFromEvents {
			warnings = append(warnings, Fault{
				Path:    path + ".liquidFromEvents",
				Message: "is true: what stands in an event is rendered as a template, so whoever can write into one, as with a first name, can read the profile that it is rendered with",
			})
		}
		if _, asks := a.Mapping["subscriptionStatus"]; a.Type == SendMessage && !asks {
			warnings = append(warnings, Fault{
				Path:    path + ".mapping",
				Message: "has no subscriptionStatus: the message goes to everybody whom the trigger wants; map it, and only who is subscribed gets it",
			})
		}
	}
	return warnings
}
