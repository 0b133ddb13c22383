package guard

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

const token = "open-sesame-0123"

// gate is a guard before a page that says whose it is.
func gate(edit func(*Config)) http.Handler {
	cfg := Config{Token: token, Who: "root@here", Cookie: "desk", Log: zerolog.Nop(), Refuse: func(w http.ResponseWriter, _ *http.Request, status int, words string) {
		http.Error(w, words, status)
	}}
	if edit != nil {
		edit(&cfg)
	}
	g := New(cfg)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		if wrong, status := g.SignIn(w, r); wrong != "" {
			http.Error(w, wrong, status)
		}
	})
	inside := http.NewServeMux()
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(Of(r.Context()).Who)) })
	inside.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(Of(r.Context()).FormToken)) })
	inside.HandleFunc("POST /sign-out", func(w http.ResponseWriter, r *http.Request) { g.SignOut(w, r) })
	mux.Handle("/", g.Inside(inside, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "who?", http.StatusUnauthorized) })))
	return g.Outside(mux)
}

// ask makes a request of an address, with pairs of header names and values; a form
// makes it a POST.
func ask(h http.Handler, from, path string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	if form != nil {
		r = httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.RemoteAddr, r.Host = from, "localhost:8082"
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func signIn(h http.Handler, from, name, with string) *httptest.ResponseRecorder {
	return ask(h, from, "/sign-in", url.Values{"name": {name}, "token": {with}})
}

func cookie(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	all := w.Result().Cookies()
	if len(all) != 1 {
		t.Fatalf("%d: %q, %v", w.Code, w.Body, all)
	}
	return "desk=" + all[0].Value
}

func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := gate(nil)
		w := signIn(h, "10.0.0.1:1", " jane ", token)
		if c := w.Result().Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || c.Path != "/" {
			t.Errorf("%+v", c)
		}
		jane := cookie(t, w)
		is := func(want int, headers ...string) {
			t.Helper()
			if w := ask(h, "10.0.0.1:1", "/", nil, append(headers, "Cookie", jane)...); w.Code != want || want == http.StatusOK && w.Body.String() != "jane" {
				t.Errorf("%d %q, want %d", w.Code, w.Body, want)
			}
		}
		is(http.StatusOK)
		// What she does keeps it open, until it has lasted long enough.
		for range 6 {
			time.Sleep(Idle - time.Second)
			is(http.StatusOK)
		}
		time.Sleep(time.Minute)
		is(http.StatusUnauthorized)

		jane = cookie(t, signIn(h, "10.0.0.1:1", "jane", token))
		time.Sleep(Idle - time.Second)
		is(http.StatusOK, ByItself, "1") // what her page asks doesn't
		time.Sleep(2 * time.Second)
		is(http.StatusUnauthorized)

		jane = cookie(t, signIn(h, "10.0.0.1:1", "jane", token))
		form := url.Values{FormField: {ask(h, "10.0.0.1:1", "/form", nil, "Cookie", jane).Body.String()}}
		if w := ask(h, "10.0.0.1:1", "/sign-out", form, "Cookie", jane); w.Code != http.StatusOK || w.Result().Cookies()[0].MaxAge >= 0 {
			t.Errorf("%d %v", w.Code, w.Result().Cookies())
		}
		is(http.StatusUnauthorized)
	})
}

func TestSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Config{Token: token, Log: zerolog.Nop()})
		first := g.sessions.open("first")
		time.Sleep(time.Second)
		for range mostSessions {
			g.sessions.open("another")
		}
		if len(g.sessions.all) != mostSessions || g.sessions.of(true, first) != nil {
			t.Errorf("%d sessions", len(g.sessions.all))
		}
	})
}

// TestAttempts: wrong tokens are counted by address and in all, by whichever way they
// come, and then a right one waits, too; right ones are not counted.
func TestAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := gate(nil)
		for range 3 * attemptsAtOnce {
			if w := signIn(h, "10.0.0.1:1", "jane", token); w.Code != http.StatusOK {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
		}
		for range attemptsAtOnce - 1 {
			if w := signIn(h, "10.0.0.1:2", "jane", "open-sesame-0124"); w.Code != http.StatusForbidden {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
		}
		if w := ask(h, "10.0.0.1:3", "/", nil, "Authorization", "Bearer "+token+"x"); w.Code != http.StatusUnauthorized {
			t.Fatalf("%d %q", w.Code, w.Body)
		}
		for _, w := range []*httptest.ResponseRecorder{
			signIn(h, "10.0.0.1:4", "jane", token),
			ask(h, "10.0.0.1:5", "/", nil, "Authorization", "Bearer "+token),
		} {
			if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "30" {
				t.Errorf("%d %q, Retry-After %q", w.Code, w.Body, w.Header().Get("Retry-After"))
			}
		}
		if w := signIn(h, "10.0.0.2:1", "joe", token); w.Code != http.StatusOK { // another address
			t.Errorf("%d %q", w.Code, w.Body)
		}
		time.Sleep(attemptsEvery)
		if w := signIn(h, "10.0.0.1:6", "jane", token); w.Code != http.StatusOK {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		refused := 0
		for i := range 2 * allAttemptsAtOnce { // from everywhere
			if w := signIn(h, "10.1."+string('0'+rune(i/100))+"."+itoa(i%100)+":1", "x", "no"); w.Code == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < allAttemptsAtOnce-1 {
			t.Errorf("%d of %d are refused", refused, 2*allAttemptsAtOnce)
		}
	})
}

func itoa(n int) string { return string([]rune{'0' + rune(n/10), '0' + rune(n%10)}) }

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1:5": "10.0.0.1/32", "[::ffff:10.0.0.1]:5": "10.0.0.1/32", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64", "[fe80::1%eth0]:5": "fe80::/64", "pipe": "invalid Prefix",
	} {
		if got := network(address).String(); got != want {
			t.Errorf("%s: %s", address, got)
		}
	}
}

