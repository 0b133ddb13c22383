package config

import (
	"time"

	"engage-worker/actions"
	"engage-worker/internal/config/form"
)

// Bounds that only keep out slips of the keyboard.
const (
	day            = form.Day
	maxRate        = 1e6
	maxRequests    = 100_000
	maxAttempts    = 100
	maxUncommitted = 10_000_000
)

// Default is the configuration of an empty file: everything that has a
// default, no destination.
func Default() *Config {
	c := &Config{}
	shapeOf(c).Reset()
	return c
}

// Keys are all keys, in the order of the documentation.
func Keys() []form.Documented { return shapeOf(Default()).Keys() }

// shapeOf declares the whole file, as read into c and printed of it. A key
// stands here and nowhere else: its name, what it means, its type, default
// and bounds. What lies between keys is in check.go.
func shapeOf(c *Config) form.Shape {
	return form.Object(
		form.Key("kafka", "", kafkaShape(c)),
		form.Key("http", "", form.Object(
			form.Key("listen", "where `/healthz`, `/readyz` and `/metrics` are served", form.Text(&c.HTTP.Listen, ":8080", listenAddress())),
			form.Key("token", "opens pprof and the log level to requests with `Authorization: Bearer <token>`; without one they aren't served", form.SecretText(&c.HTTP.Token)),
		)),
		form.Key("log", "", form.Object(
			form.Key("level", "the least that is logged", form.Choice(&c.Log.Level, "info", "trace", "debug", "info", "warn", "error")),
			form.Key("format", "how a line looks", form.Choice(&c.Log.Format, LogJSON, LogJSON, LogConsole)),
		)),
		form.Key("shutdownTimeout", "how long SIGTERM waits for what is in flight", form.Duration(&c.ShutdownTimeout, 20*time.Second, time.Millisecond, time.Hour)),
		form.Key("delivery", "", deliveryShape(&c.Delivery)),
		form.Key("ledger", "", form.Object(
			form.Key("retention", "how long a delivery is remembered, and the ledger's topic keeps it; at least `delivery.maxEventAge`. About 15 bytes of memory a delivery, over the fleet",
				form.Duration(&c.Ledger.Retention, 7*day, day, 90*day)),
			form.Key("adopt", "a consumer group that this one goes on for, or its `groupPrefix`: what it wrote into the ledger counts, and its offsets are where a group without any begins. See [changing](changing.md#another-group-prefix)",
				form.Text(&c.Ledger.Adopt, "", groupPrefix().OrEmpty())),
		)),
		form.Key("status", "", form.Object(
			form.Key("sweepAfter", "how long after its acceptance Twilio is asked what became of a message, unless that was called back; then again after twice as long each time, up to 6 hours",
				form.Duration(&c.Status.SweepAfter, 2*time.Minute, 100*time.Millisecond, day)),
			form.Key("giveUpAfter", "after how long a message whose end nobody tells is `unknown`", form.Duration(&c.Status.GiveUpAfter, 72*time.Hour, time.Second, 30*day)),
			form.Key("rate", "requests per second of the whole fleet with which Twilio is asked; deliveries go first", form.Number(&c.Status.Rate, 5, maxRate)),
		)),
		form.Key("callbacks", "", form.Object(
			form.Key("publicUrl", "where Twilio reaches `engage-worker callbacks`; without it nobody is told to call. A destination's own `webhookUrl` goes before it",
				form.Text(&c.Callbacks.PublicURL, "", publicAddress().OrEmpty())),
			form.Key("listen", "where `engage-worker callbacks` listens", form.Text(&c.Callbacks.Listen, ":8081", listenAddress())),
			form.Key("key", "signs the path of each message's callback; 32 bytes or more, required with `publicUrl`", form.SecretText(&c.Callbacks.Key)),
			form.Key("formerKey", "the key before: paths signed with it are taken as well, for as long as it is here", form.SecretText(&c.Callbacks.FormerKey)),
			form.Key("authToken", "the account's auth token; with it `X-Twilio-Signature` is checked, too", form.SecretText(&c.Callbacks.AuthToken)),
		)),
		form.Key("desk", "", deskShape(&c.Desk)),
		form.Key("regions", "", form.Named(&c.Regions, regionName(), regionShape).Shown(c.regionPairs)),
		form.Key("destinations", "", form.List(&c.Destinations, "destination", destinationShape)).Must(),
	)
}

