package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"engage-worker/actions"
	"engage-worker/actions/twilio"
)

// checkWhole checks what lies between keys.
func (r *reader) checkWhole(root *node, c *Config) {
	at := root.resolve
	interval, session := at("kafka").get("commitInterval"), at("kafka").get("sessionTimeout")
	if c.Kafka.CommitInterval > c.Kafka.SessionTimeout/2 && !interval.isBroken() && !session.isBroken() {
		r.fault(cmp.Or(interval, session), "commitInterval (%s) may be half of sessionTimeout (%s) at most: each commit renews the lease under which messages are sent",
			durationText(c.Kafka.CommitInterval), durationText(c.Kafka.SessionTimeout))
	}
	if backoff := at("delivery.backoff"); c.Delivery.Backoff.Initial > c.Delivery.Backoff.Max && !backoff.get("initial").isBroken() && !backoff.get("max").isBroken() {
		r.fault(backoff, "initial (%s) is longer than max (%s)",
			durationText(c.Delivery.Backoff.Initial), durationText(c.Delivery.Backoff.Max))
	}
	if age := at("delivery").get("maxEventAge"); c.Delivery.MaxEventAge > c.Ledger.Retention && !age.isBroken() && !at("ledger").get("retention").isBroken() {
		r.warn(cmp.Or(at("ledger").get("retention"), age), fmt.Sprintf("the ledger remembers a delivery for %s, so that an older event, which delivery.maxEventAge allows, is sent again when it comes again", durationText(c.Ledger.Retention)),
			"raise ledger.retention, or lower delivery.maxEventAge")
	}
	if adopt := c.Ledger.Adopt; adopt != "" && adopt == c.Kafka.GroupPrefix {
		r.fault(at("ledger.adopt"), "is this configuration's own kafka.groupPrefix; name the former one, or take it out")
	}
	r.checkCallbacks(at("callbacks"), c.Callbacks)
	r.checkDesk(at("desk"), c.Desk)
	r.checkSenders(at("regions"), c)
	r.checkTLS(at("kafka.tls"), c.Kafka.TLS)
	r.checkSASL(at("kafka.sasl"), c.Kafka.SASL)
	r.checkDestinations(at("destinations"), c)
	r.checkTopics(root, c)
}

// leastKey is how long a key that signs must be, in bytes.
const leastKey = 32

func (r *reader) checkCallbacks(n *node, c Callbacks) {
	for name, key := range map[string]Secret{"key": c.Key, "formerKey": c.FormerKey} {
		if at := n.get(name); len(key) > 0 && len(key) < leastKey && !at.isBroken() {
			r.fault(cmp.Or(at, n), "%s has %d bytes, and needs %d or more: `openssl rand -base64 32` makes one", name, len(key), leastKey)
		}
	}
	switch at := n.get("key"); {
	case c.PublicURL != "" && c.Key == "" && !at.isBroken():
		r.fault(cmp.Or(n.get("publicUrl"), n), "publicUrl needs key, which signs the path of each message's callback: `openssl rand -base64 32` makes one")
	case c.Key == "" && c.FormerKey != "" && !at.isBroken():
		r.fault(n, "formerKey stands beside key, not in its place: set key")
	}
}

// leastToken is how long what people sign in with must be, in bytes.
const leastToken = 16

func (r *reader) checkDesk(n *node, d Desk) {
	token, listen := n.get("token"), n.get("listen")
	switch {
	case token.isBroken() || listen.isBroken():
	case len(d.Token) > 0 && len(d.Token) < leastToken:
		r.fault(cmp.Or(token, n), "token has %d bytes, and needs %d or more: `openssl rand -base64 32` makes one", len(d.Token), leastToken)
	case d.Token == "" && !OnLoopback(d.Listen):
		r.fault(cmp.Or(listen, n), "a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082")
	}
	r.checkTLS(n.resolve("tls"), TLS{Enabled: d.TLS.CertFile != "", CertFile: d.TLS.CertFile, KeyFile: d.TLS.KeyFile})
}

// checkTLS reads the files, so that a wrong one is known before the start.
func (r *reader) checkTLS(n *node, c TLS) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		r.fault(n, "certFile and keyFile go together: set both, or neither")
		return
	}
	if !c.Enabled || r.skipEnv {
		return
	}
	if c.CAFile != "" {
		switch pem, err := os.ReadFile(c.CAFile); {
		case err != nil:
			r.fault(n.resolve("caFile"), "the file can't be read: %s", pathless(err))
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			r.fault(n.resolve("caFile"), "the file holds no certificate in PEM form")
		}
	}
	if c.CertFile != "" {
		r.checkKeyPair(n, c)
	}
}

