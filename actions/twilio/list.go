package twilio

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	listOp        = "list messages"
	listPageSize  = 1000 // the most that Twilio gives
	maxListPages  = 20   // 20,000 messages to one recipient
	maxCandidates = 1000 // of one sender since one request
)

// List is what Twilio accepted for m's recipient from m's sender or messaging
// service and created at or after since, oldest first, over all pages. Twilio's
// list can be asked by recipient only: DateSent, its one date, is unset
// while a message is queued. Twilio's times are to the second, so since counts from
// the start of its second.
//
// Every error is a *LookupError. One that isn't Retryable means that the list
// can't tell, now or later. An empty list always means that Twilio shows no such
// message: what isn't a whole page of its list is an error, with a 200 too.
func (c *Client) List(ctx context.Context, m *Message, since time.Time) ([]Candidate, error) {
	to, err := listed(m.To)
	if err != nil {
		return nil, &LookupError{Op: listOp, Err: err}
	}
	path := "/2010-04-01/Accounts/" + c.accountSID + "/Messages.json"
	next := path + "?" + url.Values{"To": {to}, "PageSize": {strconv.Itoa(listPageSize)}}.Encode()
	query := listQuery{account: c.accountSID, from: m.From, to: to, since: since.Truncate(time.Second)}
	asked := map[string]bool{}
	for range maxListPages {
		if asked[next] {
			return nil, unreadable("a next page was read already")
		}
		asked[next] = true
		var following string
		err := c.lists.Read(ctx, listOp, m.BaseURL+next, func(body io.Reader) error {
			var err error
			following, err = readPage(body, query.look)
			return err
		})
		if err != nil {
			return nil, err
		}
		if following == "" {
			slices.SortStableFunc(query.found, func(a, b Candidate) int { return a.Created.Compare(b.Created) })
			return query.found, nil
		}
		if next, err = nextPage(following, m.BaseURL, path); err != nil {
			return nil, err
		}
	}
	return nil, unreadable("more pages than can be read for one recipient")
}

// listQuery is what pages are searched for, and what is found.
type listQuery struct {
	account  string
	from, to string
	since    time.Time // a whole second
	found    []Candidate
	seen     map[string]bool // SIDs: pages shift while messages are added
}

// look keeps l if it is a candidate.
func (q *listQuery) look(l *listedMessage) error {
	candidate, ok, err := q.candidate(l)
	if err != nil || !ok || q.seen[candidate.SID] {
		return err
	}
	if len(q.found) == maxCandidates {
		return unreadable("more messages of one sender than can be told apart")
	}
	if q.seen == nil {
		q.seen = map[string]bool{}
	}
	q.seen[candidate.SID] = true
	q.found = append(q.found, candidate)
	return nil
}

// candidate is l as a Candidate; ok is false when it surely isn't one. What
// names no recipient or sender can't be told: it may be the message.
func (q *listQuery) candidate(l *listedMessage) (_ Candidate, ok bool, _ error) {
	switch {
	case !isMessageSID(l.SID):
		return Candidate{}, false, errNoPage
	case l.AccountSID != "" && !strings.EqualFold(l.AccountSID, q.account):
		return Candidate{}, false, unreadable("the list shows something else than the account's messages")
	case l.To == "" || l.From == "" && l.MessagingServiceSID == "":
		return Candidate{}, false, unreadable("a message of the list has no recipient or no sender")
	case l.Direction == "inbound", !sameRecipient(l.To, q.to),
		!(sameSender(l.From, q.from) || l.MessagingServiceSID == q.from):
		return Candidate{}, false, nil
	}
	created, err := mail.ParseDate(l.DateCreated)
	if err != nil {
		created, err = time.Parse(time.RFC3339, l.DateCreated)
	}
	if err != nil {
		return Candidate{}, false, unreadable("a message of the list has no date")
	}
	if created.Before(q.since) {
		return Candidate{}, false, nil
	}
	return Candidate{SID: l.SID, Body: l.Body, Status: l.Status, Service: l.MessagingServiceSID, Created: created.UTC()}, true, nil
}

// nextPage is the path and query of the next page. It stays on the list's own
// resource and host, to which alone the credentials go.
func nextPage(uri, baseURL, path string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Path != path || u.Opaque != "" || u.User != nil ||
		(u.Scheme != "" || u.Host != "") && !strings.EqualFold(u.Scheme+"://"+u.Host, baseURL) {
		return "", unreadable("the next page is elsewhere than the list")
	}
	return path + "?" + u.RawQuery, nil
}

// unreadable is a page that can't be made sense of, now or later.
func unreadable(why string) *LookupError {
	return &LookupError{Op: listOp, Status: http.StatusOK, Err: errors.New(why)}
}
