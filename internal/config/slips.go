package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"engage-worker/actions"
	"engage-worker/internal/config/form"
)

// warnOfSlips tells of values that are possible and seldom meant.
func (r *reader) warnOfSlips(root *form.Node, c *Config) {
	r.warnOfPlaceholders(root)
	r.warnOfKafka(root.Resolve("kafka"), &c.Kafka)
	r.warnOfTimes(root, c)
	for _, name := range c.entryNames() {
		r.warnOfTwilioRegion(root.Resolve("regions").Get(name), c.Regions[name])
	}
	if message, wayOut := actions.Unreachable(c.Callbacks.PublicURL); message != "" && !c.simulated() {
		r.Warn(root.Resolve("callbacks.publicUrl"), message, wayOut)
	}
}

// simulated reports whether every destination has a Twilio without TLS, which
// is a simulated one.
func (c *Config) simulated() bool {
	return !slices.ContainsFunc(c.Destinations, func(d Destination) bool { return !strings.HasPrefix(d.Settings.TwilioHostname, "http://") })
}

// warnOfPlaceholders looks at all texts but mappings and triggers, which are
// full of what isn't meant as it stands.
func (r *reader) warnOfPlaceholders(n *form.Node) {
	for _, e := range n.Entries {
		if e.Key != "mapping" && e.Key != "trigger" && !(n.Path == "" && strings.HasPrefix(e.Key, "x-")) {
			r.warnOfPlaceholders(e.Value)
		}
	}
	for _, item := range n.Items {
		r.warnOfPlaceholders(item)
	}
	if n.Kind != form.KindText || n.Unknown {
		return
	}
	if message, wayOut := actions.Placeholder(n.Text); message != "" {
		r.Warn(n, message, wayOut)
	}
}

func (r *reader) warnOfKafka(n *form.Node, k *Kafka) {
	for _, broker := range k.Brokers {
		if strings.HasSuffix(broker, ":2181") {
			r.Warn(cmp.Or(n.Get("brokers"), n), "2181 is the port of ZooKeeper, which is no broker", "give the brokers' own, 9092 as a rule")
		}
	}
	for _, ending := range []string{".dlq", ".retry.30s", ".retry.5m", ".retry.30m", ".ledger", ".callbacks", ".status"} {
		if strings.HasSuffix(k.Topic, ending) {
			r.Warn(n.Resolve("topic"), "ends in "+ending+", as one of this worker's own topics does, whose records are no new events", "name the topic that events are published to")
		}
	}
	const least = 6 * time.Second
	if k.SessionTimeout < least {
		r.Warn(n.Resolve("sessionTimeout"), "brokers refuse less than 6s unless their group.min.session.timeout.ms says otherwise", "raise it, or lower that of the brokers")
	}
	if k.SASL.Mechanism == SASLPlain && !k.TLS.Enabled && slices.ContainsFunc(k.Brokers, isElsewhere) {
		r.Warn(n.Resolve("sasl.mechanism"), "sends the password in the clear, since tls.enabled is false", "enable tls, or log in with scram-sha-512")
	}
	if files := k.TLS.CAFile + k.TLS.CertFile + k.TLS.KeyFile; files != "" && !k.TLS.Enabled {
		r.Warn(n.Resolve("tls"), "names files, and isn't enabled, so that nothing is encrypted", "set enabled: true, or take the files out")
	}
}

// isElsewhere reports whether a broker is on another machine.
func isElsewhere(broker string) bool {
	return !strings.HasPrefix(broker, "localhost:") && !strings.HasPrefix(broker, "127.") && !strings.HasPrefix(broker, "[::1]:")
}

// warnOfTimes tells of times that are too short for what they are for.
func (r *reader) warnOfTimes(root *form.Node, c *Config) {
	if c.Delivery.RequestTimeout < time.Second {
		r.Warn(root.Resolve("delivery.requestTimeout"), "ends most requests before Twilio answers, so that nobody knows whether they sent", "give 10s or more")
	}
	if c.ShutdownTimeout < time.Second {
		r.Warn(root.Resolve("shutdownTimeout"), "cuts off what is in flight, so that Twilio must be asked whether it was sent", "give 5s or more")
	}
	if c.Status.SweepAfter >= c.Status.GiveUpAfter {
		r.Warn(root.Resolve("status.sweepAfter"), fmt.Sprintf("is as long as giveUpAfter (%s) or longer, so that Twilio is never asked", form.DurationText(c.Status.GiveUpAfter)), "lower it, or raise giveUpAfter")
	}
}

// edgeOf are Twilio's regions and the edge that is in each.
var edgeOf = map[string]string{"us1": "ashburn", "ie1": "dublin", "au1": "sydney", "jp1": "tokyo"}

func (r *reader) warnOfTwilioRegion(n *form.Node, region Region) {
	name, edge := region.TwilioRegion, region.TwilioEdge
	if name == "" || edge == "" || n == nil {
		return
	}
	home, known := edgeOf[name]
	switch {
	case edgeOf[edge] != "":
		r.Warn(n.Resolve("twilioEdge"), edge+" is a region of Twilio's, not an edge", "give twilioRegion: "+edge+" and twilioEdge: "+edgeOf[edge])
	case !known:
		r.Warn(n.Resolve("twilioRegion"), name+" is none of Twilio's regions that are known here", "give us1, ie1, au1 or jp1")
	case home != edge && name != "us1":
		r.Warn(n.Resolve("twilioEdge"), edge+" isn't the edge of "+name, "give "+home)
	}
}
