package twiliosim

import (
	"iter"
	"net/url"
	"strings"
)

// formValues yields the names and values of a posted form in their order,
// unescaped. A pair that can't be unescaped is yielded as it is.
func formValues(raw string) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for raw != "" {
			var pair string
			pair, raw, _ = strings.Cut(raw, "&")
			if pair == "" {
				continue
			}
			name, value, _ := strings.Cut(pair, "=")
			if !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

func unescape(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

// createForm is what the simulator wants to know of a create request.
type createForm struct {
	to, from, service                    string
	body, contentSID, contentVariables   string
	callback                             string
	media                                int
	hasBody, hasContentSID, hasVariables bool
	shortenURLs                          bool
}

func parseCreateForm(raw string) createForm {
	var f createForm
	for name, value := range formValues(raw) {
		switch name {
		case "To":
			f.to = value
		case "From":
			f.from = value
		case "MessagingServiceSid":
			f.service = value
		case "Body":
			f.body, f.hasBody = value, value != ""
		case "MediaUrl":
			f.media++
		case "ContentSid":
			f.contentSID, f.hasContentSID = value, value != ""
		case "ContentVariables":
			f.contentVariables, f.hasVariables = value, true
		case "StatusCallback":
			f.callback = value
		case "ShortenUrls":
			f.shortenURLs = value == "true"
		}
	}
	// The hosted destination posts a service's SID as From.
	if f.service == "" && isServiceSID(f.from) {
		f.service, f.from = f.from, ""
	}
	return f
}

// sender is the sender as the client named it.
func (f *createForm) sender() string {
	if f.service != "" {
		return f.service
	}
	return f.from
}

// isServiceSID tells a messaging service's SID from an alphanumeric sender
// that begins with MG. Twilio's have 32 hexadecimal digits; any number passes
// here, so that tests can be short.
func isServiceSID(s string) bool {
	digits, ok := strings.CutPrefix(s, "MG")
	return ok && digits != "" && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}
