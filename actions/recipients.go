package actions

import (
	"engage-worker/actions/jsvalue"
	"engage-worker/actions/outcome"
)

// sendability is what an action may do with one address, or with all.
type sendability uint8

const (
	unsupported sendability = iota + 1 // not a phone, or of another channel
	subscribed
	notSubscribed
	invalidStatus
)

// supports reports whether an address is one of the action's channel.
func (t ActionType) supports(id externalID) bool {
	if id.kind != "phone" {
		return false
	}
	switch t {
	case SendWhatsApp:
		return jsvalue.ToLower(id.channelType) == "whatsapp"
	default:
		return id.channelType == "" || jsvalue.ToLower(id.channelType) == "sms"
	}
}

// judge says what the action may do with one address.
func (t ActionType) judge(id externalID, optOut bool) sendability {
	if !t.supports(id) {
		return unsupported
	}
	return judgeStatus(id.status, optOut)
}

// judgeStatus says what may be done with a subscription status.
func judgeStatus(status string, optOut bool) sendability {
	switch jsvalue.ToLower(status) {
	case "subscribed", "true":
		return subscribed
	case "unsubscribed", "false":
		return notSubscribed
	case "":
		if optOut {
			return subscribed
		}
		return notSubscribed
	default:
		return invalidStatus
	}
}

// recipient is who a message goes to.
type recipient struct {
	id   string
	kind string // the address's type; "" for a toNumber
}

// choose finds the recipient: toNumber, if there is one, whatever the
// subscriptions and send say (it is there for tests); or else the first
// subscribed address that has an id. Without one it says why not.
func choose(t ActionType, p *payload) (recipient, outcome.Reason) {
	if p.toNumber != "" {
		return recipient{id: p.toNumber}, outcome.ReasonNone
	}
	if !p.send {
		return recipient{}, outcome.ReasonSendDisabled
	}
	var some, someSubscribed, someInvalid bool
	for _, id := range p.externalIDs {
		switch t.judge(id, p.sendBasedOnOptOut) {
		case subscribed:
			if id.id != "" {
				return recipient{id: id.id, kind: id.kind}, outcome.ReasonNone
			}
			some, someSubscribed = true, true
		case notSubscribed:
			some = true
		case invalidStatus:
			some, someInvalid = true, true
		}
	}
	switch {
	case !some, someSubscribed:
		return recipient{}, outcome.ReasonNoRecipient
	case someInvalid:
		return recipient{}, outcome.ReasonInvalidSubscriptionStatus
	default:
		return recipient{}, outcome.ReasonNotSubscribed
	}
}