// TestBearer: a script that has the token reads, and does no more.
func TestBearer(t *testing.T) {
	h := gate(nil)
	if w := ask(h, "10.0.0.1:1", "/", nil, "Authorization", "Bearer "+token); w.Code != http.StatusOK || w.Body.String() != "a bearer of the token" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask(h, "10.0.0.1:1", "/", url.Values{FormField: {""}}, "Authorization", "Bearer "+token); w.Code != http.StatusUnauthorized {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestNames(t *testing.T) {
	h := gate(nil)
	for name, want := range map[string]int{"": 400, "  ": 400, "ja\x1bne": 400, "ja\u202Ene": 400, strings.Repeat("é", 61): 400, strings.Repeat("é", 60): 200, "Zoë 山田": 200} {
		if w := signIn(h, "10.0.0.1:1", name, token); w.Code != want {
			t.Errorf("%q: %d %q", name, w.Code, w.Body)
		}
	}
	if w := signIn(h, "10.0.0.1:1", "jane", ""); w.Code != http.StatusForbidden {
		t.Errorf("no token: %d %q", w.Code, w.Body)
	}
}

// TestForms: what changes anything needs the session's own token, and a page of the
// same site.
func TestForms(t *testing.T) {
	h := gate(nil)
	jane, joe := cookie(t, signIn(h, "10.0.0.1:1", "jane", token)), cookie(t, signIn(h, "10.0.0.1:1", "joe", token))
	formOf := func(cookie string) string { return ask(h, "10.0.0.1:1", "/form", nil, "Cookie", cookie).Body.String() }
	own := formOf(jane)
	for _, test := range []struct {
		name, form string
		headers    []string
		want       int
	}{
		{"her own", own, nil, 200},
		{"none", "", nil, 403},
		{"another's", formOf(joe), nil, 403},
		{"from the same origin", own, []string{"Origin", "http://localhost:8082"}, 200},
		{"from elsewhere", own, []string{"Origin", "http://evil.example"}, 403},
		{"from another port", own, []string{"Origin", "http://localhost:9999"}, 403},
		{"from nowhere", own, []string{"Origin", "null"}, 403},
		{"a browser says from elsewhere", own, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a browser says from beside", own, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a browser says from here", own, []string{"Sec-Fetch-Site", "same-origin"}, 200},
	} {
		if w := ask(h, "10.0.0.1:1", "/", url.Values{FormField: {test.form}}, append(test.headers, "Cookie", jane)...); w.Code != test.want {
			t.Errorf("%s: %d %q, want %d", test.name, w.Code, w.Body, test.want)
		}
	}
	// A cookie of the same name that somebody else has set is passed over.
	if w := ask(h, "10.0.0.1:1", "/", nil, "Cookie", "desk=other; "+jane); w.Body.String() != "jane" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// TestLoopback: without a token whoever reaches it is in, by this machine's names
// only, and forms are still its own.
func TestLoopback(t *testing.T) {
	h := gate(func(c *Config) { c.Token, c.Loopback = "", true })
	for host, want := range map[string]int{
		"localhost": 200, "LocalHost:8082": 200, "127.0.0.1:8082": 200, "127.0.0.2": 200, "[::1]:8082": 200, "[::1]": 200,
		"evil.example": 421, "evil.example:8082": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421, "10.0.0.1": 421, "0.0.0.0": 421, "": 421,
	} {
		w := ask(h, "127.0.0.1:1", "/", nil, "Host", host)
		if w.Code != want || want == 200 && w.Body.String() != "root@here" {
			t.Errorf("%q: %d %q", host, w.Code, w.Body)
		}
		if w.Header().Get("Content-Security-Policy") != Policy || w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %v", host, w.Header())
		}
	}
	if w := ask(h, "127.0.0.1:1", "/", url.Values{}); w.Code != http.StatusForbidden {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := signIn(h, "127.0.0.1:1", "jane", ""); w.Code != http.StatusForbidden {
		t.Errorf("a sign-in with no token where there is none: %d", w.Code)
	}
}

func TestSecureCookie(t *testing.T) {
	h := gate(nil)
	w := ask(h, "10.0.0.1:1", "/sign-in", url.Values{"name": {"jane"}, "token": {token}}, "X-Forwarded-Proto", "https")
	if c := w.Result().Cookies()[0]; !c.Secure {
		t.Errorf("%+v", c)
	}
}
