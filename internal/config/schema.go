package config

import (
	"time"

	"engage-worker/actions"
)

// Bounds that only keep out slips of the keyboard.
const (
	day            = 24 * time.Hour
	maxRate        = 1e6
	maxRequests    = 100_000
	maxAttempts    = 100
	maxUncommitted = 10_000_000
)

// Keys are the paths of every key that a configuration file may have, in the
// order of the documentation: "kafka.tls.caFile", "regions.<name>.rate",
// "destinations[].actions[].mapping".
func Keys() []string { return shapeOf(Default()).keys }

// shapeOf is the whole file, read into c, which holds the defaults.
func shapeOf(c *Config) shape {
	return object(
		field{key: "kafka", shape: kafkaShape(&c.Kafka)},
		field{key: "http", shape: object(
			field{key: "listen", shape: text(&c.HTTP.Listen, listenAddress)},
			field{key: "token", shape: secret(&c.HTTP.Token)},
		)},
		field{key: "log", shape: object(
			field{key: "level", shape: choice(&c.Log.Level, "trace", "debug", "info", "warn", "error")},
			field{key: "format", shape: choice(&c.Log.Format, LogJSON, LogConsole)},
		)},
		field{key: "shutdownTimeout", shape: duration(&c.ShutdownTimeout, time.Millisecond, time.Hour)},
		field{key: "delivery", shape: deliveryShape(&c.Delivery)},
		field{key: "regions", shape: regionsShape(c)},
		field{key: "destinations", shape: destinationsShape(c), required: true},
	)
}

func kafkaShape(k *Kafka) shape {
	return object(
		field{key: "brokers", shape: brokersShape(&k.Brokers)},
		field{key: "topic", shape: text(&k.Topic, topicName)},
		field{key: "groupPrefix", shape: text(&k.GroupPrefix, groupPrefix)},
		field{key: "startOffset", shape: choice(&k.StartOffset, StartLatest, StartEarliest)},
		field{key: "sessionTimeout", shape: duration(&k.SessionTimeout, 100*time.Millisecond, 30*time.Minute)},
		field{key: "commitInterval", shape: duration(&k.CommitInterval, time.Millisecond, 15*time.Minute)},
		field{key: "deadLetterTopic", shape: text(&k.DeadLetter, orEmpty(topicName))},
		field{key: "tls", shape: object(
			field{key: "enabled", shape: flag(&k.TLS.Enabled)},
			field{key: "caFile", shape: text(&k.TLS.CAFile)},
			field{key: "certFile", shape: text(&k.TLS.CertFile)},
			field{key: "keyFile", shape: text(&k.TLS.KeyFile)},
		)},
		field{key: "sasl", shape: object(
			field{key: "mechanism", shape: choice(&k.SASL.Mechanism, SASLNone, SASLPlain, SASLScramSHA256, SASLScramSHA512)},
			field{key: "username", shape: text(&k.SASL.Username)},
			field{key: "password", shape: secret(&k.SASL.Password)},
		)},
	)
}

func deliveryShape(d *Delivery) shape {
	return object(
		field{key: "maxEventAge", shape: duration(&d.MaxEventAge, 0, 3650*day)},
		field{key: "attempts", shape: whole(&d.Attempts, 1, maxAttempts)},
		field{key: "backoff", shape: object(
			field{key: "initial", shape: duration(&d.Backoff.Initial, time.Millisecond, time.Hour)},
			field{key: "max", shape: duration(&d.Backoff.Max, time.Millisecond, time.Hour)},
		)},
		field{key: "requestTimeout", shape: duration(&d.RequestTimeout, time.Millisecond, 10*time.Minute)},
		field{key: "unknownOutcome", shape: choice(&d.UnknownOutcome, UnknownDeadLetter, UnknownResend)},
		field{key: "maxUncommitted", shape: whole(&d.MaxUncommitted, 1, maxUncommitted)},
	)
}

