package deadletter

// State is what became of a dead letter.
type State string

const (
	// StateOpen: nothing came after it, that is known.
	StateOpen State = "open"
	// StateReplayed: its event was published again, and nothing came of it yet.
	StateReplayed State = "replayed"
	// StateSkipped: it was replayed, and its event isn't to be sent any more.
	StateSkipped State = "skipped"
	// StateSent: Twilio accepted a later attempt.
	StateSent State = "sent"
	// StateDelivered: and that one arrived.
	StateDelivered State = "delivered"
	// StateFailedAgain: it was replayed and died again, which is another letter.
	StateFailedAgain State = "failed_again"
	// StateDismissed: somebody closed it.
	StateDismissed State = "dismissed"
)

// AllStates are all of them.
func AllStates() []State {
	return []State{StateOpen, StateReplayed, StateSkipped, StateSent, StateDelivered, StateFailedAgain, StateDismissed}
}
