package twilio

import (
	"net/url"

	"github.com/twilio/twilio-go/client"
)

// SignedBy reports whether a signature (X-Twilio-Signature) is Twilio's, with an
// account's auth token, of a form that was posted to a URL as Twilio was
// given it, without its fragment. Of several values of a name the first counts.
func SignedBy(authToken, address string, form url.Values, signature string) bool {
	params := make(map[string]string, len(form))
	for name := range form {
		params[name] = form.Get(name)
	}
	validator := client.NewRequestValidator(authToken)
	return validator.Validate(address, params, signature)
}

// IsMessageSID reports whether s can be a message's SID.
func IsMessageSID(s string) bool { return isMessageSID(s) }
