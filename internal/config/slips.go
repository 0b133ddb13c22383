package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"engage-worker/actions"
)

// warnOfSlips tells of values that are possible and seldom meant.
func (r *reader) warnOfSlips(root *node, c *Config) {
	r.warnOfPlaceholders(root)
	r.warnOfKafka(root.resolve("kafka"), &c.Kafka)
	r.warnOfTimes(root, c)
	for _, name := range c.entryNames() {
		r.warnOfTwilioRegion(root.resolve("regions").get(name), c.Regions[name])
	}
	if message, wayOut := actions.Unreachable(c.Callbacks.PublicURL); message != "" && !c.simulated() {
		r.warn(root.resolve("callbacks.publicUrl"), message, wayOut)
	}
}

// simulated reports whether every destination has a Twilio without TLS, which
// is a simulated one.
func (c *Config) simulated() bool {
	return !slices.ContainsFunc(c.Destinations, func(d Destination) bool { return !strings.HasPrefix(d.Settings.TwilioHostname, "http://") })
}

// warnOfPlaceholders looks at all texts but mappings and triggers, which are
// full of what isn't meant as it stands.
func (r *reader) warnOfPlaceholders(n *node) {
	for _, e := range n.entries {
		if e.key != "mapping" && e.key != "trigger" && !(n.path == "" && strings.HasPrefix(e.key, "x-")) {
			r.warnOfPlaceholders(e.value)
		}
	}
	for _, item := range n.items {
		r.warnOfPlaceholders(item)
	}
	if n.kind != kindText || n.unknown {
		return
	}
	if message, wayOut := actions.Placeholder(n.text); message != "" {
		r.warn(n, message, wayOut)
	}
}

func (r *reader) warnOfKafka(n *node, k *Kafka) {
	for _, broker := range k.Brokers {
		if strings.HasSuffix(broker, ":2181") {
			r.warn(cmp.Or(n.get("brokers"), n), "2181 is the port of ZooKeeper, which is no broker", "give the brokers' own, 9092 as a rule")
		}
	}
	for _, ending := range []string{".dlq", ".retry.30s", ".retry.5m", ".retry.30m", ".ledger", ".callbacks", ".status"} {
		if strings.HasSuffix(k.Topic, ending) {
			r.warn(n.resolve("topic"), "ends in "+ending+", as one of this worker's own topics does, whose records are no new events", "name the topic that events are published to")
		}
	}
	const least = 6 * time.Second
	if k.SessionTimeout < least {
		r.warn(n.resolve("sessionTimeout"), "brokers refuse less than 6s unless their group.min.session.timeout.ms says otherwise", "raise it, or lower that of the brokers")
	}
	if k.SASL.Mechanism == SASLPlain && !k.TLS.Enabled && slices.ContainsFunc(k.Brokers, isElsewhere) {
		r.warn(n.resolve("sasl.mechanism"), "sends the password in the clear, since tls.enabled is false", "enable tls, or log in with scram-sha-512")
	}
	if files := k.TLS.CAFile + k.TLS.CertFile + k.TLS.KeyFile; files != "" && !k.TLS.Enabled {
		r.warn(n.resolve("tls"), "names files, and isn't enabled, so that nothing is encrypted", "set enabled: true, or take the files out")
	}
}

// isElsewhere reports whether a broker is on another machine.
func isElsewhere(broker string) bool {
	return !strings.HasPrefix(broker, "localhost:") && !strings.HasPrefix(broker, "127.") && !strings.HasPrefix(broker, "[::1]:")
}

// warnOfTimes tells of times that are too short for what they are for.
func (r *reader) warnOfTimes(root *node, c *Config) {
	if c.Delivery.RequestTimeout < time.Second {
		r.warn(root.resolve("delivery.requestTimeout"), "ends most requests before Twilio answers, so that nobody knows whether they sent", "give 10s or more")
	}
	if c.ShutdownTimeout < time.Second {
		r.warn(root.resolve("shutdownTimeout"), "cuts off what is in flight, so that Twilio must be asked whether it was sent", "give 5s or more")
	}
	if c.Status.SweepAfter >= c.Status.GiveUpAfter {
		r.warn(root.resolve("status.sweepAfter"), fmt.Sprintf("is as long as giveUpAfter (%s) or longer, so that Twilio is never asked", durationText(c.Status.GiveUpAfter)), "lower it, or raise giveUpAfter")
	}
}

// edgeOf are Twilio's regions and the edge that is in each.
var edgeOf = map[string]string{"us1": "ashburn", "ie1": "dublin", "au1": "sydney", "jp1": "tokyo"}

func (r *reader) warnOfTwilioRegion(n *node, region Region) {
	name, edge := region.TwilioRegion, region.TwilioEdge
	if name == "" || edge == "" || n == nil {
		return
	}
	home, known := edgeOf[name]
	switch {
	case edgeOf[edge] != "":
		r.warn(n.resolve("twilioEdge"), edge+" is a region of Twilio's, not an edge", "give twilioRegion: "+edge+" and twilioEdge: "+edgeOf[edge])
	case !known:
		r.warn(n.resolve("twilioRegion"), name+" is none of Twilio's regions that are known here", "give us1, ie1, au1 or jp1")
	case home != edge && name != "us1":
		r.warn(n.resolve("twilioEdge"), edge+" isn't the edge of "+name, "give "+home)
	}
}
