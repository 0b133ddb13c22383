package deadletter

// Disposition is what kind of end a delivery came to.
type Disposition string

const (
	// Permanent: refused for good; only a change of the event, the
	// configuration or the account can help.
	Permanent Disposition = "permanent"
	// Exhausted: it may have worked later, but its retries are spent.
	Exhausted Disposition = "exhausted"
	// Ambiguous: sent or not, nobody can tell.
	Ambiguous Disposition = "ambiguous"
	// Expired: older than the configuration allows.
	Expired Disposition = "expired"
	// Malformed: no event at all.
	Malformed Disposition = "malformed"
	// Undelivered: Twilio accepted the message, and said later that it
	// failed or wasn't delivered.
	Undelivered Disposition = "undelivered"
)

// Dispositions are all of them.
func Dispositions() []Disposition {
	return []Disposition{Permanent, Exhausted, Ambiguous, Expired, Malformed, Undelivered}
}
