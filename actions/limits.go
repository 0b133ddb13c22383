package actions

import (
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/outcome"
)

// Twilio's limits (https://www.twilio.com/docs/messaging/api/message-resource).
// A request beyond them is refused for sure, so none is made.
const (
	maxBody  = 1600 // characters
	maxMedia = 10
)

// checkLimits checks a rendered body and its media.
func checkLimits(body string, media []string) *Failure {
	if n := utf8.RuneCountInString(body); n > maxBody {
		return fail(outcome.ReasonContentRejected, "body_too_long",
			"the body is %d characters long after rendering; Twilio takes %d at most", n, maxBody)
	}
	if len(media) > maxMedia {
		return tooManyMedia(len(media))
	}
	return nil
}

func tooManyMedia(n int) *Failure {
	return fail(outcome.ReasonContentRejected, "too_many_media", "there are %d media; Twilio takes %d at most", n, maxMedia)
}

// checkVariables refuses variables that Twilio refuses (error 21656): null and
// empty ones.
func checkVariables(variables any) *Failure {
	for name, value := range jsvalue.All(variables) {
		if value == nil || value == "" {
			return emptyVariable(name)
		}
	}
	return nil
}

func emptyVariable(name string) *Failure {
	return fail(outcome.ReasonContentRejected, "empty_content_variable",
		"content variable %q is empty; Twilio refuses that", name)
}
