package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"engage-worker/actions"
	"engage-worker/internal/config/form"
)

// maxTopicName is Kafka's limit (org.apache.kafka.common.internals.Topic).
const maxTopicName = 249

// The rules of texts. A pattern is necessary and not always enough.
const (
	topicPattern  = `^[A-Za-z0-9._-]+$`
	wordPattern   = `^[A-Za-z0-9][A-Za-z0-9_-]*$`
	senderPattern = `^([a-z]+:)?\+?[A-Za-z0-9]([A-Za-z0-9 _.&()-]*[A-Za-z0-9.])?$`
	labelPattern  = `^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`
)

var (
	topicCharacters  = regexp.MustCompile(topicPattern)
	wordCharacters   = regexp.MustCompile(wordPattern)
	extensionNames   = regexp.MustCompile(`^[A-Za-z]+$`)
	extensionValues  = regexp.MustCompile(`^[\x20-\x7E]+$`)
	senderCharacters = regexp.MustCompile(senderPattern)
	labelCharacters  = regexp.MustCompile(labelPattern)
)

// topicName holds Kafka's rules for a topic's name.
func topicName() form.Rule {
	return form.Rule{Takes: "topic name", Pattern: topicPattern, Check: func(s string) error {
		switch {
		case s == "":
			return errors.New("must not be empty")
		case s == ".", s == "..":
			return errors.New("Kafka allows no topic named . or ..")
		case !topicCharacters.MatchString(s):
			return errors.New("may hold letters, digits, '.', '_' and '-' only: Kafka allows no others in a topic's name")
		case len(s) > maxTopicName:
			return fmt.Errorf("is %d characters long; Kafka allows %d", len(s), maxTopicName)
		}
		return nil
	}}
}

// groupPrefix keeps to what is safe wherever a group's name is shown.
func groupPrefix() form.Rule {
	return form.Rule{Takes: "name", Pattern: topicPattern, Check: func(s string) error {
		switch {
		case s == "":
			return errors.New("must not be empty")
		case !topicCharacters.MatchString(s):
			return errors.New("may hold letters, digits, '.', '_' and '-' only")
		case len(s) > maxTopicName:
			return fmt.Errorf("is %d characters long; %d are allowed", len(s), maxTopicName)
		}
		return nil
	}}
}

// word is a name that fits into topic names, metrics' labels and paths.
func word(what string) form.Rule {
	return form.Rule{Takes: "letters, digits, `_`, `-`", Pattern: wordPattern, Check: func(s string) error {
		if !wordCharacters.MatchString(s) {
			return fmt.Errorf("%s begins with a letter or digit and holds letters, digits, '_' and '-' only", what)
		}
		return nil
	}}
}

// senderName is a sender as Twilio gets it.
func senderName() form.Rule {
	return form.Rule{Takes: "sender", Pattern: senderPattern, Check: func(s string) error {
		if !senderCharacters.MatchString(s) {
			return errors.New("a sender is a number (+15551234567), a short code, a name, a messaging service (MG...), or whatsapp: and a number, as a message's From has it")
		}
		return nil
	}}
}

// regionName is a region's.
func regionName() form.Rule {
	return form.Rule{Takes: "letters, digits, `_`, `-`", Pattern: actions.RegionPattern, Check: actions.CheckRegion}
}

// hostLabel is a part of a host name.
func hostLabel() form.Rule {
	return form.Rule{Takes: "part of a host name", Pattern: labelPattern, Check: func(s string) error {
		if !labelCharacters.MatchString(s) {
			return errors.New("must be a part of a host name: lower-case letters, digits and '-'")
		}
		return nil
	}}
}

// webAddress is an http or https URL.
func webAddress() form.Rule {
	return form.Rule{Takes: "URL", Pattern: `^https?://[^/\s]`, Check: func(s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			return errors.New("must be an address like https://login.example.com/oauth2/token, without a user in it")
		}
		return nil
	}}
}

// publicAddress is where a vendor calls from outside: an address to which
// path segments can be added, whose host Twilio takes (no underscores).
func publicAddress() form.Rule {
	return form.Rule{Takes: "URL", Pattern: `^https?://[^/\s_?#@]+(/[^\s?#]*)?$`, Check: func(s string) error {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || strings.ContainsAny(s, "?#") || strings.Contains(u.Host, "_") {
			return errors.New("must be an address like https://callbacks.example.com, without a user, a query or a fragment, and with a host without '_', which Twilio doesn't take")
		}
		return nil
	}}
}

// extensionName and extensionValue are those of SASL's OAUTHBEARER (RFC 7628).
func extensionName() form.Rule {
	return form.Rule{Takes: "letters", Pattern: `^[A-Za-z]+$`, Check: func(s string) error {
		if !extensionNames.MatchString(s) || s == "auth" {
			return errors.New("an extension's name holds letters only, and isn't auth")
		}
		return nil
	}}
}

func extensionValue() form.Rule {
	return form.Rule{Takes: "text", Pattern: `^[\x20-\x7E]+$`, Check: func(s string) error {
		if !extensionValues.MatchString(s) {
			return errors.New("must be text of ASCII characters")
		}
		return nil
	}}
}

// listenAddress is host:port, where the host may be empty and the port 0.
func listenAddress() form.Rule {
	return form.Rule{Takes: "host:port, or :port", Pattern: `:[0-9]+$`, Check: func(s string) error {
		_, port, err := net.SplitHostPort(s)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return errors.New("must be an address to listen on: host:port, or :port for every network")
		}
		return nil
	}}
}

// hostPort is where a server is reached.
func hostPort() form.Rule {
	return form.Rule{Takes: "host:port", Pattern: `^[^\s/@,-][^\s/@,]*:[0-9]+$`, Check: checkHostPort}
}

// brokerPattern is a host:port, or several with commas between them.
const brokerPattern = `^\s*[^\s/@,-][^\s/@,]*:[0-9]+\s*(,\s*[^\s/@,-][^\s/@,]*:[0-9]+\s*)*$`

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	number, portErr := strconv.ParseUint(port, 10, 16)
	switch {
	case err != nil, portErr != nil, number == 0, host == "", strings.ContainsAny(host, "/@ \t"):
		return errors.New("must be host:port, as in localhost:9092")
	case host[0] == '-':
		return errors.New("no host begins with '-'; an item of a list has a space after its dash: - localhost:9092")
	}
	return nil
}