func deskShape(d *Desk) form.Shape {
	return form.Object(
		form.Key("listen", "where `engage-worker desk` listens; beyond loopback `token` is required", form.Text(&d.Listen, "127.0.0.1:8082", listenAddress())),
		form.Key("token", "what one signs in to the desk with; 16 bytes or more. Without it whoever reaches the listener is in", form.SecretText(&d.Token)),
		form.Key("workers", "the replicas' `http.listen`, as the desk reaches them: it shows their metrics. A name stands for all addresses that it has",
			form.List(&d.Workers, "worker", func(s *string) form.Shape { return form.Text(s, "", hostPort()) }).OrNone()),
		form.Key("tls", "", form.Object(
			form.Key("certFile", "the desk's certificate, with `keyFile`; without them it speaks plain HTTP", form.Text(&d.TLS.CertFile, "").As("PEM file")),
			form.Key("keyFile", "its private key", form.Text(&d.TLS.KeyFile, "").As("PEM file")),
		)),
	)
}

func kafkaShape(c *Config) form.Shape {
	k := &c.Kafka
	return form.Object(
		form.Key("brokers", "where to begin; the cluster tells the rest", form.Separated(&k.Brokers, []string{"localhost:9092"}, hostPort(), brokerPattern, "must name at least one broker, as in localhost:9092").Shown(c.shownBrokers)),
		form.Key("topic", "the source topic", form.Text(&k.Topic, "audience-events", topicName())),
		form.Key("groupPrefix", "a destination's consumer group is `<groupPrefix>.<name>`", form.Text(&k.GroupPrefix, "engage-worker", groupPrefix())),
		form.Key("startOffset", "where a group without offsets begins; committed at once", form.Choice(&k.StartOffset, StartLatest, StartLatest, StartEarliest)),
		form.Key("sessionTimeout", "how long a silent replica keeps its partitions. Brokers take 6s and more unless `group.min.session.timeout.ms` says otherwise",
			form.Duration(&k.SessionTimeout, 10*time.Second, 100*time.Millisecond, 30*time.Minute)),
		form.Key("commitInterval", "how often offsets are committed, which also renews the lease to send; half of `sessionTimeout` at most",
			form.Duration(&k.CommitInterval, time.Second, time.Millisecond, 15*time.Minute)),
		form.Key("deadLetterTopic", "where deliveries go that can't be made", form.Text(&k.DeadLetter, "", topicName().OrEmpty()).ByDefault("`<topic>.dlq`").Shown(c.shownDeadLetterTopic)),
		form.Key("clientId", "what brokers see in their logs and hold their quotas to", form.Text(&k.ClientID, "engage-worker", groupPrefix())),
		form.Key("rack", "where this replica is, as the brokers' `broker.rack` says: partitions with a replica there are read from it, where brokers allow that (`replica.selector.class`)",
			form.Text(&k.Rack, "").OrNone()),
		form.Key("tls", "", form.Object(
			form.Key("enabled", "speak TLS (1.2 or later)", form.Boolean(&k.TLS.Enabled, false)),
			form.Key("caFile", "whom to trust", form.Text(&k.TLS.CAFile, "").As("PEM file").ByDefault("the system's authorities")),
			form.Key("certFile", "the client's certificate, with `keyFile`", form.Text(&k.TLS.CertFile, "").As("PEM file")),
			form.Key("keyFile", "its private key", form.Text(&k.TLS.KeyFile, "").As("PEM file")),
		)),
		form.Key("sasl", "", saslShape(&k.SASL)),
	)
}

