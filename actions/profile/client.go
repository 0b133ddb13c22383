package profile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"engage-worker/actions/internal/lookup"
	"engage-worker/actions/jsvalue"
)

// LookupError is why traits could not be had: with an HTTP status, whether
// another attempt may succeed, and when. An unknown profile is a 404 that
// isn't retryable, as it is for the hosted destination.
type LookupError = lookup.Error

const op = "look up profile traits"

// Config is one space's access.
type Config struct {
	SpaceID string
	Token   string           // the Profile API's access token
	BaseURL string           // scheme://host[:port], as BaseURL makes it
	HTTP    *http.Client     // shared; it must not follow redirects. nil: one of its own
	Timeout time.Duration    // of one request; 0: 5 s
	TTL     time.Duration    // how long traits are used; 0: 60 s
	Limiter *rate.Limiter    // to share between clients of one space; nil: one of its own, at the 100/s that Segment allows a space
	Now     func() time.Time // nil: time.Now
	// Observe, which may be nil, is told the kind "profile" and what came
	// of each look-up: ok, hit, merged or error.
	Observe func(kind, result string)
}

// The bounds of the cache. What is kept is the answers' JSON, so that bytes
// are bytes.
const (
	maxProfiles     = 10_000
	maxProfileBytes = 16 << 20
	maxBody         = 1 << 20 // 200 traits of a few kB
	refusedTTL      = 5 * time.Second
)

// Client looks up traits in one space. It is safe for concurrent use.
type Client struct {
	prefix string // of every profile's URL
	get    lookup.Getter
	cache  *lookup.Cache[[]byte]
}

// New makes a Client.
func New(cfg Config) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			MaxIdleConnsPerHost:    100,
			IdleConnTimeout:        50 * time.Second,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		}}
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.TTL <= 0 {
		cfg.TTL = time.Minute
	}
	if cfg.Limiter == nil {
		cfg.Limiter = rate.NewLimiter(100, 10)
	}
	shared := *cfg.HTTP
	shared.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cache := lookup.CacheConfig{
		TTL: cfg.TTL, RefusedTTL: refusedTTL,
		MaxEntries: maxProfiles, MaxBytes: maxProfileBytes, Now: cfg.Now,
	}
	if cfg.Observe != nil {
		cache.Observe = func(result string) { cfg.Observe("profile", result) }
	}
	return &Client{
		prefix: cfg.BaseURL + "/v1/spaces/" + url.PathEscape(cfg.SpaceID) + "/collections/users/profiles/user_id:",
		get: lookup.Getter{
			HTTP: &shared, Limiter: cfg.Limiter, Username: cfg.Token,
			Attempts: 3, Timeout: cfg.Timeout, Backoff: 200 * time.Millisecond, MaxBody: maxBody, Now: cfg.Now,
		},
		cache: lookup.NewCache[[]byte](cache),
	}
}

// Close releases idle connections; those of a shared http.Client too.
func (c *Client) Close() { c.get.HTTP.CloseIdleConnections() }

// Traits are the first 200 traits of the user's profile, as the hosted
// destination takes them, in an object of the caller's own; nil when the answer
// has none. It tries a few times within ctx. An error is a *LookupError and holds no user id; one caller's
// cancellation fails no other.
func (c *Client) Traits(ctx context.Context, userID string) (any, error) {
	if userID == "" {
		return nil, &LookupError{Op: op, Err: errors.New("the event has no user id")}
	}
	raw, err := c.cache.Get(ctx, userID, func(ctx context.Context) ([]byte, int, error) {
		body, err := c.get.Get(ctx, op, c.prefix+escape(userID)+"/traits?limit=200")
		if err != nil {
			return nil, 0, err
		}
		var answer struct{ Traits json.RawMessage }
		if json.Unmarshal(body, &answer) != nil {
			return nil, 0, nil //nolint:nilerr // no object, so no traits
		}
		return answer.Traits, len(answer.Traits), nil
	})
	if err != nil {
		if _, ok := errors.AsType[*LookupError](err); !ok {
			err = &LookupError{Op: op, Retryable: true, Err: err} // ctx ended while another caller looked it up
		}
		return nil, err
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, nil
	}
	traits, err := jsvalue.Decode(string(raw))
	if err != nil {
		// Valid JSON, but nested deeper than any trait is.
		return nil, &LookupError{Op: op, Status: http.StatusOK, Err: fmt.Errorf("the traits can't be read: %w", err)}
	}
	return traits, nil
}

// escape is id as encodeURIComponent makes it and Node.js writes it into a
// request, byte for byte as the hosted destination asks.
func escape(id string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(id) + len(id)/2)
	for _, c := range []byte(id) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.!~*()", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
