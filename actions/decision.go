package actions

// Decision is what Prepare made of an event under one action.
type Decision uint8

const (
	DecisionSend    Decision = iota + 1 // a message is to be sent
	DecisionSkip                        // deliberately nothing, with a skip reason
	DecisionNoMatch                     // the trigger doesn't want the event
	DecisionFail                        // it can't be sent, with a failure reason
)

func (d Decision) String() string {
	return [...]string{"", "send", "skip", "no_match", "fail"}[d]
}
