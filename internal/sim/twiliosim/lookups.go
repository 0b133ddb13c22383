package twiliosim

import (
	"hash/fnv"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The built-in content templates.
const (
	TemplateText       = "HX00000000000000000000000000000001" // twilio/text: "Hi {{profile.traits.first_name}}, ..."
	TemplateMedia      = "HX00000000000000000000000000000002" // twilio/media: a body and one picture
	TemplateWhatsApp   = "HX00000000000000000000000000000003" // twilio/text with {{1}} and {{2}}
	TemplateQuickReply = "HX00000000000000000000000000000004" // twilio/quick-reply, which SMS can't show
)

func builtinTemplates() map[string]map[string]any {
	return map[string]map[string]any{
		TemplateText: {"twilio/text": map[string]any{
			"body": "Hi {{profile.traits.first_name | default: 'there'}}, your welcome offer is waiting: https://shop.example.com/welcome",
		}},
		TemplateMedia: {"twilio/media": map[string]any{
			"body":  "Hi {{profile.traits.first_name | default: 'there'}}, look what is new",
			"media": []any{"https://shop.example.com/new/{{profile.user_id}}.png"},
		}},
		TemplateWhatsApp: {"twilio/text": map[string]any{
			"body": "Hi {{1}}, your order {{2}} is on its way",
		}},
		TemplateQuickReply: {"twilio/quick-reply": map[string]any{
			"body":    "Shall we hold your cart?",
			"actions": []any{map[string]any{"title": "Yes", "id": "yes"}, map[string]any{"title": "No", "id": "no"}},
		}},
	}
}

// template is the types of a template, or nil.
func (s *Sim) template(sid string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.templates[sid]
}

// serveContent shows a content template.
func (s *Sim) serveContent(w http.ResponseWriter, r *http.Request, rest string) {
	s.count(func(c *counters) { c.templates++ })
	user, _, _ := r.BasicAuth()
	account := s.accountOf(user)
	rule, ok := s.admit(w, r, account, "")
	if !ok || s.failLookup(w, r, rule) {
		return
	}
	sid := segment(rest)
	types := s.template(sid)
	if types == nil || r.Method != http.MethodGet {
		s.refuse(w, r, notFound(r.URL.EscapedPath()))
		return
	}
	created := time.Date(2026, time.January, 2, 3, 4, 5, 0, time.UTC).Format(time.RFC3339)
	s.answer(w, http.StatusOK, map[string]any{
		"sid": sid, "account_sid": account, "friendly_name": strings.Join(slices.Sorted(maps.Keys(types)), ", "), "language": "en",
		"variables": map[string]any{}, "types": types, "date_created": created, "date_updated": created,
		"url":   "https://content.twilio.com" + contentPrefix + sid,
		"links": map[string]any{"approval_fetch": "https://content.twilio.com" + contentPrefix + sid + "/ApprovalRequests"},
	})
}

// accountOf is the account that a user name belongs to: the content API
// doesn't name one.
func (s *Sim) accountOf(user string) string {
	for account, users := range s.opts.Accounts {
		if _, ok := users[user]; ok {
			return account
		}
	}
	if strings.HasPrefix(user, "AC") {
		return user
	}
	return ""
}

// serveProfile shows a user's traits. rest is
// "{space}/collections/users/profiles/user_id:{id}/traits".
func (s *Sim) serveProfile(w http.ResponseWriter, r *http.Request, rest string) {
	s.count(func(c *counters) { c.profiles++ })
	space, rest, _ := strings.Cut(rest, "/")
	profile, traits := strings.CutPrefix(rest, "collections/users/profiles/")
	profile, isTraits := strings.CutSuffix(profile, "/traits")
	id, byUser := strings.CutPrefix(segment(profile), "user_id:")
	if !traits || !isTraits || !byUser || r.Method != http.MethodGet {
		s.profileError(w, http.StatusNotFound, "not_found", "The resource was not found.")
		return
	}
	token, _, _ := r.BasicAuth()
	if token == "" || s.opts.ProfileTokens != nil && !slices.Contains(s.opts.ProfileTokens, token) {
		s.profileError(w, http.StatusUnauthorized, "unauthorized", "The request could not be authorized.")
		return
	}
	if rule, ok := s.let(w, r, segment(space), "", false); !ok || s.failLookup(w, r, rule) {
		return
	}
	s.mu.Lock()
	known, ok := s.profiles[id]
	s.mu.Unlock()
	if !ok && s.opts.UnknownProfiles {
		s.profileError(w, http.StatusNotFound, "not_found", "The resource was not found.")
		return
	}
	if !ok {
		known = Traits(id)
	}
	s.answer(w, http.StatusOK, map[string]any{
		"traits": known,
		"cursor": map[string]any{"url": r.URL.EscapedPath(), "has_more": false, "next": "", "limit": 200},
	})
}

func (s *Sim) profileError(w http.ResponseWriter, status int, code, message string) {
	s.answer(w, status, map[string]any{"error": map[string]any{"code": code, "message": message}})
}

// failLookup fails a share of the look-ups.
func (s *Sim) failLookup(w http.ResponseWriter, r *http.Request, rule *rule) bool {
	if rule.LookupErrors == 0 || unit(s.faults.Load().draw()) >= rule.LookupErrors {
		return false
	}
	s.refuse(w, r, errInternal)
	return true
}

// Traits are those that the profile API makes up for a user id that has no
// profile of its own: always the same for an id.
func Traits(id string) map[string]any {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails
	n := scatter(h.Sum64())
	pick := func(from ...string) string {
		n = scatter(n)
		return from[n%uint64(len(from))]
	}
	first := pick("Ada", "Ben", "Chloé", "Dmitri", "Eun-ji", "Fatima", "Grace", "Hugo", "Inés", "Jane", "Kofi", "Łukasz")
	last := pick("Adeyemi", "Brown", "Costa", "Doe", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Jensen")
	return map[string]any{
		"first_name":     first,
		"last_name":      last,
		"email":          id + "@example.com",
		"city":           pick("Berlin", "Boston", "Lagos", "Lyon", "Osaka", "Porto", "Zürich"),
		"plan":           pick("free", "plus", "pro"),
		"orders":         n % 20,
		"lifetime_value": float64(n%200_000) / 100,
		"vip":            n%7 == 0,
	}
}