func saslShape(l *SASL) form.Shape {
	return form.Object(
		form.Key("mechanism", "how to log in; Kafka's own spelling in capitals is taken, too",
			form.Choice(&l.Mechanism, SASLNone, SASLNone, SASLPlain, SASLScramSHA256, SASLScramSHA512, SASLOAuthBearer, SASLAWSMSKIAM)),
		form.Key("username", "required with `plain` and SCRAM", form.Text(&l.Username, "")),
		form.Key("password", "required with `plain` and SCRAM", form.SecretText(&l.Password)),
		form.Key("tokenUrl", "`oauthbearer`: the token endpoint, for the grant of client credentials", form.Text(&l.TokenURL, "", webAddress().OrEmpty())),
		form.Key("clientId", "`oauthbearer`: required with `tokenUrl`", form.Text(&l.ClientID, "")),
		form.Key("clientSecret", "`oauthbearer`: required with `tokenUrl`", form.SecretText(&l.ClientSecret)),
		form.Key("scopes", "`oauthbearer`: what to ask the token endpoint for", form.List(&l.Scopes, "scope", func(s *string) form.Shape { return form.Text(s, "") }).OrNone()),
		form.Key("extensions", "`oauthbearer`: SASL extensions, text by name (letters), as some hosted Kafkas want",
			form.Named(&l.Extensions, extensionName(), func(s *string) form.Shape { return form.Text(s, "", extensionValue()) })),
		form.Key("tokenFile", "`oauthbearer`: a file with a token that somebody else renews, in place of `tokenUrl`; read at each login", form.Text(&l.TokenFile, "").As("file")),
		form.Key("region", "`aws-msk-iam`: the cluster's AWS region, required; the credentials are those that the AWS SDK finds", form.Text(&l.Region, "", hostLabel().OrEmpty())),
	)
}

func deliveryShape(d *Delivery) form.Shape {
	return form.Object(
		form.Key("maxEventAge", "an older event, by its record's timestamp, becomes a dead letter (`expired`); 0 is no limit",
			form.Duration(&d.MaxEventAge, 24*time.Hour, 0, 3650*day)),
		form.Key("attempts", "attempts in place before the retry topics, the first included", form.Whole(&d.Attempts, 3, 1, maxAttempts)),
		form.Key("backoff", "", form.Object(
			form.Key("initial", "the wait before the second attempt, then longer each time", form.Duration(&d.Backoff.Initial, 200*time.Millisecond, time.Millisecond, time.Hour)),
			form.Key("max", "the longest such wait", form.Duration(&d.Backoff.Max, 10*time.Second, time.Millisecond, time.Hour)),
		)),
		form.Key("requestTimeout", "how long one request for a message may take, from connecting to the answer's last byte; Twilio may still send after a shorter one. A page of Twilio's list gets 30 s",
			form.Duration(&d.RequestTimeout, 30*time.Second, time.Millisecond, 10*time.Minute)),
		form.Key("unknownOutcome", "what to do when Twilio can't tell whether it sent", form.Choice(&d.UnknownOutcome, UnknownDeadLetter, UnknownDeadLetter, UnknownResend)),
		form.Key("maxUncommitted", "offsets open in a shard before its fetching pauses", form.Whole(&d.MaxUncommitted, 10_000, 1, maxUncommitted)),
	)
}

