package desk

import (
	"net/http"
	"net/url"
	"strings"
)

// signInView is what the sign-in page shows.
type signInView struct {
	Next, Name, Wrong string
}

// stranger sends who isn't signed in to the sign-in; a script is told.
func (d *Desk) stranger(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/events" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("WWW-Authenticate", `Bearer realm="engage-worker desk"`)
		d.fail(w, r, &fault{http.StatusUnauthorized, "This needs a sign-in, which may have ended.", "Sign in again at /sign-in; a script sends the header Authorization: Bearer and desk.token."})
		return
	}
	to := "/sign-in"
	if r.URL.RequestURI() != "/" {
		to += "?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (d *Desk) signInPage(w http.ResponseWriter, r *http.Request) {
	if d.o.Config.Desk.Token == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	d.show(w, r, http.StatusOK, "sign-in", page{Title: "Sign in", View: signInView{Next: within(r.FormValue("next"))}})
}

func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) {
	if d.o.Config.Desk.Token == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	next := within(r.PostFormValue("next"))
	if wrong, status := d.guard.SignIn(w, r); wrong != "" {
		d.show(w, r, status, "sign-in", page{Title: "Sign in", View: signInView{next, r.PostFormValue("name"), wrong}})
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) {
	d.guard.SignOut(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}

// within is an address of this desk, and its first page in place of any other.
func within(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(address, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}
