package twilio

import (
	"cmp"
	"context"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"

	"engage-worker/actions/internal/lookup"
)

// LookupError is why a list or a template could not be had: with an HTTP
// status, whether another attempt may succeed, and when.
type LookupError = lookup.Error

// Config is one account's access.
type Config struct {
	AccountSID string
	KeySID     string // of an API key, which is valid in the region that made it only
	KeySecret  string
	HTTP       *http.Client     // shared; nil: one of its own, as NewHTTPClient makes it. Redirects are never followed
	Timeout    time.Duration    // of a send whose context has no deadline, and of a list's page; 0: 30 s, as a shorter one may fire while Twilio still works
	Now        func() time.Time // nil: time.Now
}

// Client talks to Twilio for one account. It is safe for concurrent use.
type Client struct {
	accountSID string
	header     http.Header // of a message's request; its values are shared by all and never changed
	http       *http.Client
	transport  http.RoundTripper // its
	timeout    time.Duration
	now        func() time.Time
	posts      sync.Map // address -> *http.Request, of which those of messages are copies
	lists      lookup.Getter
	contents   lookup.Getter
}

// The largest answers that are read. An error is a few hundred bytes, a
// message 2 kB, a template at most 100 kB, a page 1,000 messages.
const (
	maxSendBody    = 64 << 10
	maxContentBody = 1 << 20
	maxListBody    = 16 << 20
)

// SettingError is what is wrong with one of the credentials.
type SettingError struct {
	Setting string // by the destination's name for it: "twilioAccountSID"
	Message string // holds no secret
}

func (e *SettingError) Error() string { return e.Setting + ": " + e.Message }

// New makes a Client. Its error is a *SettingError.
func New(cfg Config) (*Client, error) {
	switch {
	case !isSID(cfg.AccountSID):
		return nil, &SettingError{"twilioAccountSID", "want the account's SID (AC...), which holds letters and digits only"}
	case cfg.KeySID == "" || strings.Contains(cfg.KeySID, ":"):
		return nil, &SettingError{"twilioApiKeySID", "want an API key's SID (SK...), which holds no colon"}
	case cfg.KeySecret == "":
		return nil, &SettingError{"twilioApiKeySecret", "want the API key's secret"}
	}
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTPClient(0)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	shared := *cfg.HTTP
	shared.CheckRedirect = noRedirect
	get := lookup.Getter{
		HTTP: &shared, Username: cfg.KeySID, Password: cfg.KeySecret,
		Attempts: 1, Timeout: cfg.Timeout, MaxBody: maxListBody, Now: cfg.Now,
	}
	c := &Client{
		accountSID: cfg.AccountSID,
		// No Idempotency-Key, ever: net/http takes a POST that has one for
		// repeatable, and may send it twice.
		header: http.Header{
			"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(cfg.KeySID+":"+cfg.KeySecret))},
			"Content-Type":  {"application/x-www-form-urlencoded"},
			"Accept":        {"application/json"},
			"User-Agent":    {userAgent},
		},
		http:      &shared,
		transport: cmp.Or(shared.Transport, http.DefaultTransport),
		timeout:   cfg.Timeout,
		now:       cfg.Now,
		lists:     get, // reconciling has its own schedule
	}
	get.Attempts, get.Backoff = 3, 200*time.Millisecond
	get.Timeout, get.MaxBody = min(cfg.Timeout, 10*time.Second), maxContentBody
	c.contents = get
	return c, nil
}

// address is where messages of a host are posted to. There are as many as the
// configuration has hosts.
type address struct{ base, path string }

// postTo is a request to a, as all are before their forms.
func (c *Client) postTo(a address) (*http.Request, error) {
	if req, ok := c.posts.Load(a); ok {
		return req.(*http.Request), nil
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, a.base+a.path, http.NoBody)
	if err != nil || req.URL.Host == "" {
		return nil, errBaseURL
	}
	req.Header = c.header // which net/http only reads
	c.posts.Store(a, req)
	return req, nil
}

// Close releases idle connections; those of a shared http.Client too.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// isSID tells whether s can stand as a part of a path as it is. A real SID is
// narrower; a placeholder such as "AC..." passes, so that a configuration can
// be checked and previewed before there is an account.
func isSID(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return strings.Trim(s, ".") != ""
}
