package twiliosim

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxForm bounds what is read of a request. Twilio's own limits are lower.
const maxForm = 256 << 10

// create makes a message: doc.go shows the order.
func (s *Sim) create(w http.ResponseWriter, r *http.Request, account string) {
	received := time.Now()
	raw, err := readForm(r)
	if err != nil {
		s.refuse(w, r, badRequest(20001, "The form could not be read: %v", err))
		return
	}
	form := parseCreateForm(raw)
	s.received(received, account, form.sender())
	if !s.authorised(r, account) {
		s.refuse(w, r, errAuthenticate)
		return
	}

	rules := s.faults.Load()
	rule := rules.match(account, form.sender(), r)
	busy := rule.inFlight.Add(1)
	defer rule.inFlight.Add(-1)
	w.Header()["Twilio-Concurrent-Requests"] = []string{strconv.FormatInt(busy, 10)}

	if s.out(w, r, rule) {
		return
	}
	if rule.KeyRefused {
		s.refuse(w, r, errAuthenticate)
		return
	}
	draw := rules.draw()
	latency := rule.latency(draw)
	if rule.Storm || rule.MaxConcurrent > 0 && busy > int64(rule.MaxConcurrent) || rule.limiter != nil && !rule.limiter.Allow() {
		s.throttle(w, r, rule, latency, account, form.sender(), received)
		return
	}
	to, refusal := s.validate(&form)
	if rule.SenderRefused {
		refusal = errNotOwned
	}
	if refusal != (apiError{}) {
		s.pause(r, latency)
		s.refuse(w, r, refusal)
		return
	}

	fault := rule.fault(draw)
	if fault != 0 {
		s.count(func(c *counters) { c.faults[fault]++ })
	}
	if fault == faultThrottled {
		s.throttle(w, r, rule, latency, account, form.sender(), received)
		return
	}
	if s.failed(w, r, rule, fault, latency) {
		return
	}

	rec := record{
		account: account, to: to, from: form.from, service: form.service, raw: raw, media: form.media > 0,
		remote: r.RemoteAddr, host: r.Host, received: received.UnixNano(), fault: fault,
	}
	s.accept(&rec, form.callback)
	s.acknowledge(w, r, rule, &rec, &form, latency)
}

// failed carries out a fault that comes before acceptance, and reports whether
// the request ends with it.
func (s *Sim) failed(w http.ResponseWriter, r *http.Request, rule *rule, fault fault, latency time.Duration) bool {
	switch fault {
	case faultUnavailable:
		s.pause(r, latency)
		s.refuse(w, r, errUnavailable)
	case faultFailed:
		s.pause(r, latency)
		s.refuse(w, r, errInternal)
	case faultReset:
		s.hangUp(w)
	case faultSilent:
		s.silence(w, r)
	case faultLate:
		// Processed in the end, whether or not anyone still listens.
		if s.wait(rule.LateFor, nil) {
			return false
		}
		s.hangUp(w)
	default:
		return false
	}
	return true
}

// acknowledge answers for a message that was accepted, as its fault has it.
func (s *Sim) acknowledge(w http.ResponseWriter, r *http.Request, rule *rule, rec *record, form *createForm, latency time.Duration) {
	switch rec.fault {
	case faultAcceptedThen500:
		s.pause(r, latency)
		s.refuse(w, r, errInternal)
		return
	case faultAcceptedThenReset:
		s.pause(r, latency)
		s.hangUp(w)
		return
	case faultAcceptedThenSilence:
		s.silence(w, r)
		return
	case faultGarbled:
		s.pause(r, latency)
		s.answerBytes(w, http.StatusCreated, []byte(`{"sid": "SM`))
		return
	case faultSlow:
		latency += rule.SlowFor
	}
	if !s.pause(r, latency) {
		s.hangUp(w) // nobody listens any more
		return
	}
	// The answer shows the message of that moment: not yet assigned to a
	// sender of its service, its links not yet shortened.
	s.answer(w, http.StatusCreated, s.resource(rec, time.Unix(0, rec.accepted), form))
}

// accept records a message, counts it, tells OnAccepted and has the callbacks
// come.
func (s *Sim) accept(rec *record, callback string) {
	course := s.course.Load()
	s.mu.Lock()
	rec.accepted = time.Now().UnixNano()
	rec.fate = s.fateOf(course, s.store.next, rec.to)
	s.store.add(rec)
	s.counters.ends[rec.fate.end()]++
	s.counters.accepted++
	s.counters.second(rec.received, rec.account, rec.sender()).Accepted++
	s.mu.Unlock()
	if s.opts.OnAccepted != nil {
		s.opts.OnAccepted(s.message(rec))
	}
	s.schedule(rec, course, callback)
}

