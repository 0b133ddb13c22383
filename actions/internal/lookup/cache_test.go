package lookup_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/internal/lookup"
)

// loader counts loads and answers with their number.
type loader struct {
	mu    sync.Mutex
	loads int
	size  int
	err   error
	takes time.Duration
}

func (l *loader) load(ctx context.Context) (int, int, error) {
	l.mu.Lock()
	l.loads++
	n := l.loads
	l.mu.Unlock()
	if l.takes > 0 {
		select {
		case <-time.After(l.takes):
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
	}
	return n, l.size, l.err
}

func TestCacheForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, MaxEntries: 10, MaxBytes: 100})
		var l loader
		var got []int
		for range 5 {
			v, err := c.Get(t.Context(), "k", l.load)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, v)
			time.Sleep(30 * time.Second)
		}
		if want := []int{1, 1, 2, 2, 3}; !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestCacheRemembersRefusalsBriefly(t *testing.T) {
	for _, tc := range []struct {
		err       error
		wantLoads int
	}{
		{&lookup.Error{Op: "x", Status: 404}, 1},
		{fmt.Errorf("wrapped: %w", &lookup.Error{Op: "x", Status: 404}), 1},
		{&lookup.Error{Op: "x", Status: 503, Retryable: true}, 2},
		{errors.New("unknown"), 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, RefusedTTL: 5 * time.Second, MaxEntries: 10, MaxBytes: 100})
			l := loader{err: tc.err}
			for range 2 {
				if _, err := c.Get(t.Context(), "k", l.load); !errors.Is(err, tc.err) {
					t.Errorf("got %v, want %v", err, tc.err)
				}
			}
			if l.loads != tc.wantLoads {
				t.Errorf("%v: %d loads, want %d", tc.err, l.loads, tc.wantLoads)
			}
			time.Sleep(5 * time.Second)
			l.err = nil
			if v, err := c.Get(t.Context(), "k", l.load); err != nil || v != tc.wantLoads+1 {
				t.Errorf("after a while: %v, %v", v, err)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	for _, tc := range []struct {
		name                 string
		entries, bytes, size int
		want                 []int // which of keys 0 to 9 are still there
	}{
		{"by count", 3, 1000, 1, []int{7, 8, 9}},
		{"by bytes", 100, 22, 10, []int{8, 9}}, // a key is a byte
		{"nothing fits", 100, 10, 10, nil},
	} {
		c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, MaxEntries: tc.entries, MaxBytes: tc.bytes})
		l := loader{size: tc.size}
		for i := range 10 {
			if _, err := c.Get(t.Context(), fmt.Sprint(i), l.load); err != nil {
				t.Fatal(err)
			}
		}
		var got []int
		for i := range 10 {
			missed := errors.New("missed")
			_, err := c.Get(t.Context(), fmt.Sprint(i), func(context.Context) (int, int, error) { return 0, 0, missed })
			if err == nil {
				got = append(got, i)
			}
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: kept %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestCacheMergesCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		observed := map[string]int{}
		c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, MaxEntries: 10, MaxBytes: 100, Observe: func(result string) {
			mu.Lock()
			defer mu.Unlock()
			observed[result]++
		}})
		l := loader{takes: time.Second}
		var callers sync.WaitGroup
		for range 20 {
			callers.Go(func() {
				if v, err := c.Get(t.Context(), "k", l.load); v != 1 || err != nil {
					t.Errorf("got %v, %v", v, err)
				}
			})
		}
		callers.Wait()
		if want := map[string]int{lookup.ResultOK: 1, lookup.ResultMerged: 19}; !reflect.DeepEqual(observed, want) {
			t.Errorf("observed %v, want %v", observed, want)
		}
	})
}

// The caller who looks up gives up; the next goes on, with nothing failed but
// the one who left.
func TestCacheOutlivesItsFirstCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, MaxEntries: 10, MaxBytes: 100})
		l := loader{takes: 10 * time.Second}
		var callers sync.WaitGroup
		for i := range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
			defer cancel()
			callers.Go(func() {
				if _, err := c.Get(ctx, "k", l.load); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("impatient one got %v", err)
				}
			})
			synctest.Wait()
		}
		callers.Go(func() {
			// The first one leaves it unanswered; who of the others
			// takes over is open.
			if v, err := c.Get(t.Context(), "k", l.load); v < 2 || v > 4 || err != nil {
				t.Errorf("patient one got %v, %v", v, err)
			}
		})
		callers.Wait()
	})
}

func TestCacheSurvivesAPanic(t *testing.T) {
	c := lookup.NewCache[int](lookup.CacheConfig{TTL: time.Minute, MaxEntries: 10, MaxBytes: 100})
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Get(t.Context(), "k", func(context.Context) (int, int, error) { panic("x") })
	}()
	var l loader
	if v, err := c.Get(t.Context(), "k", l.load); v != 1 || err != nil {
		t.Errorf("got %v, %v", v, err)
	}
}
