package twiliosim

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	defaultPageSize = 50
	maxPageSize     = 1000
)

// listQuery is what a list is asked for.
type listQuery struct {
	to, from         string
	sentOn           time.Time // a day, or a second
	sentOnDay        bool
	notBefore, until time.Time // both included
	page, size       int
	before           uint64 // a page begins below this message; 0 = at the newest
}

// parse reads a list's query. DateSent< and DateSent> come as parameters of
// these names, from "DateSent<=..." or escaped; both include their date.
func (q *listQuery) parse(values url.Values, s *Sim) apiError {
	q.to, q.from = filterAddress(values.Get("To")), filterAddress(values.Get("From"))
	q.size = defaultPageSize
	if text := values.Get("PageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return badRequest(20001, "PageSize must be a number above 0")
		}
		q.size = min(n, maxPageSize)
	}
	if n, err := strconv.Atoi(values.Get("Page")); err == nil && n > 0 {
		q.page = n
	}
	if token := values.Get("PageToken"); token != "" {
		seq, ok := s.seqOf(strings.TrimPrefix(token, "PA"))
		if !ok {
			return badRequest(20001, "PageToken is invalid")
		}
		q.before = seq
	}
	for name, at := range map[string]*time.Time{"DateSent": &q.sentOn, "DateSent>": &q.notBefore, "DateSent<": &q.until} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		day, err := parseDate(text, at)
		if err != nil {
			return badRequest(20001, "%s must be a date, 2006-01-02 or 2006-01-02T15:04:05Z", name)
		}
		if name == "DateSent" {
			q.sentOnDay = day
		}
	}
	return apiError{}
}

func parseDate(text string, into *time.Time) (day bool, err error) {
	if *into, err = time.Parse(time.DateOnly, text); err == nil {
		return true, nil
	}
	*into, err = time.Parse(time.RFC3339, text)
	return false, err
}

// filterAddress is an address as messages show it, where it can be one.
func filterAddress(text string) string {
	channel, number := address(text)
	if e164, ok := normaliseOn(channel, number); ok && text != "" {
		return channel + e164
	}
	return text
}

// wants reports whether a message is in the list at a moment.
func (q *listQuery) wants(s *Sim, rec *record, now time.Time) bool {
	sent, isSent := s.sentAt(rec, now)
	if q.from != "" {
		from := rec.from
		if isSent {
			from = poolSender(rec) // a service's message has no sender before
		}
		if from != q.from {
			return false
		}
	}
	if q.sentOn.IsZero() && q.notBefore.IsZero() && q.until.IsZero() {
		return true
	}
	if !isSent {
		return false // date_sent is null
	}
	at := sent.Add(s.opts.ClockOffset).UTC().Truncate(time.Second)
	switch {
	case !q.notBefore.IsZero() && at.Before(q.notBefore):
		return false
	case !q.until.IsZero() && at.After(q.until):
		return false
	case q.sentOn.IsZero():
		return true
	case q.sentOnDay:
		return at.Truncate(24 * time.Hour).Equal(q.sentOn)
	}
	return at.Equal(q.sentOn)
}

// list shows a page of an account's messages, newest first. A PageToken
// anchors a page to the last message of the one before, so that messages
// accepted meanwhile shift nothing.
func (s *Sim) list(w http.ResponseWriter, r *http.Request, account string) {
	s.count(func(c *counters) { c.lists++ })
	rule, ok := s.admit(w, r, account, r.URL.Query().Get("From"))
	if !ok {
		return
	}
	rules := s.faults.Load()
	if rule.ListErrors > 0 && unit(rules.draw()) < rule.ListErrors {
		s.refuse(w, r, errInternal)
		return
	}
	var q listQuery
	values := r.URL.Query()
	if refusal := q.parse(values, s); refusal != (apiError{}) {
		s.refuse(w, r, refusal)
		return
	}
	found, more := s.find(account, &q, rule.ListLag)

	now := time.Now()
	start := q.page * q.size
	page := messagePage{
		Messages: make([]*resource, len(found)), Page: q.page, PageSize: q.size, Start: start, End: start + max(len(found)-1, 0),
		URI: pageURI(account, values, q.page, values.Get("PageToken")), FirstPageURI: pageURI(account, values, 0, ""),
	}
	for i := range found {
		page.Messages[i] = s.listed(&found[i], now)
	}
	if more {
		uri := pageURI(account, values, q.page+1, "PA"+s.sid(&found[len(found)-1]))
		page.NextPageURI = &uri
	}
	if q.page > 0 {
		uri := pageURI(account, values, q.page-1, "")
		page.PreviousPageURI = &uri
	}
	s.answer(w, http.StatusOK, page)
}

