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

// Default is the configuration of an empty file: everything that has a
// default, no destination.
func Default() *Config {
	c := &Config{}
	shapeOf(c).reset()
	return c
}

// shapeOf declares the whole file, as read into c and printed of it. A key
// stands here and nowhere else: its name, what it means, its type, default
// and bounds. What lies between keys is in check.go.
func shapeOf(c *Config) shape {
	return object(
		key("kafka", "", kafkaShape(c)),
		key("http", "", object(
			key("listen", "where `/healthz`, `/readyz` and `/metrics` are served", text(&c.HTTP.Listen, ":8080", listenAddress())),
			key("token", "opens pprof and the log level to requests with `Authorization: Bearer <token>`; without one they aren't served", secret(&c.HTTP.Token)),
		)),
		key("log", "", object(
			key("level", "the least that is logged", choice(&c.Log.Level, "info", "trace", "debug", "info", "warn", "error")),
			key("format", "how a line looks", choice(&c.Log.Format, LogJSON, LogJSON, LogConsole)),
		)),
		key("shutdownTimeout", "how long SIGTERM waits for what is in flight", duration(&c.ShutdownTimeout, 20*time.Second, time.Millisecond, time.Hour)),
		key("delivery", "", deliveryShape(&c.Delivery)),
		key("ledger", "", object(
			key("retention", "how long a delivery is remembered, and the ledger's topic keeps it; at least `delivery.maxEventAge`. About 15 bytes of memory a delivery, over the fleet",
				duration(&c.Ledger.Retention, 7*day, day, 90*day)),
			key("adopt", "a consumer group that this one goes on for, or its `groupPrefix`: what it wrote into the ledger counts, and its offsets are where a group without any begins. See [changing](changing.md#another-group-prefix)",
				text(&c.Ledger.Adopt, "", groupPrefix().orEmpty())),
		)),
		key("status", "", object(
			key("sweepAfter", "how long after its acceptance Twilio is asked what became of a message, unless that was called back; then again after twice as long each time, up to 6 hours",
				duration(&c.Status.SweepAfter, 2*time.Minute, 100*time.Millisecond, day)),
			key("giveUpAfter", "after how long a message whose end nobody tells is `unknown`", duration(&c.Status.GiveUpAfter, 72*time.Hour, time.Second, 30*day)),
			key("rate", "requests per second of the whole fleet with which Twilio is asked; deliveries go first", number(&c.Status.Rate, 5, maxRate)),
		)),
		key("callbacks", "", object(
			key("publicUrl", "where Twilio reaches `engage-worker callbacks`; without it nobody is told to call. A destination's own `webhookUrl` goes before it",
				text(&c.Callbacks.PublicURL, "", publicAddress().orEmpty())),
			key("listen", "where `engage-worker callbacks` listens", text(&c.Callbacks.Listen, ":8081", listenAddress())),
			key("key", "signs the path of each message's callback; 32 bytes or more, required with `publicUrl`", secret(&c.Callbacks.Key)),
			key("formerKey", "the key before: paths signed with it are taken as well, for as long as it is here", secret(&c.Callbacks.FormerKey)),
			key("authToken", "the account's auth token; with it `X-Twilio-Signature` is checked, too", secret(&c.Callbacks.AuthToken)),
		)),
		key("desk", "", deskShape(&c.Desk)),
		key("regions", "", named(&c.Regions, regionName(), regionShape).shown(c.regionPairs)),
		key("destinations", "", list(&c.Destinations, "destination", destinationShape)).must(),
	)
}

func deskShape(d *Desk) shape {
	return object(
		key("listen", "where `engage-worker desk` listens; beyond loopback `token` is required", text(&d.Listen, "127.0.0.1:8082", listenAddress())),
		key("token", "what one signs in to the desk with; 16 bytes or more. Without it whoever reaches the listener is in", secret(&d.Token)),
		key("workers", "the replicas' `http.listen`, as the desk reaches them: it shows their metrics. A name stands for all addresses that it has",
			list(&d.Workers, "worker", func(s *string) shape { return text(s, "", hostPort()) }).orNone()),
		key("tls", "", object(
			key("certFile", "the desk's certificate, with `keyFile`; without them it speaks plain HTTP", text(&d.TLS.CertFile, "").as("PEM file")),
			key("keyFile", "its private key", text(&d.TLS.KeyFile, "").as("PEM file")),
		)),
	)
}

