package twilio

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"engage-worker/actions/internal/lookup"
)

// listedMessage is what is read of a message of Twilio's list. null leaves a
// text empty.
type listedMessage struct {
	SID                 string `json:"sid"`
	AccountSID          string `json:"account_sid"`
	Body                string `json:"body"`
	Status              string `json:"status"`
	Direction           string `json:"direction"`
	To                  string `json:"to"`
	From                string `json:"from"`
	MessagingServiceSID string `json:"messaging_service_sid"`
	DateCreated         string `json:"date_created"`
	DateSent            string `json:"date_sent"`
	DateUpdated         string `json:"date_updated"`
	NumSegments         loose  `json:"num_segments"`
	ErrorCode           loose  `json:"error_code"`
}

// loose is a number, whether it comes as one or as text; 0 for anything else.
type loose int

func (n *loose) UnmarshalJSON(b []byte) error {
	v, _ := strconv.Atoi(strings.Trim(string(b), `"`))
	*n = loose(v)
	return nil
}

// maxValue bounds one message of a page, or any other of its values: a message
// is 2 kB, and its body has 1,600 characters.
const maxValue = 64 << 10

// readPage reads a page of Twilio's list as it comes, a message at a time, and
// gives each to look. It returns the next page's address, or "". Neither the
// page's size nor what it holds makes it take more memory than one message.
// An error that isn't look's means that the answer was cut off, or isn't a page of
// Twilio's: it may pass.
func readPage(body io.Reader, look func(*listedMessage) error) (next string, err error) {
	p := page{source: body, look: look}
	p.decoder = json.NewDecoder(&p)
	if err := p.read(); err != nil {
		return "", p.cause(err)
	}
	if !p.listed || !p.ends {
		return "", errNoPage
	}
	return p.next, nil
}

// errNoPage is an answer that isn't a page of the list, whatever its HTTP status
// says: an error's JSON, or what is less than a page. It tells nothing of messages.
var errNoPage = &LookupError{Op: listOp, Status: http.StatusOK, Retryable: true, Err: errors.New("the answer is not a page of messages")}

// page is one that is being read.
type page struct {
	source  io.Reader
	decoder *json.Decoder // reads from the page, which reads from source
	taken   int64         // bytes from source
	look    func(*listedMessage) error

	listed   bool // there is a list
	messages int
	ends     bool // it says what comes after it, be it nothing
	next     string
}

// Read is source's, as long as the value that is being decoded isn't too large.
func (p *page) Read(b []byte) (int, error) {
	if p.taken-p.decoder.InputOffset() > maxValue {
		return 0, lookup.ErrTooLarge
	}
	n, err := p.source.Read(b)
	p.taken += int64(n)
	return n, err
}

func (p *page) read() error {
	if err := p.expect('{'); err != nil {
		return err
	}
	for p.decoder.More() {
		name, err := p.decoder.Token()
		if err != nil {
			return err
		}
		switch name {
		case "messages":
			err = p.readMessages()
		case "next_page_uri":
			p.ends, err = true, p.decoder.Decode(&p.next)
		default:
			err = p.decoder.Decode(&struct{}{}) // whatever it is, it isn't kept
			if _, other := errors.AsType[*json.UnmarshalTypeError](err); other {
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	if err := p.expect('}'); err != nil {
		return err
	}
	if _, err := p.decoder.Token(); err != io.EOF {
		if err == nil {
			err = lookup.ErrNotJSON // more than one value
		}
		return err
	}
	return nil
}

func (p *page) readMessages() error {
	if err := p.expect('['); err != nil {
		return err
	}
	p.listed = true
	for p.decoder.More() {
		if p.messages++; p.messages > listPageSize {
			return unreadable("a page has more messages than were asked for")
		}
		var message listedMessage
		if err := p.decoder.Decode(&message); err != nil {
			return err
		}
		if err := p.look(&message); err != nil {
			return err
		}
	}
	return p.expect(']')
}

func (p *page) expect(want json.Delim) error {
	token, err := p.decoder.Token()
	if err == nil && token != want {
		err = errNoPage
	}
	return err
}

// cause is what an error of the decoder's means.
func (p *page) cause(err error) error {
	if _, other := errors.AsType[*json.UnmarshalTypeError](err); other || errors.Is(err, lookup.ErrTooLarge) {
		return errNoPage
	}
	if _, broken := errors.AsType[*json.SyntaxError](err); broken || errors.Is(err, io.EOF) {
		return lookup.ErrNotJSON
	}
	return err
}
