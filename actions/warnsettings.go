package actions

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"
)

const (
	noPlaceholder = "is a placeholder, and taken as it stands"
	noReference   = "looks like a reference of a shell or a template, which isn't put in place here"
	ofReferences  = "write ${NAME} for an environment variable, ${file:/path} for a file's content"
)

var (
	otherReference = regexp.MustCompile(`^(\$\w+|\$\(\w+\)|%\w+%|\{\{.*\}\}|<[^<>]+>)$`)
	placeheld      = regexp.MustCompile(`(?i)^((AC|SK)?(x{3,}|\*{3,}|\.{3,})|change[-_ ]?me|to-?do|tbd|your[-_ ].*|redacted|placeholder)$`)
)

// Placeholder says what a setting's text is that was never filled in, and the
// way out; nothing for others. Neither holds the text.
func Placeholder(text string) (message, wayOut string) {
	switch {
	case otherReference.MatchString(text):
		return noReference, ofReferences
	case placeheld.MatchString(text):
		return noPlaceholder, "fill it in; " + ofReferences
	}
	return "", ""
}

// settings warns of what is likely not meant in a destination's settings.
func (w *warner) settings(s *Settings) {
	w.accounts(s)
	w.hosts(s)
	if env := s.ProfileAPIEnvironment; env != "" && env != "production" && strings.HasPrefix(strings.ToLower(env), "prod") {
		w.warn("settings.profileApiEnvironment", "isn't production: profiles are looked up at the staging hosts", "write production, in small letters")
	}
	if strings.HasPrefix(s.SpaceID, "src_") {
		w.warn("settings.spaceId", "begins with src_, as a source does", "give the space (spa_...)")
	}
}

// accounts warns of SIDs that are another thing's, or cut off.
func (w *warner) accounts(s *Settings) {
	switch account := s.TwilioAccountSID; {
	case strings.HasPrefix(account, "SK"):
		w.warn("settings.twilioAccountSID", "begins with SK, as an API key's SID does", "give the account's SID (AC...) here, and the key's as twilioApiKeySID")
	case account != "" && !strings.HasPrefix(account, "AC"):
		w.warn("settings.twilioAccountSID", "doesn't begin with AC, as an account's SID does", "give the account's SID (AC...)")
	default:
		w.sid("settings.twilioAccountSID", account)
	}
	switch key := s.TwilioAPIKeySID; {
	case strings.HasPrefix(key, "AC"):
		w.warn("settings.twilioApiKeySID", "begins with AC, as an account's SID does: that works only with the account's auth token as the secret",
			"give an API key's SID (SK...) and its secret, which can be taken back alone")
	case key != "" && !strings.HasPrefix(key, "SK"):
		w.warn("settings.twilioApiKeySID", "doesn't begin with SK, as an API key's SID does", "give the API key's SID (SK...)")
	default:
		w.sid("settings.twilioApiKeySID", key)
	}
}

const sidLength = 34

// sid warns of a SID that is nearly one. Short ones are made up.
func (w *warner) sid(path, sid string) {
	const made = 20
	switch n := len(sid); {
	case n >= made && n != sidLength:
		w.warn(path, fmt.Sprintf("has %d characters, and a SID has %d", n, sidLength), "copy it again")
	case n == sidLength && strings.Trim(sid[2:], "Xx") == "":
		w.warn(path, noPlaceholder, "copy the SID out of Twilio's console")
	}
}

// hosts warns of addresses that Twilio can't reach, or that aren't Twilio's.
func (w *warner) hosts(s *Settings) {
	for _, host := range []struct{ name, text, product string }{
		{"twilioHostname", s.TwilioHostname, "api."}, {"contentHostname", s.ContentHostname, "content."},
	} {
		name := strings.TrimPrefix(strings.TrimPrefix(host.text, "https://"), "http://")
		if !strings.HasSuffix(name, "twilio.com") {
			continue
		}
		if strings.HasPrefix(host.text, "http://") {
			w.warn("settings."+host.name, "sends the key's secret without TLS", "leave http:// out")
		}
		if !strings.HasPrefix(name, host.product) {
			w.warn("settings."+host.name, "isn't the host of these requests, "+host.product+"twilio.com", "leave it out, or name that host")
		}
	}
	if strings.HasPrefix(s.TwilioHostname, "http://") {
		return // a simulated one, which calls back where it can
	}
	if message, wayOut := Unreachable(s.WebhookURL); message != "" {
		w.warn("settings.webhookUrl", message, wayOut)
	}
}

// Unreachable says why Twilio can't call an address, and the way out; nothing
// if it may.
func Unreachable(address string) (message, wayOut string) {
	if host, _, _ := strings.Cut(strings.TrimPrefix(address, "https://"), "/"); strings.ContainsAny(host, "{}<>$") {
		return "has a placeholder in its host, and nothing is put in place there", ofReferences
	}
	u, err := url.Parse(address)
	if err != nil || address == "" || u.Host == "" {
		return "", ""
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "is no web address, and Twilio calls no other", "begin it with https://"
	case strings.Contains(host, "_"):
		return "has a host with '_', which Twilio doesn't take", "give the host a name without one"
	case host == "localhost", strings.HasSuffix(host, ".local"), strings.HasSuffix(host, ".internal"), strings.HasSuffix(host, ".svc"),
		!strings.Contains(host, ".") && ip == nil, ip != nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified()):
		return "is an address that Twilio can't reach from outside", "give one that is known and open on the internet"
	}
	return "", ""
}