func kafkaShape(c *Config) shape {
	k := &c.Kafka
	return object(
		key("brokers", "where to begin; the cluster tells the rest", brokersShape(&k.Brokers).shown(c.shownBrokers)),
		key("topic", "the source topic", text(&k.Topic, "audience-events", topicName())),
		key("groupPrefix", "a destination's consumer group is `<groupPrefix>.<name>`", text(&k.GroupPrefix, "engage-worker", groupPrefix())),
		key("startOffset", "where a group without offsets begins; committed at once", choice(&k.StartOffset, StartLatest, StartLatest, StartEarliest)),
		key("sessionTimeout", "how long a silent replica keeps its partitions. Brokers take 6s and more unless `group.min.session.timeout.ms` says otherwise",
			duration(&k.SessionTimeout, 10*time.Second, 100*time.Millisecond, 30*time.Minute)),
		key("commitInterval", "how often offsets are committed, which also renews the lease to send; half of `sessionTimeout` at most",
			duration(&k.CommitInterval, time.Second, time.Millisecond, 15*time.Minute)),
		key("deadLetterTopic", "where deliveries go that can't be made", text(&k.DeadLetter, "", topicName().orEmpty()).byDefault("`<topic>.dlq`").shown(c.shownDeadLetterTopic)),
		key("clientId", "what brokers see in their logs and hold their quotas to", text(&k.ClientID, "engage-worker", groupPrefix())),
		key("rack", "where this replica is, as the brokers' `broker.rack` says: partitions with a replica there are read from it, where brokers allow that (`replica.selector.class`)",
			text(&k.Rack, "").orNone()),
		key("tls", "", object(
			key("enabled", "speak TLS (1.2 or later)", boolean(&k.TLS.Enabled, false)),
			key("caFile", "whom to trust", text(&k.TLS.CAFile, "").as("PEM file").byDefault("the system's authorities")),
			key("certFile", "the client's certificate, with `keyFile`", text(&k.TLS.CertFile, "").as("PEM file")),
			key("keyFile", "its private key", text(&k.TLS.KeyFile, "").as("PEM file")),
		)),
		key("sasl", "", saslShape(&k.SASL)),
	)
}

func saslShape(l *SASL) shape {
	return object(
		key("mechanism", "how to log in; Kafka's own spelling in capitals is taken, too",
			choice(&l.Mechanism, SASLNone, SASLNone, SASLPlain, SASLScramSHA256, SASLScramSHA512, SASLOAuthBearer, SASLAWSMSKIAM)),
		key("username", "required with `plain` and SCRAM", text(&l.Username, "")),
		key("password", "required with `plain` and SCRAM", secret(&l.Password)),
		key("tokenUrl", "`oauthbearer`: the token endpoint, for the grant of client credentials", text(&l.TokenURL, "", webAddress().orEmpty())),
		key("clientId", "`oauthbearer`: required with `tokenUrl`", text(&l.ClientID, "")),
		key("clientSecret", "`oauthbearer`: required with `tokenUrl`", secret(&l.ClientSecret)),
		key("scopes", "`oauthbearer`: what to ask the token endpoint for", list(&l.Scopes, "scope", func(s *string) shape { return text(s, "") }).orNone()),
		key("extensions", "`oauthbearer`: SASL extensions, text by name (letters), as some hosted Kafkas want",
			named(&l.Extensions, extensionName(), func(s *string) shape { return text(s, "", extensionValue()) })),
		key("tokenFile", "`oauthbearer`: a file with a token that somebody else renews, in place of `tokenUrl`; read at each login", text(&l.TokenFile, "").as("file")),
		key("region", "`aws-msk-iam`: the cluster's AWS region, required; the credentials are those that the AWS SDK finds", text(&l.Region, "", hostLabel().orEmpty())),
	)
}

