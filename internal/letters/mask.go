package letters

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"engage-worker/actions/twilio"
	"engage-worker/deadletter"
)

// What has digits enough and is nobody's number.
const (
	uuid = `[[:xdigit:]]{8}(?:-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}`
	plan = `\b20[0-9]{6}-[0-9]{6}-[[:xdigit:]]{8}\b` // of a replay
)

var (
	numbers = regexp.MustCompile(`\+[0-9][0-9 ()./-]{6,22}[0-9]`)
	mails   = regexp.MustCompile(`[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}`)
	// bareNumbers are those without their plus, and what looks like one:
	// notNumbers, which are dates, addresses of machines, milliseconds since 1970.
	bareNumbers = regexp.MustCompile(uuid + `|` + plan + `|\(?\b[0-9][0-9 ()./-]{7,22}[0-9]\b`)
	notNumbers  = regexp.MustCompile(`^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}\b.*|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|1[0-9]{12}|` + uuid + `|` + plan + `)$`)
)

// Masked veils what reaches a person: mail, and numbers, with their plus or
// without. JSON stays JSON: of a number that is none in quotes there, a text
// in quotes is made.
func Masked(text string) string {
	const longestFrame = 16 // of a schema registry
	if at := strings.IndexAny(text, "{["); at >= 0 && at <= longestFrame && json.Valid([]byte(text[at:])) {
		return text[:at] + maskedJSON(text[at:])
	}
	return maskedText(text)
}

func maskedText(text string) string {
	text = numbers.ReplaceAllStringFunc(text, maskedNumber)
	text = bareNumbers.ReplaceAllStringFunc(text, func(number string) string {
		if notNumbers.MatchString(number) || !phoneLike(number) {
			return number
		}
		return maskedNumber(number)
	})
	return mails.ReplaceAllString(text, "***")
}

// phoneLike reports whether a number has as many digits as one that people are
// called by: nine to fifteen.
func phoneLike(number string) bool {
	digits := 0
	for _, r := range number {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	return digits >= 9 && digits <= 15
}

func maskedNumber(number string) string {
	return twilio.Mask(strings.Map(func(r rune) rune {
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number))
}

// tokens are JSON's texts and whole numbers; what is between them stays.
var tokens = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*`)

func maskedJSON(object string) string {
	return tokens.ReplaceAllStringFunc(object, func(token string) string {
		if token[0] == '"' {
			return maskedText(token)
		}
		if veiled := maskedText(token); veiled != token && strings.Trim(token, "0123456789") == "" {
			return strconv.Quote(veiled)
		}
		return token
	})
}

// MaskedUser veils who it is: the same text for the same user.
func MaskedUser(id string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return "user-" + hex.EncodeToString(sum[:4])
}

// MaskedRecord is r for those who may not know who it is about.
func MaskedRecord(r *deadletter.Record) *deadletter.Record {
	m := r.Clone()
	if user := r.UserID; user != "" {
		m.Value = bytes.ReplaceAll(m.Value, []byte(strconv.Quote(user)), []byte(strconv.Quote(MaskedUser(user))))
		if string(m.Key) == user {
			m.Key = []byte(MaskedUser(user))
		}
		m.UserID = MaskedUser(user)
	}
	m.MessageID, m.Message = Masked(m.MessageID), Masked(m.Message)
	m.Key, m.Value = maskedBytes(m.Key), maskedBytes(m.Value)
	for i := range m.Headers {
		m.Headers[i].Value = maskedBytes(m.Headers[i].Value)
	}
	return m
}

func maskedBytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	return []byte(Masked(string(b)))
}
