package preview

import (
	"fmt"

	"engage-worker/actions"
	"engage-worker/actions/outcome"
)

// Line is what one action makes of one event. Explain is there where it was
// asked for.
type Line struct {
	Event       Place                `json:"event"`
	Destination string               `json:"destination"`
	Action      string               `json:"action"` // "" of an event that is none
	Decision    string               `json:"decision"`
	Reason      string               `json:"reason"`
	Region      string               `json:"region"`
	Request     *Request             `json:"request,omitempty"`
	Error       *Error               `json:"error,omitempty"`
	Warnings    []string             `json:"warnings,omitempty"`
	Explain     *actions.Explanation `json:"explain,omitempty"`
}

// Verdict is the decision, with its reason where that says more.
func (l *Line) Verdict() string {
	if l.Reason == "" || l.Reason == l.Decision {
		return l.Decision
	}
	return l.Decision + ": " + l.Reason
}

// Place tells which event a line is about.
type Place struct {
	File      string `json:"file,omitempty"` // where there are several
	Line      int    `json:"line,omitempty"`
	Partition *int   `json:"partition,omitempty"` // of the topic, with offset, instead of a line
	Offset    *int64 `json:"offset,omitempty"`
	MessageID string `json:"messageId,omitempty"`
}

// String says in words where the event is.
func (p Place) String() string {
	switch {
	case p.Offset != nil:
		return fmt.Sprintf("partition %d, offset %d", *p.Partition, *p.Offset)
	case p.File != "":
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("line %d", p.Line)
	}
}

// Request is the request that would be made.
type Request struct {
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Form   [][2]string `json:"form"`
}

// Field is the first value of a form's field, or "".
func (r *Request) Field(name string) string {
	for _, field := range r.Form {
		if field[0] == name {
			return field[1]
		}
	}
	return ""
}

// Error is why nothing can be sent.
type Error struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// line is what is said of a delivery.
func (d destination) line(delivery actions.Delivery) Line {
	line := Line{
		Event:       Place{MessageID: delivery.MessageID},
		Destination: d.Name(),
		Action:      delivery.Action,
		Decision:    delivery.Decision.String(),
		Reason:      delivery.Reason.String(),
		Region:      delivery.Region,
	}
	if f := delivery.Failure; f != nil {
		line.Error = &Error{Code: f.Code, Message: f.Message, Retryable: f.Retryable}
	}
	if m := delivery.Message; m != nil {
		form := make([][2]string, len(m.Form))
		for i, value := range m.Form {
			form[i] = [2]string{value.Name, value.Value}
		}
		line.Request = &Request{
			Method: "POST",
			URL:    m.BaseURL + "/2010-04-01/Accounts/" + d.settings.TwilioAccountSID + "/Messages.json",
			Form:   form,
		}
	}
	return line
}

// malformed is what is said of a value that is no event: it is no action's.
func malformed(destination string, err error) Line {
	return Line{
		Destination: destination,
		Decision:    actions.DecisionFail.String(),
		Reason:      outcome.ReasonMalformedEvent.String(),
		Error:       &Error{Code: outcome.ReasonMalformedEvent.String(), Message: "the event is malformed: " + err.Error()},
	}
}

func texts(warnings []actions.Warning) (texts []string) {
	for _, w := range warnings {
		texts = append(texts, w.Path+": "+w.Message+"; "+w.WayOut)
	}
	return texts
}
