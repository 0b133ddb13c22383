package twilio

import (
	"context"
	"errors"
	"time"

	"engage-worker/actions/internal/lookup"
)

// How long and how much Templates remembers.
const (
	templateTTL        = 5 * time.Minute
	templateRefusedTTL = 5 * time.Second // a wrong SID in a mapping is asked for once, not once an event
	maxTemplates       = 1000
	maxTemplateBytes   = 8 << 20
)

// Templates remembers content templates for five minutes and merges
// concurrent look-ups of one. It is safe for concurrent use.
type Templates struct {
	client *Client
	cache  *lookup.Cache[ContentTemplate]
}

// NewTemplates makes Templates. observe, which may be nil, is told the kind
// "content" and what came of each look-up: ok, hit, merged or error.
func NewTemplates(client *Client, observe func(kind, result string)) *Templates {
	cfg := lookup.CacheConfig{
		TTL: templateTTL, RefusedTTL: templateRefusedTTL,
		MaxEntries: maxTemplates, MaxBytes: maxTemplateBytes, Now: client.now,
	}
	if observe != nil {
		cfg.Observe = func(result string) { observe("content", result) }
	}
	return &Templates{client: client, cache: lookup.NewCache[ContentTemplate](cfg)}
}

// Get is a template, fetched or remembered. An error is a *LookupError; one
// caller's cancellation fails no other.
func (t *Templates) Get(ctx context.Context, baseURL, sid string) (ContentTemplate, error) {
	template, err := t.cache.Get(ctx, baseURL+"\n"+sid, func(ctx context.Context) (ContentTemplate, int, error) {
		return t.client.content(ctx, baseURL, sid)
	})
	if _, ok := errors.AsType[*LookupError](err); err != nil && !ok {
		err = &LookupError{Op: contentOp, Retryable: true, Err: err} // ctx ended while another caller fetched
	}
	return template, err
}