func deliveryShape(d *Delivery) shape {
	return object(
		key("maxEventAge", "an older event, by its record's timestamp, becomes a dead letter (`expired`); 0 is no limit",
			duration(&d.MaxEventAge, 24*time.Hour, 0, 3650*day)),
		key("attempts", "attempts in place before the retry topics, the first included", whole(&d.Attempts, 3, 1, maxAttempts)),
		key("backoff", "", object(
			key("initial", "the wait before the second attempt, then longer each time", duration(&d.Backoff.Initial, 200*time.Millisecond, time.Millisecond, time.Hour)),
			key("max", "the longest such wait", duration(&d.Backoff.Max, 10*time.Second, time.Millisecond, time.Hour)),
		)),
		key("requestTimeout", "how long one request for a message may take, from connecting to the answer's last byte; Twilio may still send after a shorter one. A page of Twilio's list gets 30 s",
			duration(&d.RequestTimeout, 30*time.Second, time.Millisecond, 10*time.Minute)),
		key("unknownOutcome", "what to do when Twilio can't tell whether it sent", choice(&d.UnknownOutcome, UnknownDeadLetter, UnknownDeadLetter, UnknownResend)),
		key("maxUncommitted", "offsets open in a shard before its fetching pauses", whole(&d.MaxUncommitted, 10_000, 1, maxUncommitted)),
	)
}

// regionShape declares a region, used by its entry and, where there is none,
// by its defaults (defaultRegion).
func regionShape(region *Region) shape {
	s := object(
		key("rate", "messages per second of the whole fleet", number(&region.Rate, 100, maxRate)),
		key("burst", "messages that may leave at once after a lull, of the whole fleet. The rate holds in every second all the same; less makes the start after a lull smoother",
			whole(&region.Burst, 0, 1, maxRate).byDefault("the rate, at least 1")),
		key("maxInFlight", "requests in flight of one replica", whole(&region.MaxInFlight, 128, 1, maxRequests)),
		key("breaker", "", object(
			key("failureRatio", "the share of failed requests that opens the breaker", number(&region.Breaker.FailureRatio, 0.5, 1)),
			key("minRequests", "requests before the share counts", whole(&region.Breaker.MinRequests, 20, 1, maxRequests)),
			key("openFor", "how long the breaker stays open", duration(&region.Breaker.OpenFor, 30*time.Second, time.Millisecond, day)),
			key("halfOpenRequests", "requests that then try whether Twilio is back", whole(&region.Breaker.HalfOpenRequests, 5, 1, maxRequests)),
		)),
		key("senders", "senders that may send less than the region: numbers, short codes, names, messaging services (`MG...`), `whatsapp:+...`, as a message's `From` has them. See [capacity](operations.md#senders)",
			named(&region.Senders, senderName(), func(s *Sender) shape {
				return object(key("rate", "what the sender may send, of the whole fleet: segments of an SMS per second, messages of anything else", number(&s.Rate, 0, maxRate)).must())
			})),
		key("twilioRegion", "Twilio's processing region: `ie1`, `au1`, `jp1`", text(&region.TwilioRegion, "", hostLabel().orEmpty())),
		key("twilioEdge", "its edge: `dublin`, `sydney`, `tokyo`. Set both or neither", text(&region.TwilioEdge, "", hostLabel().orEmpty())),
	)
	return s.then(func(r *reader, n *node) {
		region.fill()
		if (region.TwilioRegion == "") != (region.TwilioEdge == "") && !n.get("twilioRegion").isBroken() && !n.get("twilioEdge").isBroken() {
			r.fault(n, "twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither")
		}
	})
}

// fill derives what isn't set: a burst of a second's messages, since the rate
// holds in every second anyway. No senders are nil.
func (region *Region) fill() {
	if region.Burst == 0 {
		region.Burst = max(1, int(region.Rate))
	}
	if len(region.Senders) == 0 {
		region.Senders = nil
	}
}

func defaultRegion() Region {
	var region Region
	regionShape(&region).reset()
	region.fill()
	return region
}

func destinationShape(d *Destination) shape {
	return object(
		key("name", "part of the group's and the topics' names: one that is changed goes to `formerNames`", text(&d.Name, "", word("a destination's name"))).must(),
		key("formerNames", "what the destination was called before, newest first: its group and topics go by the last of these names, so that what was sent, waits or is in doubt is its own, see [changing](changing.md)",
			list(&d.FormerNames, "name", func(s *string) shape { return text(s, "", word("a destination's name")) }).orNone()),
		key("settings", "the hosted destination's settings, below", settingsShape(&d.Settings)).must(),
		key("actions", "what to send, when", list(&d.Actions, "action", actionShape).as("list, 1 to 64")).must(),
	)
}

