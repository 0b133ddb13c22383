package guard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"engage-worker/internal/terminal"
)

// Config is whom a Guard lets in.
type Config struct {
	Token    string // what signs in; "": whoever reaches the listener is in, as Who
	Who      string // who runs the process
	Loopback bool   // the listener is reached from this machine only
	Cookie   string // its name, which is another one for another desk on the same host
	Log      zerolog.Logger
	// Refuse answers what isn't let through, in words.
	Refuse func(w http.ResponseWriter, r *http.Request, status int, words string)
	Now    func() time.Time // nil: time.Now
}

// Guard lets in. Make it with New; it is safe for concurrent use.
type Guard struct {
	cfg      Config
	origin   *http.CrossOriginProtection
	sessions sessions
	attempts *attempts
	local    *Session // nil: there is a token
}

// New makes a Guard.
func New(cfg Config) *Guard {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	g := &Guard{cfg: cfg, origin: http.NewCrossOriginProtection(), attempts: newAttempts(cfg.Now)}
	g.sessions = sessions{now: cfg.Now, all: map[[32]byte]*Session{}}
	if cfg.Token == "" {
		own := &sessions{now: cfg.Now, all: map[[32]byte]*Session{}}
		g.local = own.of(true, own.open(cfg.Who))
		g.local.Signed = false
	}
	return g
}

// Policy is the Content-Security-Policy of every answer: own files only, no
// script or style within a page, and no text that becomes markup.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers are those of every answer.
func headers(w http.ResponseWriter) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      Policy,
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Referrer-Policy":              "no-referrer",
		"Cache-Control":                "no-store",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"X-Robots-Tag":                 "noindex, nofollow",
	} {
		w.Header().Set(name, value)
	}
}

// Outside sets the headers and refuses what comes from another page or by
// another name: it stands before all handlers, with or without a session.
func (g *Guard) Outside(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w)
		if g.cfg.Loopback && !loopback(r.Host) {
			// A name that was made to point here gives another page our answers.
			g.cfg.Refuse(w, r, http.StatusMisdirectedRequest, "This desk is reached as localhost or 127.0.0.1 only, and was asked for as another host.")
			return
		}
		if err := g.origin.Check(r); err != nil {
			g.cfg.Refuse(w, r, http.StatusForbidden, "This came from another site's page, so nothing was done.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// loopback reports whether a Host header names this machine by itself.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.Trim(host, "[]")
	}
	ip, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && ip.IsLoopback()
}

type sessionKey struct{}

// Of is the session of a request that Inside let through.
func Of(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// ByItself is the header of what a page asks for by itself: it keeps no session open.
const ByItself = "Desk-By-Itself"

// Inside lets requests through that have a session, or the token as a bearer's;
// others go to stranger. What changes anything must carry the session's form token.
func (g *Guard) Inside(next, stranger http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := g.session(r)
		if s == nil {
			s = g.bearer(w, r)
		}
		if s == nil {
			if w.Header().Get("Retry-After") == "" {
				stranger.ServeHTTP(w, r)
			}
			return
		}
		ctx := context.WithValue(r.Context(), sessionKey{}, s)
		writes := r.Method != http.MethodGet && r.Method != http.MethodHead
		if _, long := errors.AsType[*http.MaxBytesError](r.ParseForm()); writes && long {
			g.cfg.Refuse(w, r.WithContext(ctx), http.StatusRequestEntityTooLarge, "That is more than a form here may hold.")
			return
		}
		if writes && !s.Allows(r.PostFormValue(FormField)) {
			g.cfg.Refuse(w, r.WithContext(ctx), http.StatusForbidden, "The form is from another session, so nothing was done. Go back, reload the page, and do it again.")
			return
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// FormField carries a session's FormToken.
const FormField = "form"

func (g *Guard) session(r *http.Request) *Session {
	if g.local != nil {
		return g.local
	}
	var values []string
	for _, c := range r.CookiesNamed(g.cfg.Cookie) {
		values = append(values, c.Value)
	}
	return g.sessions.of(r.Header.Get(ByItself) != "", values...)
}

// bearer is a session for one request that only reads, of a script that has the
// token. Where it may not try, it is answered, with Retry-After.
func (g *Guard) bearer(w http.ResponseWriter, r *http.Request) *Session {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil
	}
	wait, right := g.attempts.begin(r)
	if wait > 0 {
		w.Header().Set("Retry-After", retryAfter(wait))
		g.cfg.Refuse(w, r, http.StatusTooManyRequests, "Too many attempts. Wait "+retryAfter(wait)+" seconds.")
		return nil
	}
	if equal(token, g.cfg.Token) {
		right()
		return &Session{Who: "a bearer of the token"}
	}
	g.cfg.Log.Warn().Str("from", r.RemoteAddr).Msg("a wrong token was tried")
	return nil
}

// Ended reports whether a session is over; a stream asks it now and then.
func (g *Guard) Ended(s *Session) bool { return s.Signed && g.sessions.ended(s) }

// longestName is how long who signs in may say that they are called, in characters.
const longestName = 60

// SignIn takes the fields name and token of a form. Where they are right, it opens a
// session and returns ""; else it returns what is wrong, and the status for it.
func (g *Guard) SignIn(w http.ResponseWriter, r *http.Request) (wrong string, status int) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	switch {
	case name == "":
		return "Say who you are: the record of replays names you.", http.StatusBadRequest
	case utf8.RuneCountInString(name) > longestName || terminal.Plain(name) != name:
		return "A name has " + strconv.Itoa(longestName) + " characters at most, and no control characters.", http.StatusBadRequest
	}
	wait, right := g.attempts.begin(r)
	if wait > 0 {
		w.Header().Set("Retry-After", retryAfter(wait))
		return "Too many attempts. Wait " + retryAfter(wait) + " seconds.", http.StatusTooManyRequests
	}
	if !equal(r.PostFormValue("token"), g.cfg.Token) {
		g.cfg.Log.Warn().Str("from", r.RemoteAddr).Msg("a wrong token was tried at the sign-in")
		return "That isn't the token. It is desk.token of the configuration.", http.StatusForbidden
	}
	right()
	g.cfg.Log.Info().Str("who", name).Str("from", r.RemoteAddr).Msg("signed in")
	http.SetCookie(w, g.cookie(r, g.sessions.open(name), int(Longest.Seconds())))
	return "", 0
}

// SignOut ends the session.
func (g *Guard) SignOut(w http.ResponseWriter, r *http.Request) {
	if s := Of(r.Context()); s != nil && s.Signed {
		g.sessions.close(s)
		g.cfg.Log.Info().Str("who", s.Who).Msg("signed out")
	}
	http.SetCookie(w, g.cookie(r, "", -1))
}

func (g *Guard) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: g.cfg.Cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		// Whoever says so behind no proxy harms their own cookie only.
		Secure: r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https"),
	}
}

func retryAfter(wait time.Duration) string {
	return strconv.Itoa(int((wait + time.Second - 1) / time.Second))
}
