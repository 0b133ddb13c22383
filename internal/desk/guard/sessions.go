package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"
)

const (
	// Idle is after what time without a request a session ends, and Longest after
	// what time in any case.
	Idle    = 2 * time.Hour
	Longest = 12 * time.Hour

	mostSessions = 1000
)

// Session is somebody who may look.
type Session struct {
	Who       string // as they said at the sign-in, or who runs the process
	FormToken string // what their forms carry
	Signed    bool   // in with a token: there is something to sign out of

	begun, seen time.Time
	key         [sha256.Size]byte // of the cookie's value
}

// Allows reports whether a form carries the session's token.
func (s *Session) Allows(token string) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.FormToken)) == 1
}

// sessions are those that are open. They are known by a hash: whoever reads the
// memory's dump has no cookie by it.
type sessions struct {
	now func() time.Time

	mu  sync.Mutex
	all map[[sha256.Size]byte]*Session
}

// open begins a session and returns its cookie's value. Where there are too many,
// the one that was silent longest ends.
func (s *sessions) open(who string) string {
	value, now := rand.Text(), s.now()
	session := &Session{Who: who, FormToken: rand.Text(), Signed: true, begun: now, seen: now, key: sha256.Sum256([]byte(value))}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) >= mostSessions {
		var oldest *Session
		for _, other := range s.all {
			if oldest == nil || other.seen.Before(oldest.seen) {
				oldest = other
			}
		}
		delete(s.all, oldest.key)
	}
	s.all[session.key] = session
	return value
}

// of is the session that one of a cookie's values stands for, and nil where none
// does any more. What somebody does keeps it open; what a page does by itself doesn't.
func (s *sessions) of(byItself bool, values ...string) *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for _, value := range values {
		session := s.all[sha256.Sum256([]byte(value))]
		if session == nil {
			continue
		}
		if now.Sub(session.seen) > Idle || now.Sub(session.begun) > Longest {
			delete(s.all, session.key)
			continue
		}
		if !byItself {
			session.seen = now
		}
		return session
	}
	return nil
}

// ended reports whether a session isn't open any more; asking doesn't keep it so.
func (s *sessions) ended(session *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	return s.all[session.key] != session || now.Sub(session.seen) > Idle || now.Sub(session.begun) > Longest
}

func (s *sessions) close(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, session.key)
}

// equal compares two secrets, in a time that tells nothing of either.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && !slices.Contains([]string{a, b}, "")
}