// settingsShape declares the hosted destination's settings. Which are
// required depends on the actions, so that their compiler says it.
func settingsShape(s *actions.Settings) shape {
	return object(
		key("twilioAccountSID", "the account, `AC...`", text(&s.TwilioAccountSID, "").byDefault("required")).also("accountSID"),
		key("twilioApiKeySID", "the API key, `SK...`", text(&s.TwilioAPIKeySID, "").byDefault("required")).also("apiKeySID"),
		key("twilioApiKeySecret", "its secret", secret(&s.TwilioAPIKeySecret).byDefault("required")).also("apiKeySecret"),
		key("profileApiEnvironment", "`production`, or another for the staging hosts. This, the token and the space are required where an action looks profiles up (`traitEnrichment: false`)",
			text(&s.ProfileAPIEnvironment, "")),
		key("profileApiAccessToken", "of the space's Profile API", secret(&s.ProfileAPIAccessToken)),
		key("spaceId", "the space, `spa_...`; callbacks carry it", text(&s.SpaceID, "")),
		key("sourceId", "the source; taken so that settings can be pasted in, and not used", text(&s.SourceID, "")),
		key("webhookUrl", "where Twilio reports what became of a message", text(&s.WebhookURL, "").as("URL").shown(func() any { return withoutPassword(s.WebhookURL) })),
		key("twilioHostname", "where messages go", text(&s.TwilioHostname, "").as("host, host:port or http(s)://host:port").byDefault("`api.twilio.com`")),
		key("contentHostname", "where content templates are looked up", text(&s.ContentHostname, "").as("likewise").byDefault("`content.twilio.com`")),
		key("profileApiHostname", "where profiles are looked up", text(&s.ProfileAPIHostname, "").as("likewise").byDefault("by region and environment")),
		key("connectionOverrides", "how Twilio calls the webhook", text(&s.ConnectionOverrides, "rp=all&rc=5")),
		key("region", "the region whose rate and breaker apply, and the Profile API's",
			text(&s.Region, actions.DefaultRegion, regionName()).as("region's name").orDefault()),
		key("former", "what messages were sent with before it was changed, newest first: Twilio's list is asked with it for what is still in doubt, see [changing](changing.md). May be taken out once nothing is",
			list(&s.Former, "former access", formerShape).orNone()),
	)
}

func formerShape(f *actions.FormerAccess) shape {
	return object(
		key("twilioAccountSID", "the former account", text(&f.TwilioAccountSID, "").byDefault("the settings'")),
		key("twilioApiKeySID", "an API key of it", text(&f.TwilioAPIKeySID, "").byDefault("the settings'")),
		key("twilioApiKeySecret", "its secret", secret(&f.TwilioAPIKeySecret).byDefault("the settings'")),
		key("twilioHostname", "where messages went", text(&f.TwilioHostname, "").as("host, host:port or http(s)://host:port").byDefault("where they go now")),
		key("from", "the former sender, as the mapping had it", text(&f.From, "").byDefault("the mapping's")),
	)
}

// actionShape declares an action, which may be a hosted subscription pasted
// in: partnerAction, subscribe, enabled, mapping.
func actionShape(a *actions.ActionDefinition) shape {
	enabled := true
	switchedOn := boolean(&enabled, true).shown(func() any { return !a.Disabled })
	return object(
		key("name", "unique in its destination; part of the ledger's keys: one that is changed goes to `formerNames`", text(&a.Name, "", word("an action's name"))).must(),
		key("formerNames", "what the action was called before: what was sent, waits or is in doubt under these names is the action's, see [changing](changing.md)",
			list(&a.FormerNames, "name", func(s *string) shape { return text(s, "", word("an action's name")) }).orNone()),
		key("type", "what it sends", choice(&a.Type, "", actions.SendSMS, actions.SendWhatsApp, actions.SendMessage)).must().also("partnerAction"),
		key("purpose", "what its messages are for: where a rate is short, transactional ones go first, and marketing has one in ten", choice(&a.Purpose, actions.Marketing, actions.Marketing, actions.Transactional)),
		key("trigger", "which events it wants", text(&a.Trigger, actions.DefaultTrigger).as("FQL").orDefault()).also("subscribe"),
		key("enabled", "`false` keeps the action and sends nothing", switchedOn.then(func(*reader, *node) { a.Disabled = !enabled })),
		key("liquidFromEvents", "`true` renders what stands in an event as a template, too: see [security](security.md)", boolean(&a.LiquidFromEvents, false)),
		key("mapping", "field to value or Mapping Kit directive", anyObject(&a.Mapping, actions.FieldNames())).must(),
	)
}
