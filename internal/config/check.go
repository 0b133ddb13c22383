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
	"engage-worker/internal/config/form"
)

// checkWhole checks what lies between keys.
func (r *reader) checkWhole(root *form.Node, c *Config) {
	at := root.Resolve
	interval, session := at("kafka").Get("commitInterval"), at("kafka").Get("sessionTimeout")
	if c.Kafka.CommitInterval > c.Kafka.SessionTimeout/2 && !interval.IsBroken() && !session.IsBroken() {
		r.Fault(cmp.Or(interval, session), "commitInterval (%s) may be half of sessionTimeout (%s) at most: each commit renews the lease under which messages are sent",
			form.DurationText(c.Kafka.CommitInterval), form.DurationText(c.Kafka.SessionTimeout))
	}
	if backoff := at("delivery.backoff"); c.Delivery.Backoff.Initial > c.Delivery.Backoff.Max && !backoff.Get("initial").IsBroken() && !backoff.Get("max").IsBroken() {
		r.Fault(backoff, "initial (%s) is longer than max (%s)",
			form.DurationText(c.Delivery.Backoff.Initial), form.DurationText(c.Delivery.Backoff.Max))
	}
	if age := at("delivery").Get("maxEventAge"); c.Delivery.MaxEventAge > c.Ledger.Retention && !age.IsBroken() && !at("ledger").Get("retention").IsBroken() {
		r.Warn(cmp.Or(at("ledger").Get("retention"), age), fmt.Sprintf("the ledger remembers a delivery for %s, so that an older event, which delivery.maxEventAge allows, is sent again when it comes again", form.DurationText(c.Ledger.Retention)),
			"raise ledger.retention, or lower delivery.maxEventAge")
	}
	if adopt := c.Ledger.Adopt; adopt != "" && adopt == c.Kafka.GroupPrefix {
		r.Fault(at("ledger.adopt"), "is this configuration's own kafka.groupPrefix; name the former one, or take it out")
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

func (r *reader) checkCallbacks(n *form.Node, c Callbacks) {
	for name, key := range map[string]Secret{"key": c.Key, "formerKey": c.FormerKey} {
		if at := n.Get(name); len(key) > 0 && len(key) < leastKey && !at.IsBroken() {
			r.Fault(cmp.Or(at, n), "%s has %d bytes, and needs %d or more: `openssl rand -base64 32` makes one", name, len(key), leastKey)
		}
	}
	switch at := n.Get("key"); {
	case c.PublicURL != "" && c.Key == "" && !at.IsBroken():
		r.Fault(cmp.Or(n.Get("publicUrl"), n), "publicUrl needs key, which signs the path of each message's callback: `openssl rand -base64 32` makes one")
	case c.Key == "" && c.FormerKey != "" && !at.IsBroken():
		r.Fault(n, "formerKey stands beside key, not in its place: set key")
	}
}

// leastToken is how long what people sign in with must be, in bytes.
const leastToken = 16

func (r *reader) checkDesk(n *form.Node, d Desk) {
	token, listen := n.Get("token"), n.Get("listen")
	switch {
	case token.IsBroken() || listen.IsBroken():
	case len(d.Token) > 0 && len(d.Token) < leastToken:
		r.Fault(cmp.Or(token, n), "token has %d bytes, and needs %d or more: `openssl rand -base64 32` makes one", len(d.Token), leastToken)
	case d.Token == "" && !OnLoopback(d.Listen):
		r.Fault(cmp.Or(listen, n), "a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082")
	}
	r.checkTLS(n.Resolve("tls"), TLS{Enabled: d.TLS.CertFile != "", CertFile: d.TLS.CertFile, KeyFile: d.TLS.KeyFile})
}

// checkTLS reads the files, so that a wrong one is known before the start.
func (r *reader) checkTLS(n *form.Node, c TLS) {
	if (c.CertFile == "") != (c.KeyFile == "") {
		r.Fault(n, "certFile and keyFile go together: set both, or neither")
		return
	}
	if !c.Enabled || r.SkipEnv {
		return
	}
	if c.CAFile != "" {
		switch pem, err := os.ReadFile(c.CAFile); {
		case err != nil:
			r.Fault(n.Resolve("caFile"), "the file can't be read: %s", form.Pathless(err))
		case !x509.NewCertPool().AppendCertsFromPEM(pem):
			r.Fault(n.Resolve("caFile"), "the file holds no certificate in PEM form")
		}
	}
	if c.CertFile != "" {
		r.checkKeyPair(n, c)
	}
}

// checkKeyPair says nothing of the key but what is wrong with it.
func (r *reader) checkKeyPair(n *form.Node, c TLS) {
	cert, err := os.ReadFile(c.CertFile)
	if err != nil {
		r.Fault(n.Resolve("certFile"), "the file can't be read: %s", form.Pathless(err))
	}
	key, keyErr := os.ReadFile(c.KeyFile)
	if keyErr != nil {
		r.Fault(n.Resolve("keyFile"), "the file can't be read: %s", form.Pathless(keyErr))
	}
	if err != nil || keyErr != nil {
		return
	}
	if encrypted(key) {
		r.Fault(n.Resolve("keyFile"), "the private key is encrypted, and there is no setting for a passphrase: decrypt it (openssl pkey -in old.pem -out new.pem) and protect the file by its permissions")
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		r.Fault(n.Resolve("certFile"), "certFile and keyFile aren't a certificate in PEM form and its private key: %s", err)
	}
}

func (r *reader) checkDestinations(n *form.Node, c *Config) {
	first := map[string]*form.Node{}
	for i, d := range c.Destinations {
		at := n.Resolve(form.Element("", i))
		r.checkUnique(first, at.Resolve("name"), d.Name)
		for k, name := range d.FormerNames {
			r.checkUnique(first, at.Resolve("formerNames").Resolve(form.Element("", k)), name)
		}
		list := at.Resolve("actions")
		if len(d.Actions) > actions.MaxActions {
			r.Fault(list, "%d actions; a destination may have %d", len(d.Actions), actions.MaxActions)
		}
		firstAction := map[string]*form.Node{}
		for j, a := range d.Actions {
			r.checkUnique(firstAction, list.Resolve(form.Element("", j)).Resolve("name"), a.Name)
		}
		for j, a := range d.Actions {
			for k, name := range a.FormerNames {
				r.checkUnique(firstAction, list.Resolve(form.Element("", j)).Resolve("formerNames").Resolve(form.Element("", k)), name)
			}
		}
	}
}

// checkSenders finds senders that stand twice, written in two ways.
func (r *reader) checkSenders(regions *form.Node, c *Config) {
	for _, name := range c.entryNames() {
		senders := regions.Get(name).Get("senders")
		if senders == nil {
			continue
		}
		first := map[string]form.Entry{}
		for _, e := range senders.Entries {
			key := twilio.SenderKey(e.Key)
			if earlier, double := first[key]; double {
				r.FaultKey(senders, e, "is the sender %s of line %d, written otherwise; keep one", earlier.Key, earlier.Line)
				continue
			}
			first[key] = e
		}
	}
}

func (r *reader) checkUnique(first map[string]*form.Node, n *form.Node, name string) {
	if name == "" {
		return // reported as missing or wrong
	}
	if earlier, double := first[name]; double {
		r.Fault(n, "the name %s is taken in line %d; give each its own", n.Shown(), earlier.Line)
		return
	}
	first[name] = n
}

// checkTopics holds the derived topics to Kafka's rules: none too long, none
// that collides with another ('.' and '_' are one to Kafka there).
func (r *reader) checkTopics(root *form.Node, c *Config) {
	source := root.Resolve("kafka.topic")
	taken := map[string]string{}
	claim := func(n *form.Node, topic, what string) {
		key := strings.ReplaceAll(topic, ".", "_")
		if other, double := taken[key]; double {
			r.Fault(n, "%s and %s would be one topic, as Kafka takes '.' and '_' for the same there; name one of them otherwise", what, other)
			return
		}
		taken[key] = what
		if len(topic) > maxTopicName && !n.Broken {
			r.Fault(n, "%s would be %d characters long; Kafka allows %d", what, len(topic), maxTopicName)
		}
	}
	claim(source, c.Kafka.Topic, "the source topic")
	deadLetter := root.Resolve("kafka.deadLetterTopic")
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
		path := form.Element("destinations", i) // not the name, which may be veiled
		at := root.Resolve(form.Child(path, "name"))
		for _, topic := range c.RetryTopics(d.Name) {
			claim(at, topic, "a retry topic of "+path)
		}
		claim(at, c.LedgerTopic(d.Name), "the ledger of "+path)
		claim(at, c.StatusTopic(d.Name), "the status topic of "+path)
		claim(at, c.CallbacksTopic(d.Name), "the callbacks topic of "+path)
	}
}
