package twiliosim

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1" // as Twilio signs
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CallbackStats count status callbacks. Doubles count as ones of their own.
type CallbackStats struct {
	Answered uint64 `json:"answered"` // with a 2xx
	Failed   uint64 `json:"failed"`   // in vain, after all tries
	Tries    uint64 `json:"tries"`    // requests
	Lost     uint64 `json:"lost"`     // by Course.Lost
	Refused  uint64 `json:"refused"`  // messages whose StatusCallback is neither a loopback address nor one of Options.CallbackHosts
}

// overrides are the connection overrides of a callback's fragment, with
// Twilio's defaults and bounds. All tries together take total at most.
type overrides struct {
	connect, read, total time.Duration
	retries              int
	policy               []string // of 4xx, 5xx, ct, rt, all
}

func parseOverrides(fragment string) overrides {
	values := make(map[string]string)
	for pair := range strings.SplitSeq(fragment, "&") {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	number := func(name string, least, most, standard int) int {
		n, err := strconv.Atoi(values[name])
		if err != nil || n < least || n > most {
			return standard
		}
		return n
	}
	ms := func(name string, most, standard int) time.Duration {
		return time.Duration(number(name, 100, most, standard)) * time.Millisecond
	}
	return overrides{
		connect: ms("ct", 10_000, 5000), read: ms("rt", 15_000, 15_000), total: ms("tt", 15_000, 15_000),
		retries: number("rc", 0, 5, 1), policy: strings.Split(cmp.Or(values["rp"], "ct"), ","),
	}
}

// again reports whether a try that ended so is followed by another.
func (o *overrides) again(ended string) bool {
	return slices.Contains(o.policy, "all") || slices.Contains(o.policy, ended)
}

// mayCall reports whether a URL is one that callbacks may go to: of loopback, or of
// a host that is named.
func mayCall(u *url.URL, hosts []string) bool {
	if u.Scheme != "http" && u.Scheme != "https" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.IsLoopback() || u.Hostname() == "localhost" || slices.Contains(hosts, u.Hostname())
}

var errElsewhere = errors.New("callbacks go to loopback addresses only")

// callbackClient makes the client for callbacks. localhost may name another machine,
// so that each connection's address is looked at, but for the hosts that are named.
func callbackClient(hosts []string) *http.Client {
	loopback := &net.Dialer{Control: func(_, address string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().IsLoopback() {
			return errElsewhere
		}
		return nil
	}}
	return &http.Client{
		Transport: &http.Transport{
			MaxIdleConnsPerHost: 64,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				limit, _ := ctx.Value(connectKey{}).(time.Duration)
				ctx, cancel := context.WithTimeout(ctx, limit)
				defer cancel()
				dialer := loopback
				if host, _, err := net.SplitHostPort(address); err == nil && slices.Contains(hosts, host) {
					dialer = new(net.Dialer)
				}
				return dialer.DialContext(ctx, network, address)
			},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type connectKey struct{} // of a try's context: how long connecting may take

// schedule posts a message's status callbacks when their time comes, in
// goroutines that end with the Sim.
func (s *Sim) schedule(rec *record, c *Course, callback string) {
	u, err := url.Parse(callback)
	if callback == "" {
		return
	}
	if err != nil || !mayCall(u, s.opts.CallbackHosts) {
		s.count(func(c *counters) { c.callbacks.Refused++ })
		return
	}
	limits := parseOverrides(u.Fragment)
	target, _, _ := strings.Cut(callback, "#")
	epoch := s.epoch.Load()
	for _, p := range postings(rec, c) {
		if p.lost {
			s.count(func(c *counters) { c.callbacks.Lost++ })
			continue
		}
		form := s.callbackForm(rec, p.step)
		s.calling.Go(func() {
			if s.wait(p.at, nil) && s.epoch.Load() == epoch {
				s.call(target, form, limits)
			}
		})
	}
}

// posting is a callback that is to come.
type posting struct {
	step
	at   time.Duration // after acceptance
	lost bool
}

// postings are a message's callbacks, with what the course does to them.
func postings(rec *record, c *Course) []posting {
	steps := rec.fate.steps()
	var all []posting
	for i, step := range steps {
		draw := func(n int) float64 { return unit(c.drawn(rec.seq, drawCallbacks+4*i+n)) }
		delayed := func(n int) time.Duration { return time.Duration(draw(n) * float64(c.Delay)) }
		u := draw(0)
		p := posting{step: step, at: step.after + delayed(1), lost: u < c.Lost}
		if i+1 < len(steps) && draw(2) < c.Shuffled {
			p.at = max(p.at, steps[i+1].after+c.Delay) + shuffleBy
		}
		all = append(all, p)
		if !p.lost && draw(3) < c.Doubled {
			p.at += shuffleBy
			all = append(all, p)
		}
	}
	return all
}

// shuffleBy parts two callbacks that change places.
const shuffleBy = 100 * time.Millisecond

// callbackForm is what is posted of a change of status.
func (s *Sim) callbackForm(rec *record, step step) url.Values {
	sid := s.sid(rec)
	form := url.Values{
		"MessageSid": {sid}, "SmsSid": {sid}, "MessageStatus": {step.status}, "SmsStatus": {step.status},
		"AccountSid": {rec.account}, "From": {poolSender(rec)}, "To": {rec.to}, "ApiVersion": {"2010-04-01"},
	}
	if rec.service != "" {
		form.Set("MessagingServiceSid", rec.service)
	}
	if step.after == rec.fate.failed {
		form.Set("ErrorCode", strconv.Itoa(rec.fate.code))
	}
	channel, number := address(rec.to)
	if channel == whatsApp {
		form.Set("ChannelPrefix", "whatsapp")
		form.Set("ChannelToAddress", number)
		if step.status == statusRead {
			form.Set("EventType", "READ")
		}
	} else if step.status == statusDelivered || step.status == statusUndelivered {
		at := time.Unix(0, rec.accepted).Add(step.after + s.opts.ClockOffset)
		form.Set("RawDlrDoneDate", at.UTC().Format("0601021504"))
	}
	return form
}

// call posts one callback, with the tries that its overrides allow.
func (s *Sim) call(target string, form url.Values, limits overrides) {
	ctx, cancel := context.WithTimeout(context.Background(), limits.total)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	for try := 0; ; try++ {
		s.count(func(c *counters) { c.callbacks.Tries++ })
		ended := s.try(ctx, target, form, limits)
		if ended == "" {
			s.count(func(c *counters) { c.callbacks.Answered++ })
			return
		}
		if try >= limits.retries || ctx.Err() != nil || !limits.again(ended) {
			s.count(func(c *counters) { c.callbacks.Failed++ })
			return
		}
	}
}

// try is one request; it returns how it ended in the words of a retry policy,
// or "" for an answer with a 2xx.
func (s *Sim) try(ctx context.Context, target string, form url.Values, limits overrides) string {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, connectKey{}, limits.connect), limits.connect+limits.read)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return "4xx"
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "TwilioProxy/1.1")
	if s.opts.AuthToken != "" {
		r.Header.Set("X-Twilio-Signature", Sign(s.opts.AuthToken, target, form))
	}
	response, err := s.callbackClient.Do(r)
	if err != nil {
		var dial *net.OpError
		if errors.As(err, &dial) && dial.Op == "dial" {
			return "ct"
		}
		return "rt"
	}
	_, _ = io.CopyN(io.Discard, response.Body, 64<<10) // to keep the connection
	_ = response.Body.Close()
	if response.StatusCode/100 == 2 {
		return ""
	}
	return fmt.Sprintf("%dxx", response.StatusCode/100)
}

// Sign is X-Twilio-Signature by an account's auth token: of the URL without its fragment, and of the
// form's names and values, sorted by name.
func Sign(token, target string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(mac, target) // never fails
	for _, name := range slices.Sorted(maps.Keys(form)) {
		_, _ = io.WriteString(mac, name+form.Get(name))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