// messagePage is Twilio's document of a list.
type messagePage struct {
	Messages        []*resource `json:"messages"`
	Start           int         `json:"start"`
	End             int         `json:"end"`
	Page            int         `json:"page"`
	PageSize        int         `json:"page_size"`
	URI             string      `json:"uri"`
	FirstPageURI    string      `json:"first_page_uri"`
	PreviousPageURI *string     `json:"previous_page_uri"`
	NextPageURI     *string     `json:"next_page_uri"`
}

// pageURI is the list's address with the same filters, relative to the host.
func pageURI(account string, values url.Values, page int, token string) string {
	u := make(url.Values, len(values)+2)
	for name, v := range values {
		if name != "Page" && name != "PageToken" {
			u[name] = v
		}
	}
	if u.Get("PageSize") == "" {
		u.Set("PageSize", strconv.Itoa(defaultPageSize))
	}
	u.Set("Page", strconv.Itoa(page))
	if token != "" {
		u.Set("PageToken", token)
	}
	return accountsPrefix + account + "/Messages.json?" + u.Encode()
}

// find collects a page and reports whether another follows.
func (s *Sim) find(account string, q *listQuery, lag time.Duration) (found []record, more bool) {
	now := time.Now()
	visible := now.Add(-lag).UnixNano()
	before, skip := q.before, 0
	if before == 0 {
		before, skip = 1<<63, q.page*q.size
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.newest(account, q.to, before, func(rec *record) bool {
		switch {
		case rec.accepted > visible || !q.wants(s, rec, now):
			return true
		case skip > 0:
			skip--
			return true
		case len(found) == q.size:
			more = true
			return false
		}
		found = append(found, *rec)
		return true
	})
	return found, more
}

// fetch shows one message. Twilio shows it at once, however its list lags.
func (s *Sim) fetch(w http.ResponseWriter, r *http.Request, account, sid string) {
	s.count(func(c *counters) { c.fetches++ })
	if _, ok := s.admit(w, r, account, ""); !ok {
		return
	}
	seq, ok := s.seqOf(sid)
	var rec *record
	if ok {
		s.mu.Lock()
		rec = s.store.get(seq)
		s.mu.Unlock()
	}
	if rec == nil || rec.account != account || s.sid(rec) != sid {
		s.refuse(w, r, notFound(r.URL.EscapedPath()))
		return
	}
	s.answer(w, http.StatusOK, s.listed(rec, time.Now()))
}

// admit does what reading requests go through: credentials, outage, latency.
func (s *Sim) admit(w http.ResponseWriter, r *http.Request, account, sender string) (*rule, bool) {
	if !s.authorised(r, account) {
		s.refuse(w, r, errAuthenticate)
		return nil, false
	}
	return s.let(w, r, account, sender, true)
}

// let is admit for who is authorised already. Not all credentials are a key of
// Twilio's, which it may refuse.
func (s *Sim) let(w http.ResponseWriter, r *http.Request, account, sender string, byKey bool) (*rule, bool) {
	rules := s.faults.Load()
	rule := rules.match(account, sender, r)
	switch {
	case s.out(w, r, rule):
	case byKey && rule.KeyRefused:
		s.refuse(w, r, errAuthenticate)
	case !s.pause(r, rule.latency(rules.draw())):
		s.hangUp(w)
	default:
		return rule, true
	}
	return nil, false
}

// seqOf is the message that a SID of this Sim stands for.
func (s *Sim) seqOf(sid string) (seq uint64, ok bool) {
	if len(sid) != 34 {
		return 0, false
	}
	raw, err := hex.DecodeString(sid[2:])
	if err != nil || [8]byte(raw[:8]) != s.instance {
		return 0, false
	}
	return binary.BigEndian.Uint64(raw[8:]) * oddInverse, true
}
