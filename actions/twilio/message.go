package twilio

import (
	"net/http"
	"time"

	"engage-worker/actions/outcome"
)

// Message is one request to Twilio's Messages resource, ready to be sent.
// It holds personal data: never log it.
type Message struct {
	BaseURL string      // scheme://host[:port] of the API, as BaseURL makes it
	To      string      // as Twilio gets it: +1555..., whatsapp:+1555...
	From    string      // as Twilio gets it: a number, a sender id, MG... or whatsapp:+...
	Body    string      // rendered; empty when Twilio renders ContentSid
	HasLink bool        // the body holds a link, which Twilio may shorten
	Form    []FormValue // what is posted, in the order of posting

	Account string // whose message it is
	Access  int    // by which credentials: 0 the settings', n those of the n-th former ones

	notFound bool   // the last attempt was answered with a 404 of Twilio's
	person   string // once asked
}

// Person is whom the message is for, as Person has it.
func (m *Message) Person() string {
	if m.person == "" {
		m.person = Person(m.To)
	}
	return m.person
}

// FormValue is one name and value of a form.
type FormValue struct{ Name, Value string }

// Result is what one attempt came to.
type Result struct {
	Kind       outcome.Kind
	SID        string         // set when sent
	Reason     outcome.Reason // set when not sent
	Concerns   Concern        // what a refusal is about; 0 for any other kind
	Code       int            // Twilio's error code, 0 if unknown
	Status     int            // HTTP status, 0 without an answer
	RequestID  string         // Twilio-Request-Id, or ""
	RetryAfter time.Duration  // 0 if Twilio asked for nothing
	Header     http.Header    // of the answer, or nil
	Err        error          // what went wrong, nil when sent; holds no secret, body or full number
}

// Candidate is a message that Twilio's list shows for a recipient and sender.
type Candidate struct {
	SID     string
	Body    string
	Status  string
	Service string    // the messaging service that it went through, or ""
	Created time.Time // by Twilio's clock, to the second
}
