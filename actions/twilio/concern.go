package twilio

// Concern is what a refusal is about: whether other messages of the account,
// or of the sender, would meet it too.
type Concern uint8

const (
	// ConcernsUnknown: the code doesn't tell.
	ConcernsUnknown Concern = iota + 1
	// ConcernsAccount: the account or its key; every message meets it.
	ConcernsAccount
	// ConcernsSender: the sender. Some of these depend on the recipient as
	// well, so that one alone proves nothing.
	ConcernsSender
	// ConcernsRecipient: this recipient, or the recipient's country.
	ConcernsRecipient
	// ConcernsContent: what was to be sent.
	ConcernsContent
)

func (c Concern) String() string {
	return [...]string{"", "unknown", "account", "sender", "recipient", "content"}[c]
}
