package letters

import (
	"strconv"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/deadletter"
)

// Column is a column of a list of dead letters. Text tells nothing of the event.
type Column struct {
	Name   string // as `dlq list --columns` has it
	Head   string // for people
	Number bool
	Spare  int                             // the lower, the sooner a table without room leaves it out; 0: never
	Text   func(*deadletter.Record) string // for programs: times are RFC 3339
}

// Columns are all columns, in the order of JSON and CSV.
func Columns() []Column {
	return []Column{
		{"failed_at", "Failed", false, 0, func(r *deadletter.Record) string { return Stamp(r.FailedAt()) }},
		{"id", "Id", false, 0, (*deadletter.Record).ID},
		{"reason", "Reason", false, 0, func(r *deadletter.Record) string { return r.Reason }},
		{"disposition", "Disposition", false, 1, func(r *deadletter.Record) string { return string(r.Disposition) }},
		{"destination", "Destination", false, 5, func(r *deadletter.Record) string { return r.Destination }},
		{"action", "Action", false, 7, func(r *deadletter.Record) string { return r.Action }},
		{"region", "Region", false, 3, func(r *deadletter.Record) string { return r.Region }},
		{"twilio_code", "Code", true, 8, func(r *deadletter.Record) string { return Number(r.TwilioCode) }},
		{"recipient", "Recipient", false, 6, func(r *deadletter.Record) string { return r.Recipient }},
		{"user_id", "User", false, 4, func(r *deadletter.Record) string { return r.UserID }},
		{"message_id", "Message id", false, 4, func(r *deadletter.Record) string { return r.MessageID }},
		{"replays", "Replays", true, 2, func(r *deadletter.Record) string { return strconv.Itoa(r.Replays) }},
		{"message", "Message", false, 0, func(r *deadletter.Record) string { return r.Message }},
		{"position", "Position", false, 1, func(r *deadletter.Record) string { return r.Position.String() }},
		{"twilio_meaning", "Meaning", false, 0, func(r *deadletter.Record) string { return CodeMeaning(r.TwilioCode) }},
		{"state", "State", false, 9, func(r *deadletter.Record) string { return string(r.State) }},
		{"state_why", "State why", false, 0, func(r *deadletter.Record) string { return r.StateWhy }},
	}
}

// ColumnNames are the columns' names.
func ColumnNames() []string {
	columns := Columns()
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return names
}

// Tight reports whether the column's texts are words, not sentences.
func (c Column) Tight() bool {
	switch c.Name {
	case "message", "twilio_meaning", "state_why", "user_id", "message_id":
		return false
	}
	return true
}

// CodeMeaning is what Twilio's code means, "" where there is none, or nobody knows.
func CodeMeaning(code int) string {
	if code == 0 {
		return ""
	}
	meaning, _ := twilio.Explain(code)
	return meaning
}

// Number is n, "" for 0.
func Number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// Stamp is how times are written for programs: RFC 3339, to the millisecond.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}
