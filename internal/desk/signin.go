package desk

import (
	"net/http"
	"net/url"
	"strings"

	"engage-worker/internal/desk/pages"
	"engage-worker/internal/desk/query"
)

// signInView is what the sign-in page shows.
type signInView struct {
	Next, Name, Wrong string
}

// stranger sends who isn't signed in to the sign-in; a script is told.
func (d *Desk) stranger(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/events" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("WWW-Authenticate", `Bearer realm="engage-worker desk"`)
		d.fail(w, r, &pages.Fault{Status: http.StatusUnauthorized, Words: "This needs a sign-in, which may have ended.", WayOut: "Sign in again at /sign-in; a script sends the header Authorization: Bearer and desk.token."})
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
	d.show(w, r, "sign-in", pages.Page{Title: "Sign in", View: signInView{Next: query.Within(r.FormValue("next"))}})
}

func (d *Desk) signIn(w http.ResponseWriter, r *http.Request) {
	if d.o.Config.Desk.Token == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	next := query.Within(r.PostFormValue("next"))
	if wrong, status := d.guard.SignIn(w, r); wrong != "" {
		d.show(w, r, "sign-in", pages.Page{Title: "Sign in", Status: status, View: signInView{next, r.PostFormValue("name"), wrong}})
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (d *Desk) signOut(w http.ResponseWriter, r *http.Request) {
	d.guard.SignOut(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
}
