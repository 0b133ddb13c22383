package desk

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp/kb"

	"engage-worker/internal/desk"
)

const token = "a-token-of-sixteen-bytes-and-more"

// Nobody is in without the token; who signs in is, by keyboard, with a cookie that
// no script reads and no other site uses, until they sign out. What only shows
// offers nothing that writes.
func TestSignIn(t *testing.T) {
	w := newWorld(t, token)
	w.refuse(true)
	w.worker()
	origin := w.desk(func(o *desk.Options) { o.ReadOnly = true })
	w.produce(events(5, refused, false)...)
	p := newTab(t, origin)
	p.open("/dead-letters")
	p.until(`document.querySelector("input[name=token]")`)
	p.answered()
	p.seen()
	p.size(1280, 900)
	evaluate[bool](p, `(document.activeElement.blur(), true)`)
	p.focus("Your name")
	p.press("ada")
	p.focus("Token")
	p.press("not the token")
	p.press(kb.Enter)
	p.until(`document.querySelector("#wrong")`)
	p.answered()
	p.seen()
	p.size(1280, 900)
	evaluate[bool](p, `(document.querySelector("input[name=token]").focus(), true)`)
	p.press(token)
	p.press(kb.Enter)
	p.until(`location.pathname === "/dead-letters" && document.querySelectorAll("table.letters tbody tr").length === 4`)
	p.says("only shows", "ada", "Sign out")
	for _, writes := range []string{"Replay…", "Dismiss"} {
		if strings.Contains(p.text(), writes) {
			t.Errorf("what only shows offers %q", writes)
		}
	}
	p.seen()
	p.size(1280, 900)
	cookies := call(p, network.GetCookies, network.GetCookiesParams{}).Cookies
	if len(cookies) != 1 || !cookies[0].HTTPOnly || cookies[0].SameSite != network.CookieSameSiteStrict {
		t.Errorf("the cookies are %+v", cookies)
	}
	if seen := evaluate[string](p, `document.cookie`); seen != "" {
		t.Errorf("a script reads %q", seen)
	}
	p.focus("Sign out")
	p.press(kb.Enter)
	p.until(`document.querySelector("input[name=token]")`)
	p.open("/dead-letters")
	p.until(`document.querySelector("input[name=token]")`)
	if _, status := api[letterList](t, origin, "/dead-letters"); status != http.StatusUnauthorized {
		t.Errorf("without a session /api answers %d", status)
	}
	p.answered()
	p.wellBehaved()
}
