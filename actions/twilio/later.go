package twilio

// Later is why a message that Twilio had accepted failed or wasn't delivered,
// as far as its code tells. Status decides that it failed; the code only what
// to make of it.
type Later uint8

const (
	// LaterOverload: the sender's queue or a limit; may be replayed.
	LaterOverload Later = iota + 1
	// LaterAway: the person can't be reached at the moment; may be replayed later.
	LaterAway
	// LaterNumber: the number can't get such messages; another message meets
	// the same.
	LaterNumber
	// LaterRefused: the person, or a law, doesn't want the message.
	LaterRefused
	// LaterContent: the content or the sender's registration stops it, and
	// stops the campaign's other messages likewise.
	LaterContent
	// LaterUnsure: the message may have arrived all the same.
	LaterUnsure
	// LaterUnknown: a code without an entry here, or none.
	LaterUnknown
)

// LaterOf is the class of a code that came after the acceptance, 0 for none.
func LaterOf(number int) Later {
	if c := find(number); c != nil && c.later != 0 {
		return c.later
	}
	return LaterUnknown
}

func (l Later) String() string {
	return [...]string{"", "overload", "person_away", "number_bad", "refused", "content", "may_have_arrived", "unknown"}[l]
}

// Replay reports whether sending the message once more, unchanged, makes sense.
func (l Later) Replay() bool { return l == LaterOverload || l == LaterAway }

// Remedy is what mends most failures of the class.
func (l Later) Remedy() string {
	switch l {
	case LaterOverload:
		return "Replay later; use more senders, or lower the rate, where it keeps happening."
	case LaterAway:
		return "Replay later, if the message still makes sense then."
	case LaterNumber:
		return "Correct or remove the number on the profile; don't replay."
	case LaterRefused:
		return "Nothing to mend; don't replay. Mark the person unsubscribed where the audience is made."
	case LaterContent:
		return "Stop the campaign, mend the content, the template or the sender's registration, then replay."
	case LaterUnsure:
		return "The message may have arrived: replay only if getting it twice does less harm than not getting it."
	}
	return "Look the code up in Twilio's error dictionary before replaying: the message may have arrived."
}

// Suppresses reports whether a code says that the number doesn't exist or can't
// take messages at all, so that further messages to it are in vain for a while.
func Suppresses(number int) bool {
	switch number {
	case 21635, 30005, 30006:
		return true
	}
	return false
}
