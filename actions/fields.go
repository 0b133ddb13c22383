package actions

import (
	"fmt"
	"slices"
	"strings"

	"engage-worker/actions/jsvalue"
	"engage-worker/internal/nearest"
)

// fieldID is a field of an action's mapping.
type fieldID uint8

const (
	fieldUserID fieldID = iota
	fieldToNumber
	fieldFrom
	fieldBody
	fieldMedia
	fieldContentSID
	fieldContentVariables
	fieldCustomArgs
	fieldConnectionOverrides
	fieldSend
	fieldTraitEnrichment
	fieldSendBasedOnOptOut
	fieldSegmentComputationID
	fieldExternalIDs
	fieldTraits
	fieldEventOccurredTS
	fieldMessageID
	fieldRegion
	fieldCount
)

// fieldKind is what a field's value must be, or be convertible to.
type fieldKind uint8

const (
	kindString fieldKind = iota + 1
	kindBool
	kindObject
	kindStrings
	kindExternalIDs
)

// field is a field's definition.
type field struct {
	name string
	kind fieldKind
	def  any // the mapping of a field that isn't mapped, nil for none
	// only is the one action type that heeds the field. The other takes it
	// into its configuration and, as the hosted destination, drops it unseen.
	only ActionType
}

// fieldTable is the hosted destination's fields and defaults, but for send,
// which defaults to true, and region, which is this worker's.
func fieldTable() [fieldCount]field {
	path := func(p string) any { return map[string]any{"@path": p} }
	return [fieldCount]field{
		fieldUserID:               {name: "userId", kind: kindString, def: path("$.userId"), only: SendSMS},
		fieldToNumber:             {name: "toNumber", kind: kindString},
		fieldFrom:                 {name: "from", kind: kindString},
		fieldBody:                 {name: "body", kind: kindString},
		fieldMedia:                {name: "media", kind: kindStrings},
		fieldContentSID:           {name: "contentSid", kind: kindString},
		fieldContentVariables:     {name: "contentVariables", kind: kindObject},
		fieldCustomArgs:           {name: "customArgs", kind: kindObject},
		fieldConnectionOverrides:  {name: "connectionOverrides", kind: kindString},
		fieldSend:                 {name: "send", kind: kindBool, def: true},
		fieldTraitEnrichment:      {name: "traitEnrichment", kind: kindBool, def: true},
		fieldSendBasedOnOptOut:    {name: "sendBasedOnOptOut", kind: kindBool, def: false, only: SendSMS},
		fieldSegmentComputationID: {name: "segmentComputationId", kind: kindString, def: path("$.context.personas.computation_id")},
		fieldExternalIDs: {name: "externalIds", kind: kindExternalIDs, def: map[string]any{"@arrayPath": []any{
			"$.external_ids", map[string]any{
				"id": path("$.id"), "type": path("$.type"), "channelType": path("$.channelType"),
				"subscriptionStatus": path("$.isSubscribed"),
			},
		}}},
		fieldTraits:          {name: "traits", kind: kindObject, def: path("$.properties")},
		fieldEventOccurredTS: {name: "eventOccurredTS", kind: kindString, def: path("$.timestamp")},
		fieldMessageID:       {name: "messageId", kind: kindString, def: path("$.messageId"), only: SendSMS},
		fieldRegion:          {name: "region", kind: kindString},
	}
}

// unknownField says what is wrong with a name that no field has.
func unknownField(name string, fields *[fieldCount]field) string {
	names := make([]string, 0, fieldCount)
	for i := range fields {
		names = append(names, fields[i].name)
	}
	slices.Sort(names)
	if best, ok := nearest.Name(name, names); ok {
		return fmt.Sprintf("there is no such field; did you mean %s?", best)
	}
	return "there is no such field; there are " + strings.Join(names, ", ")
}

// kindName is what a value is called in faults and failures.
func kindName(v any) string {
	switch jsvalue.Of(v).(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}
