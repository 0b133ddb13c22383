package twiliosim

import (
	"net/http"
	"strings"
)

const servicesPrefix = "/v1/Services/"

// ServiceUnknown is a messaging service that no account has; every other one
// is there.
const ServiceUnknown = "MGffffffffffffffffffffffffffffffff"

// ownNumbers lists the account's numbers or short codes that are the one that
// is asked for: every account has all, except those that its messages are
// refused for.
func (s *Sim) ownNumbers(w http.ResponseWriter, r *http.Request, account, list, field, number string) {
	if rule, ok := s.admit(w, r, account, ""); !ok || s.failLookup(w, r, rule) {
		return
	}
	found := []any{}
	if e164, ok := normalise(number); number != "" && !(ok && (e164 == magicInvalid || e164 == magicNotOwned)) {
		found = append(found, map[string]any{field: number, "account_sid": account})
	}
	s.answer(w, http.StatusOK, map[string]any{list: found, "page": 0, "page_size": 50, "next_page_uri": nil})
}

// serveService shows a messaging service.
func (s *Sim) serveService(w http.ResponseWriter, r *http.Request, rest string) {
	user, _, _ := r.BasicAuth()
	account := s.accountOf(user)
	if rule, ok := s.admit(w, r, account, ""); !ok || s.failLookup(w, r, rule) {
		return
	}
	sid := segment(rest)
	if r.Method != http.MethodGet || !strings.HasPrefix(sid, "MG") || sid == ServiceUnknown {
		s.refuse(w, r, notFound(r.URL.EscapedPath()))
		return
	}
	s.answer(w, http.StatusOK, map[string]any{"sid": sid, "account_sid": account, "friendly_name": "simulated"})
}