func (s *Sim) received(at time.Time, account, sender string) {
	s.mu.Lock()
	s.counters.received++
	s.counters.second(at.UnixNano(), account, sender).Received++
	s.mu.Unlock()
}

func (s *Sim) throttle(w http.ResponseWriter, r *http.Request, rule *rule, latency time.Duration, account, sender string, at time.Time) {
	s.count(func(c *counters) { c.second(at.UnixNano(), account, sender).Throttled++ })
	s.pause(r, latency)
	if rule.RetryAfter > 0 {
		// Whole seconds, rounded up: the header knows no fractions.
		w.Header().Set("Retry-After", strconv.Itoa(int((rule.RetryAfter+time.Second-1)/time.Second)))
	}
	s.refuse(w, r, errThrottled)
}

// readForm reads the body as it was posted.
func readForm(r *http.Request) (string, error) {
	if r.ContentLength > maxForm {
		return "", errTooLarge
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return string(body), err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if len(body) > maxForm {
		return "", errTooLarge
	}
	return string(body), err
}

var errTooLarge = &http.MaxBytesError{Limit: maxForm}

// validate checks a create request in the order of Twilio's own checks and
// returns To with its number as E.164.
func (s *Sim) validate(f *createForm) (to string, refusal apiError) {
	channel, number := address(f.to)
	senderChannel, sender := address(f.from)
	switch {
	case number == "":
		return "", badRequest(21604, "A 'To' phone number is required.")
	case sender == "" && f.service == "":
		return "", badRequest(21603, "A 'From' phone number is required.")
	case !f.hasBody && f.media == 0 && !f.hasContentSID:
		return "", badRequest(21602, "Message body is required.")
	case utf8.RuneCountInString(f.body) > 1600:
		return "", badRequest(21617, "The concatenated message body exceeds the 1600 character limit.")
	case f.media > 10:
		return "", badRequest(21623, "Number of media files exceeds allowed limit of 10.")
	}
	e164, ok := normaliseOn(channel, number)
	if !ok || e164 == magicInvalid {
		return "", badRequest(21211, "The 'To' number %s is not a valid phone number.", number)
	}
	if f.service == "" {
		if refusal := validateSender(channel, senderChannel, sender); refusal != (apiError{}) {
			return "", refusal
		}
	}
	switch e164 {
	case magicUnroutable:
		return "", badRequest(21612, "The 'To' phone number is not currently reachable using the 'From' phone number.")
	case magicForbidden:
		return "", badRequest(21408, "Permission to send an SMS has not been enabled for the region indicated by the 'To' number.")
	case magicBlocked:
		return "", badRequest(21610, "Attempt to send to unsubscribed recipient")
	case magicLandline:
		return "", badRequest(21614, "'To' number is not a valid mobile number")
	}
	if f.hasContentSID {
		if s.template(f.contentSID) == nil {
			return "", badRequest(21655, "The ContentSid is invalid")
		}
		if f.hasVariables && !validVariables(f.contentVariables) {
			return "", badRequest(21656, "The ContentVariables parameter is invalid")
		}
	}
	return channel + e164, apiError{}
}

func validateSender(channel, senderChannel, sender string) apiError {
	if _, id := normaliseOn(senderChannel, sender); !validSender(sender) && (senderChannel != messenger || !id) {
		return badRequest(21212, "The 'From' number %s is not a valid phone number, shortcode, or alphanumeric sender ID.", sender)
	}
	if channel != senderChannel {
		return badRequest(21910, "Invalid From and To pair. From and To should be of the same channel")
	}
	if e164, ok := normaliseOn(senderChannel, sender); ok {
		switch e164 {
		case magicInvalid:
			return badRequest(21212, "The 'From' number %s is not a valid phone number, shortcode, or alphanumeric sender ID.", sender)
		case magicNotOwned:
			return errNotOwned
		case magicQueueFull:
			return apiError{http.StatusTooManyRequests, 21611, "This 'From' number has exceeded the maximum number of queued messages"}
		}
	}
	return apiError{}
}

// validVariables is true for a JSON object whose values are texts that
// aren't empty.
func validVariables(text string) bool {
	var values map[string]*string
	if json.Unmarshal([]byte(text), &values) != nil {
		return false
	}
	for _, v := range values {
		if v == nil || *v == "" {
			return false
		}
	}
	return true
}
