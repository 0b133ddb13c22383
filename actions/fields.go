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

	// Of a sendMessage, which shares toNumber, from, body, media, contentSid
	// and contentVariables.
	fieldChannel
	fieldSenderType
	fieldContentType
	fieldToMessenger
	fieldFromMessenger
	fieldService
	fieldTemplateMedia
	fieldInlineVariables
	fieldValidityPeriod
	fieldSendAt
	fieldTags
	fieldStatus
)

// fieldKind is what a field's value must be, or be convertible to.
type fieldKind uint8

const (
	kindString fieldKind = iota + 1
	kindText             // a string that is a template
	kindBool
	kindObject
	kindTextObject // an object whose texts are templates
	kindTexts
	kindExternalIDs
	kindURLs
	kindNumber
	kindTime
)

// isTemplate reports whether texts in the field are templates.
func (k fieldKind) isTemplate() bool {
	return k == kindText || k == kindTexts || k == kindTextObject
}

// field is a field's definition.
type field struct {
	id   fieldID
	name string
	kind fieldKind
	def  any // the mapping of a field that isn't mapped, nil for none
	// only is the one action type that heeds the field. The other takes it
	// into its configuration and, as the hosted destination, drops it unseen.
	only ActionType
}

// fieldTable is the fields of an action of type t.
func fieldTable(t ActionType) []field {
	if t == SendMessage {
		return messageTable()
	}
	return engageTable()
}

// engageTable is the hosted destination's fields and defaults, except for send,
// which defaults to true, and region, which is this worker's.
func engageTable() []field {
	path := func(p string) any { return map[string]any{"@path": p} }
	return []field{
		{id: fieldUserID, name: "userId", kind: kindString, def: path("$.userId"), only: SendSMS},
		{id: fieldToNumber, name: "toNumber", kind: kindString},
		{id: fieldFrom, name: "from", kind: kindString},
		{id: fieldBody, name: "body", kind: kindText},
		{id: fieldMedia, name: "media", kind: kindTexts},
		{id: fieldContentSID, name: "contentSid", kind: kindString},
		{id: fieldContentVariables, name: "contentVariables", kind: kindTextObject},
		{id: fieldCustomArgs, name: "customArgs", kind: kindObject},
		{id: fieldConnectionOverrides, name: "connectionOverrides", kind: kindString},
		{id: fieldSend, name: "send", kind: kindBool, def: true},
		{id: fieldTraitEnrichment, name: "traitEnrichment", kind: kindBool, def: true},
		{id: fieldSendBasedOnOptOut, name: "sendBasedOnOptOut", kind: kindBool, def: false, only: SendSMS},
		{id: fieldSegmentComputationID, name: "segmentComputationId", kind: kindString, def: path("$.context.personas.computation_id")},
		{id: fieldExternalIDs, name: "externalIds", kind: kindExternalIDs, def: map[string]any{"@arrayPath": []any{
			"$.external_ids", map[string]any{
				"id": path("$.id"), "type": path("$.type"), "channelType": path("$.channelType"),
				"subscriptionStatus": path("$.isSubscribed"),
			},
		}}},
		{id: fieldTraits, name: "traits", kind: kindObject, def: path("$.properties")},
		{id: fieldEventOccurredTS, name: "eventOccurredTS", kind: kindString, def: path("$.timestamp")},
		{id: fieldMessageID, name: "messageId", kind: kindString, def: path("$.messageId"), only: SendSMS},
		{id: fieldRegion, name: "region", kind: kindString},
	}
}

// FieldNames are the fields that some action's mapping may have, sorted.
func FieldNames() []string {
	var names []string
	for _, f := range slices.Concat(engageTable(), messageTable()) {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unknownField says what is wrong with a name that no field has.
func unknownField(name string, fields []field) string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.name)
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
