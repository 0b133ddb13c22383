package guard

import (
	"net/http"
	"net/netip"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// What may be tried: of one address, and of all together.
const (
	attemptsAtOnce    = 5
	attemptsEvery     = 30 * time.Second
	allAttemptsAtOnce = 100
	allAttemptsEvery  = time.Second

	mostAddresses = 1024 // that are remembered; beyond them the limit of all holds
)

// attempts limits how often a token is tried.
type attempts struct {
	now func() time.Time

	mu      sync.Mutex
	all     *rate.Limiter
	address *lru.LRU[netip.Prefix, *rate.Limiter]
}

func newAttempts(now func() time.Time) *attempts {
	addresses, err := lru.NewLRU[netip.Prefix, *rate.Limiter](mostAddresses, nil)
	if err != nil {
		panic(err) // a size below one
	}
	return &attempts{now: now, all: rate.NewLimiter(rate.Every(allAttemptsEvery), allAttemptsAtOnce), address: addresses}
}

// begin takes an attempt of a request's address. Where there is none left, it says
// how long to wait; else right gives the attempt back, which only wrong ones use up.
func (a *attempts) begin(r *http.Request) (wait time.Duration, right func()) {
	from := network(r.RemoteAddr)
	a.mu.Lock()
	defer a.mu.Unlock()
	own, ok := a.address.Get(from)
	if !ok {
		own = rate.NewLimiter(rate.Every(attemptsEvery), attemptsAtOnce)
		a.address.Add(from, own)
	}
	now := a.now()
	var taken []*rate.Reservation
	right = func() {
		for _, t := range taken {
			t.CancelAt(now)
		}
	}
	for _, limiter := range []*rate.Limiter{own, a.all} {
		taken = append(taken, limiter.ReserveN(now, 1))
		if wait := taken[len(taken)-1].DelayFrom(now); wait > 0 {
			right()
			return wait, nil
		}
	}
	return 0, right
}

// network is whose attempts count together: an IPv4 address's, or those of 64 bits
// of an IPv6 address, which is what one household has.
func network(address string) netip.Prefix {
	from, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	ip := from.Addr().Unmap().WithZone("")
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	prefix, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}