// regionShape declares a region, used by its entry and, where there is none,
// by its defaults (defaultRegion).
func regionShape(region *Region) form.Shape {
	s := form.Object(
		form.Key("rate", "messages per second of the whole fleet", form.Number(&region.Rate, 100, maxRate)),
		form.Key("burst", "messages that may leave at once after a lull, of the whole fleet. The rate holds in every second all the same; less makes the start after a lull smoother",
			form.Whole(&region.Burst, 0, 1, maxRate).ByDefault("the rate, at least 1")),
		form.Key("maxInFlight", "requests in flight of one replica", form.Whole(&region.MaxInFlight, 128, 1, maxRequests)),
		form.Key("breaker", "", form.Object(
			form.Key("failureRatio", "the share of failed requests that opens the breaker", form.Number(&region.Breaker.FailureRatio, 0.5, 1)),
			form.Key("minRequests", "requests before the share counts", form.Whole(&region.Breaker.MinRequests, 20, 1, maxRequests)),
			form.Key("openFor", "how long the breaker stays open", form.Duration(&region.Breaker.OpenFor, 30*time.Second, time.Millisecond, day)),
			form.Key("halfOpenRequests", "requests that then try whether Twilio is back", form.Whole(&region.Breaker.HalfOpenRequests, 5, 1, maxRequests)),
		)),
		form.Key("senders", "senders that may send less than the region: numbers, short codes, names, messaging services (`MG...`), `whatsapp:+...`, as a message's `From` has them. See [capacity](operations.md#senders)",
			form.Named(&region.Senders, senderName(), func(s *Sender) form.Shape {
				return form.Object(form.Key("rate", "what the sender may send, of the whole fleet: segments of an SMS per second, messages of anything else", form.Number(&s.Rate, 0, maxRate)).Must())
			})),
		form.Key("twilioRegion", "Twilio's processing region: `ie1`, `au1`, `jp1`", form.Text(&region.TwilioRegion, "", hostLabel().OrEmpty())),
		form.Key("twilioEdge", "its edge: `dublin`, `sydney`, `tokyo`. Set both or neither", form.Text(&region.TwilioEdge, "", hostLabel().OrEmpty())),
	)
	return s.Then(func(r *form.Reader, n *form.Node) {
		region.fill()
		if (region.TwilioRegion == "") != (region.TwilioEdge == "") && !n.Get("twilioRegion").IsBroken() && !n.Get("twilioEdge").IsBroken() {
			r.Fault(n, "twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither")
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
	regionShape(&region).Reset()
	region.fill()
	return region
}

func destinationShape(d *Destination) form.Shape {
	return form.Object(
		form.Key("name", "part of the group's and the topics' names: one that is changed goes to `formerNames`", form.Text(&d.Name, "", word("a destination's name"))).Must(),
		form.Key("formerNames", "what the destination was called before, newest first: its group and topics go by the last of these names, so that what was sent, waits or is in doubt is its own, see [changing](changing.md)",
			form.List(&d.FormerNames, "name", func(s *string) form.Shape { return form.Text(s, "", word("a destination's name")) }).OrNone()),
		form.Key("settings", "the hosted destination's settings, below", settingsShape(&d.Settings)).Must(),
		form.Key("actions", "what to send, when", form.List(&d.Actions, "action", actionShape).As("list, 1 to 64")).Must(),
	)
}

// settingsShape declares the hosted destination's settings. Which are
// required depends on the actions, so that their compiler says it.
func settingsShape(s *actions.Settings) form.Shape {
	return form.Object(
		form.Key("twilioAccountSID", "the account, `AC...`", form.Text(&s.TwilioAccountSID, "").ByDefault("required")).Also("accountSID"),
		form.Key("twilioApiKeySID", "the API key, `SK...`", form.Text(&s.TwilioAPIKeySID, "").ByDefault("required")).Also("apiKeySID"),
		form.Key("twilioApiKeySecret", "its secret", form.SecretText(&s.TwilioAPIKeySecret).ByDefault("required")).Also("apiKeySecret"),
		form.Key("profileApiEnvironment", "`production`, or another for the staging hosts. This, the token and the space are required where an action looks profiles up (`traitEnrichment: false`)",
			form.Text(&s.ProfileAPIEnvironment, "")),
		form.Key("profileApiAccessToken", "of the space's Profile API", form.SecretText(&s.ProfileAPIAccessToken)),
		form.Key("spaceId", "the space, `spa_...`; callbacks carry it", form.Text(&s.SpaceID, "")),
		form.Key("sourceId", "the source; taken so that settings can be pasted in, and not used", form.Text(&s.SourceID, "")),
		form.Key("webhookUrl", "where Twilio reports what became of a message", form.Text(&s.WebhookURL, "").As("URL").Shown(func() any { return withoutPassword(s.WebhookURL) })),
		form.Key("twilioHostname", "where messages go", form.Text(&s.TwilioHostname, "").As("host, host:port or http(s)://host:port").ByDefault("`api.twilio.com`")),
		form.Key("contentHostname", "where content templates are looked up", form.Text(&s.ContentHostname, "").As("likewise").ByDefault("`content.twilio.com`")),
		form.Key("profileApiHostname", "where profiles are looked up", form.Text(&s.ProfileAPIHostname, "").As("likewise").ByDefault("by region and environment")),
		form.Key("connectionOverrides", "how Twilio calls the webhook", form.Text(&s.ConnectionOverrides, "rp=all&rc=5")),
		form.Key("region", "the region whose rate and breaker apply, and the Profile API's",
			form.Text(&s.Region, actions.DefaultRegion, regionName()).As("region's name").OrDefault()),
		form.Key("former", "what messages were sent with before it was changed, newest first: Twilio's list is asked with it for what is still in doubt, see [changing](changing.md). May be taken out once nothing is",
			form.List(&s.Former, "former access", formerShape).OrNone()),
	)
}

func formerShape(f *actions.FormerAccess) form.Shape {
	return form.Object(
		form.Key("twilioAccountSID", "the former account", form.Text(&f.TwilioAccountSID, "").ByDefault("the settings'")),
		form.Key("twilioApiKeySID", "an API key of it", form.Text(&f.TwilioAPIKeySID, "").ByDefault("the settings'")),
		form.Key("twilioApiKeySecret", "its secret", form.SecretText(&f.TwilioAPIKeySecret).ByDefault("the settings'")),
		form.Key("twilioHostname", "where messages went", form.Text(&f.TwilioHostname, "").As("host, host:port or http(s)://host:port").ByDefault("where they go now")),
		form.Key("from", "the former sender, as the mapping had it", form.Text(&f.From, "").ByDefault("the mapping's")),
	)
}

// actionShape declares an action, which may be a hosted subscription pasted
// in: partnerAction, subscribe, enabled, mapping.
func actionShape(a *actions.ActionDefinition) form.Shape {
	enabled := true
	switchedOn := form.Boolean(&enabled, true).Shown(func() any { return !a.Disabled })
	return form.Object(
		form.Key("name", "unique in its destination; part of the ledger's keys: one that is changed goes to `formerNames`", form.Text(&a.Name, "", word("an action's name"))).Must(),
		form.Key("formerNames", "what the action was called before: what was sent, waits or is in doubt under these names is the action's, see [changing](changing.md)",
			form.List(&a.FormerNames, "name", func(s *string) form.Shape { return form.Text(s, "", word("an action's name")) }).OrNone()),
		form.Key("type", "what it sends", form.Choice(&a.Type, "", actions.SendSMS, actions.SendWhatsApp, actions.SendMessage)).Must().Also("partnerAction"),
		form.Key("purpose", "what its messages are for: where a rate is short, transactional ones go first, and marketing has one in ten", form.Choice(&a.Purpose, actions.Marketing, actions.Marketing, actions.Transactional)),
		form.Key("trigger", "which events it wants", form.Text(&a.Trigger, actions.DefaultTrigger).As("FQL").OrDefault()).Also("subscribe"),
		form.Key("enabled", "`false` keeps the action and sends nothing", switchedOn.Then(func(*form.Reader, *form.Node) { a.Disabled = !enabled })),
		form.Key("liquidFromEvents", "`true` renders what stands in an event as a template, too: see [security](security.md)", form.Boolean(&a.LiquidFromEvents, false)),
		form.Key("mapping", "field to value or Mapping Kit directive", form.AnyObject(&a.Mapping, actions.FieldNames())).Must(),
	)
}
