package twilio

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"time"
)

const (
	listOp       = "list messages"
	listPageSize = "1000" // the most that Twilio gives
	maxListPages = 20     // 20,000 messages to one recipient
)

// listPage is what is read of a page of Twilio's list.
type listPage struct {
	Messages    []listedMessage `json:"messages"`
	NextPageURI *string         `json:"next_page_uri"`
}

type listedMessage struct {
	SID                 string  `json:"sid"`
	Body                *string `json:"body"`
	Status              string  `json:"status"`
	Direction           string  `json:"direction"`
	To                  *string `json:"to"`
	From                *string `json:"from"`
	MessagingServiceSID *string `json:"messaging_service_sid"`
	DateCreated         string  `json:"date_created"`
}

// List is what Twilio accepted for m's recipient from m's sender or messaging
// service and created at or after since, oldest first, over all pages. Twilio's
// list can be asked by recipient only: DateSent, its one date, is unset
// while a message is queued. Twilio's times are to the second, so since counts from
// the start of its second.
//
// Every error is a *LookupError. One that isn't Retryable means that the list
// can't tell: an empty list always means that Twilio shows no such message.
func (c *Client) List(ctx context.Context, m *Message, since time.Time) ([]Candidate, error) {
	to, err := listed(m.To)
	if err != nil {
		return nil, &LookupError{Op: listOp, Err: err}
	}
	path := "/2010-04-01/Accounts/" + c.accountSID + "/Messages.json"
	next := path + "?" + url.Values{"To": {to}, "PageSize": {listPageSize}}.Encode()
	query := listQuery{from: m.From, to: to, since: since.Truncate(time.Second), path: path}
	seen := map[string]bool{} // pages shift while messages are added
	var found []Candidate
	for range maxListPages {
		body, err := c.lists.Get(ctx, listOp, m.BaseURL+next)
		if err != nil {
			return nil, err
		}
		page, following, err := query.read(body)
		if err != nil {
			return nil, err
		}
		for _, candidate := range page {
			if !seen[candidate.SID] {
				seen[candidate.SID] = true
				found = append(found, candidate)
			}
		}
		if following == "" {
			slices.SortStableFunc(found, func(a, b Candidate) int { return a.Created.Compare(b.Created) })
			return found, nil
		}
		next = following
	}
	return nil, unreadable("more pages than can be read for one recipient")
}

// listQuery is what a page is searched for.
type listQuery struct {
	from, to string
	since    time.Time // a whole second
	path     string    // of the list
}

// read is a page's candidates, in its order, and the path and query of the
// next page, or "".
func (q *listQuery) read(body []byte) (found []Candidate, next string, err error) {
	var page listPage
	if err := json.Unmarshal(body, &page); err != nil || page.Messages == nil {
		return nil, "", unreadable("the answer is not a list of messages")
	}
	for _, message := range page.Messages {
		candidate, ok, err := q.candidate(message)
		if err != nil {
			return nil, "", err
		}
		if ok {
			found = append(found, candidate)
		}
	}
	if page.NextPageURI != nil && *page.NextPageURI != "" {
		next, err = nextPage(*page.NextPageURI, q.path)
	}
	return found, next, err
}

// candidate is l as a Candidate; ok is false when it surely isn't one.
func (q *listQuery) candidate(l listedMessage) (_ Candidate, ok bool, _ error) {
	switch {
	case l.Direction == "inbound",
		l.To != nil && !sameRecipient(*l.To, q.to),
		!(l.From != nil && sameSender(*l.From, q.from) || l.MessagingServiceSID != nil && *l.MessagingServiceSID == q.from):
		return Candidate{}, false, nil
	}
	created, err := mail.ParseDate(l.DateCreated)
	if err != nil {
		created, err = time.Parse(time.RFC3339, l.DateCreated)
	}
	if err != nil || l.SID == "" {
		return Candidate{}, false, unreadable("a message of the list has no SID or no date")
	}
	if created.Before(q.since) {
		return Candidate{}, false, nil
	}
	candidate := Candidate{SID: l.SID, Status: l.Status, Created: created.UTC()}
	if l.Body != nil {
		candidate.Body = *l.Body
	}
	return candidate, true, nil
}

// nextPage is the path and query of the next page. It stays on the list's own
// resource and host, to which alone the credentials go.
func nextPage(uri, path string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Path != path || u.Opaque != "" {
		return "", unreadable("the next page is elsewhere than the list")
	}
	return path + "?" + u.RawQuery, nil
}

// unreadable is an answer that can't be made sense of, now or later.
func unreadable(why string) *LookupError {
	return &LookupError{Op: listOp, Status: http.StatusOK, Err: errors.New(why)}
}