func regionsShape(c *Config) shape {
	return named(word("a region's name"), func(name string) shape {
		region := defaultRegion()
		region.Burst = 0
		s := object(
			field{key: "rate", shape: number(&region.Rate, maxRate)},
			field{key: "burst", shape: whole(&region.Burst, 1, maxRate)},
			field{key: "maxInFlight", shape: whole(&region.MaxInFlight, 1, maxRequests)},
			field{key: "breaker", shape: object(
				field{key: "failureRatio", shape: number(&region.Breaker.FailureRatio, 1)},
				field{key: "minRequests", shape: whole(&region.Breaker.MinRequests, 1, maxRequests)},
				field{key: "openFor", shape: duration(&region.Breaker.OpenFor, time.Millisecond, day)},
				field{key: "halfOpenRequests", shape: whole(&region.Breaker.HalfOpenRequests, 1, maxRequests)},
			)},
			field{key: "twilioRegion", shape: text(&region.TwilioRegion, orEmpty(hostLabel))},
			field{key: "twilioEdge", shape: text(&region.TwilioEdge, orEmpty(hostLabel))},
		)
		return shape{keys: s.keys, read: func(r *reader, n *node) {
			s.read(r, n)
			if region.Burst == 0 {
				region.Burst = defaultBurst(region.Rate)
			}
			if (region.TwilioRegion == "") != (region.TwilioEdge == "") && !n.get("twilioRegion").isBroken() && !n.get("twilioEdge").isBroken() {
				r.fault(n, "twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither")
			}
			c.Regions[name] = region
		}}
	})
}

func destinationsShape(c *Config) shape {
	s := list(func(i int) shape {
		for len(c.Destinations) <= i {
			c.Destinations = append(c.Destinations, Destination{actions.Definition{Settings: defaultSettings()}})
		}
		return destinationShape(&c.Destinations[i])
	})
	c.Destinations = nil // of finding the keys
	return s
}

func destinationShape(d *Destination) shape {
	return object(
		field{key: "name", shape: text(&d.Name, word("a destination's name")), required: true},
		field{key: "settings", shape: settingsShape(&d.Settings), required: true},
		field{key: "actions", shape: actionsShape(d), required: true},
	)
}

func settingsShape(s *actions.Settings) shape {
	fields := object(
		field{key: "twilioAccountSID", shape: text(&s.TwilioAccountSID)},
		field{key: "twilioApiKeySID", shape: text(&s.TwilioAPIKeySID)},
		field{key: "twilioApiKeySecret", shape: secret(&s.TwilioAPIKeySecret)},
		field{key: "profileApiEnvironment", shape: text(&s.ProfileAPIEnvironment)},
		field{key: "profileApiAccessToken", shape: secret(&s.ProfileAPIAccessToken)},
		field{key: "spaceId", shape: text(&s.SpaceID)},
		field{key: "sourceId", shape: text(&s.SourceID)},
		field{key: "webhookUrl", shape: text(&s.WebhookURL)},
		field{key: "twilioHostname", shape: text(&s.TwilioHostname)},
		field{key: "contentHostname", shape: text(&s.ContentHostname)},
		field{key: "profileApiHostname", shape: text(&s.ProfileAPIHostname)},
		field{key: "connectionOverrides", shape: text(&s.ConnectionOverrides)},
		field{key: "region", shape: text(&s.Region, orEmpty(word("a region's name")))},
	)
	return shape{keys: fields.keys, read: func(r *reader, n *node) {
		fields.read(r, n)
		if s.Region == "" {
			s.Region = defaultSettings().Region
		}
	}}
}

func actionsShape(d *Destination) shape {
	s := list(func(i int) shape {
		for len(d.Actions) <= i {
			d.Actions = append(d.Actions, actions.ActionDefinition{})
		}
		a := &d.Actions[i]
		return object(
			field{key: "name", shape: text(&a.Name, word("an action's name")), required: true},
			field{key: "type", shape: choice(&a.Type, actions.SendSMS, actions.SendWhatsApp), required: true},
			field{key: "trigger", shape: text(&a.Trigger)},
			field{key: "mapping", shape: mappingShape(&a.Mapping), required: true},
		)
	})
	d.Actions = nil // of finding the keys
	return s
}

// mappingShape takes any object: what is in it is for the compiler.
func mappingShape(into *map[string]any) shape {
	return shape{read: func(r *reader, n *node) {
		if r.expect(n, kindObject) {
			*into = n.object()
		}
	}}
}
