package config

import (
	"encoding/pem"
	"os"
	"reflect"
	"slices"
	"strings"

	"engage-worker/internal/config/form"
)

// checkSASL holds each mechanism to the keys that it needs, and to no others.
func (r *reader) checkSASL(n *form.Node, c SASL) {
	if n.Broken {
		return
	}
	if n.Get("mechanism").IsBroken() {
		// Which one is meant isn't known; a name without its password is
		// wrong with any.
		if c.Username != "" && c.Password == "" && !n.Get("password").IsBroken() {
			r.Fault(n.Resolve("password"), "a login with a username needs a password")
		}
		return
	}
	needed := []string{"username", "password"}
	var taken []string
	switch c.Mechanism {
	case SASLNone:
		r.checkNoLogin(n, c)
		return
	case SASLOAuthBearer:
		needed, taken = []string{"tokenUrl", "clientId", "clientSecret"}, []string{"scopes", "extensions"}
		if c.TokenFile != "" {
			needed, taken = []string{"tokenFile"}, []string{"extensions"}
		}
	case SASLAWSMSKIAM:
		needed = []string{"region"}
	}
	set := c.set()
	for _, key := range needed {
		if slices.Contains(set, key) || n.Get(key).IsBroken() {
			continue
		}
		or := ""
		if key == "tokenUrl" {
			or = ", or a tokenFile"
		}
		r.Fault(n.Resolve(key), "%s needs a %s%s", c.Mechanism, key, or)
	}
	for _, key := range set {
		if slices.Contains(needed, key) || slices.Contains(taken, key) {
			continue
		}
		with := string(c.Mechanism)
		if c.Mechanism == SASLOAuthBearer && c.TokenFile != "" {
			with += " with a tokenFile"
		}
		r.Fault(n.Resolve(key), "%s takes no %s; remove it", with, key)
	}
	if c.TokenFile != "" && !r.SkipEnv {
		if _, err := os.ReadFile(c.TokenFile); err != nil {
			r.Fault(n.Resolve("tokenFile"), "the file can't be read: %s", form.Pathless(err))
		}
	}
}

func (r *reader) checkNoLogin(n *form.Node, c SASL) {
	switch set := c.set(); {
	case len(set) == 0:
	case c.Username != "" || c.Password != "":
		r.Fault(n, "there is a username or a password but no mechanism; set mechanism to plain, scram-sha-256 or scram-sha-512")
	case c.Region != "":
		r.Fault(n, "there is a region but no mechanism; set mechanism to aws-msk-iam")
	default:
		r.Fault(n, "there is a %s but no mechanism; set mechanism to oauthbearer", set[0])
	}
}

// set are the keys besides the mechanism that hold something.
func (c SASL) set() (keys []string) {
	for _, p := range saslShape(&c).Get().([]form.Pair) {
		if p.Key != "mechanism" && reflect.ValueOf(p.Value).Len() > 0 { // a text, a list or an object
			keys = append(keys, p.Key)
		}
	}
	return keys
}

// encrypted reports whether a PEM file holds a private key that wants a
// passphrase: PKCS#8's, or the older form's.
func encrypted(file []byte) bool {
	for {
		block, rest := pem.Decode(file)
		if block == nil {
			return false
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return true
		}
		file = rest
	}
}