// checkKeyPair says nothing of the key but what is wrong with it.
func (r *reader) checkKeyPair(n *node, c TLS) {
	cert, err := os.ReadFile(c.CertFile)
	if err != nil {
		r.fault(n.resolve("certFile"), "the file can't be read: %s", pathless(err))
	}
	key, keyErr := os.ReadFile(c.KeyFile)
	if keyErr != nil {
		r.fault(n.resolve("keyFile"), "the file can't be read: %s", pathless(keyErr))
	}
	if err != nil || keyErr != nil {
		return
	}
	if encrypted(key) {
		r.fault(n.resolve("keyFile"), "the private key is encrypted, and there is no setting for a passphrase: decrypt it (openssl pkey -in old.pem -out new.pem) and protect the file by its permissions")
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		r.fault(n.resolve("certFile"), "certFile and keyFile aren't a certificate in PEM form and its private key: %s", err)
	}
}

func (r *reader) checkDestinations(n *node, c *Config) {
	first := map[string]*node{}
	for i, d := range c.Destinations {
		at := n.resolve(element("", i))
		r.checkUnique(first, at.resolve("name"), d.Name)
		for k, name := range d.FormerNames {
			r.checkUnique(first, at.resolve("formerNames").resolve(element("", k)), name)
		}
		list := at.resolve("actions")
		if len(d.Actions) > actions.MaxActions {
			r.fault(list, "%d actions; a destination may have %d", len(d.Actions), actions.MaxActions)
		}
		firstAction := map[string]*node{}
		for j, a := range d.Actions {
			r.checkUnique(firstAction, list.resolve(element("", j)).resolve("name"), a.Name)
		}
		for j, a := range d.Actions {
			for k, name := range a.FormerNames {
				r.checkUnique(firstAction, list.resolve(element("", j)).resolve("formerNames").resolve(element("", k)), name)
			}
		}
	}
}

// checkSenders finds senders that stand twice, written in two ways.
func (r *reader) checkSenders(regions *node, c *Config) {
	for _, name := range c.entryNames() {
		senders := regions.get(name).get("senders")
		if senders == nil {
			continue
		}
		first := map[string]entry{}
		for _, e := range senders.entries {
			key := twilio.SenderKey(e.key)
			if earlier, double := first[key]; double {
				r.faultKey(senders, e, "is the sender %s of line %d, written otherwise; keep one", earlier.key, earlier.line)
				continue
			}
			first[key] = e
		}
	}
}

func (r *reader) checkUnique(first map[string]*node, n *node, name string) {
	if name == "" {
		return // reported as missing or wrong
	}
	if earlier, double := first[name]; double {
		r.fault(n, "the name %s is taken in line %d; give each its own", n.shown(), earlier.line)
		return
	}
	first[name] = n
}

// checkTopics holds the derived topics to Kafka's rules: none too long, none
// that collides with another ('.' and '_' are one to Kafka there).
func (r *reader) checkTopics(root *node, c *Config) {
	source := root.resolve("kafka.topic")
	taken := map[string]string{}
	claim := func(n *node, topic, what string) {
		key := strings.ReplaceAll(topic, ".", "_")
		if other, double := taken[key]; double {
			r.fault(n, "%s and %s would be one topic, as Kafka takes '.' and '_' for the same there; name one of them otherwise", what, other)
			return
		}
		taken[key] = what
		if len(topic) > maxTopicName && !n.broken {
			r.fault(n, "%s would be %d characters long; Kafka allows %d", what, len(topic), maxTopicName)
		}
	}
	claim(source, c.Kafka.Topic, "the source topic")
	deadLetter := root.resolve("kafka.deadLetterTopic")
	if c.Kafka.DeadLetter == "" {
		deadLetter = source
	}
	claim(deadLetter, c.DeadLetterTopic(), "the dead-letter topic")
	names := map[string]bool{}
	for i, d := range c.Destinations {
		if d.Name == "" || names[d.Name] {
			continue
		}
		names[d.Name] = true
		path := element("destinations", i) // not the name, which may be veiled
		at := root.resolve(child(path, "name"))
		for _, topic := range c.RetryTopics(d.Name) {
			claim(at, topic, "a retry topic of "+path)
		}
		claim(at, c.LedgerTopic(d.Name), "the ledger of "+path)
		claim(at, c.StatusTopic(d.Name), "the status topic of "+path)
		claim(at, c.CallbacksTopic(d.Name), "the callbacks topic of "+path)
	}
}
