package lookup

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// How a Cache answered; what an observer is told.
const (
	ResultHit    = "hit"    // from the cache
	ResultMerged = "merged" // shared with a look-up that was under way
	ResultOK     = "ok"     // looked up
	ResultError  = "error"  // looked up in vain, or remembered to be in vain
)

// CacheConfig bounds a Cache.
type CacheConfig struct {
	TTL        time.Duration    // how long an answer is used
	RefusedTTL time.Duration    // how long a lasting refusal (an *Error that isn't retryable) is used; 0: not at all
	MaxEntries int              // at most so many answers
	MaxBytes   int              // and so many bytes, as the loads measure them
	Now        func() time.Time // nil: time.Now
	Observe    func(result string)
}

// Cache remembers answers for a while, bounded by count and by bytes, and
// merges concurrent look-ups of one key. It is safe for concurrent use and
// starts no goroutine: the first caller of a key looks it up with its own
// context and the others wait for that; when the first one's context ends,
// the next takes over, so that no caller fails by another's cancellation.
type Cache[V any] struct {
	cfg CacheConfig

	mu      sync.Mutex
	entries *simplelru.LRU[string, entry[V]]
	bytes   int
	flights map[string]*flight[V]
}

type entry[V any] struct {
	value   V
	err     error
	bytes   int
	expires time.Time
}

// flight is a look-up under way; its fields are set before done is closed.
type flight[V any] struct {
	done      chan struct{}
	value     V
	err       error
	abandoned bool // the context of the caller who flew it ended
}

// NewCache makes a Cache. MaxEntries and MaxBytes must be positive.
func NewCache[V any](cfg CacheConfig) *Cache[V] {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string) {}
	}
	c := &Cache[V]{cfg: cfg, flights: map[string]*flight[V]{}}
	// NewLRU's only error is a size below one.
	c.entries, _ = simplelru.NewLRU(max(cfg.MaxEntries, 1), func(_ string, e entry[V]) { c.bytes -= e.bytes })
	return c
}

// Get is the answer for key: remembered, shared with a concurrent caller, or
// loaded with ctx. load tells the answer's size in bytes. The answer may be
// shared and must not be changed.
func (c *Cache[V]) Get(ctx context.Context, key string, load func(context.Context) (V, int, error)) (V, error) {
	for {
		c.mu.Lock()
		if e, ok := c.lookup(key); ok {
			c.mu.Unlock()
			c.observe(e.err, ResultHit)
			return e.value, e.err
		}
		f, merged := c.flights[key]
		if !merged {
			f = &flight[V]{done: make(chan struct{})}
			c.flights[key] = f
		}
		c.mu.Unlock()

		if !merged {
			c.fly(ctx, key, f, load)
			c.observe(f.err, ResultOK)
			return f.value, f.err
		}
		select {
		case <-f.done:
			if f.abandoned {
				continue
			}
			c.observe(f.err, ResultMerged)
			return f.value, f.err
		case <-ctx.Done():
			c.cfg.Observe(ResultError)
			var zero V
			return zero, ctx.Err()
		}
	}
}

// fly loads key's answer and lands it.
func (c *Cache[V]) fly(ctx context.Context, key string, f *flight[V], load func(context.Context) (V, int, error)) {
	f.abandoned = true // unless load returns: a panic passes the waiters on
	size := 0
	defer func() {
		c.mu.Lock()
		delete(c.flights, key)
		if !f.abandoned {
			c.remember(key, f, size)
		}
		c.mu.Unlock()
		close(f.done)
	}()
	f.value, size, f.err = load(ctx)
	f.abandoned = f.err != nil && ctx.Err() != nil
}

// lookup is key's unexpired entry. c.mu is held.
func (c *Cache[V]) lookup(key string) (entry[V], bool) {
	e, ok := c.entries.Get(key)
	if ok && !c.cfg.Now().Before(e.expires) {
		c.entries.Remove(key)
		return entry[V]{}, false
	}
	return e, ok
}

// remember keeps a flight's answer, unless it is a failure that may pass or
// larger than everything that may be kept. c.mu is held.
func (c *Cache[V]) remember(key string, f *flight[V], size int) {
	ttl := c.cfg.TTL
	if f.err != nil {
		refusal, ok := errors.AsType[*Error](f.err)
		if !ok || refusal.Retryable {
			return
		}
		ttl = c.cfg.RefusedTTL
	}
	size += len(key)
	if ttl <= 0 || size > c.cfg.MaxBytes {
		return
	}
	c.entries.Remove(key)
	for c.bytes+size > c.cfg.MaxBytes && c.entries.Len() > 0 {
		c.entries.RemoveOldest()
	}
	c.bytes += size
	c.entries.Add(key, entry[V]{value: f.value, err: f.err, bytes: size, expires: c.cfg.Now().Add(ttl)})
}

func (c *Cache[V]) observe(err error, result string) {
	if err != nil {
		result = ResultError
	}
	c.cfg.Observe(result)
}
