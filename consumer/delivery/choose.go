package delivery

import (
	"slices"
	"strings"

	"engage-worker/actions/twilio"
)

// choice is what a list says of a delivery in doubt.
type choice uint8

const (
	notThere choice = iota + 1 // no message can be this delivery's
	itsOwn                     // the chosen one is
	cantTell                   // there are messages, and several deliveries they may be of
	notYet                     // another request to the recipient is on its way, and its SID isn't known
)

// choose picks the candidate that is this delivery's message: one that no
// other record claims. A chosen SID is this delivery's until release.
func (d *delivery) choose(q inquiry, found []twilio.Candidate) (c choice, sid string, release func(), err error) {
	peers := d.parts.Peers
	open := slices.DeleteFunc(found, func(m twilio.Candidate) bool { return peers.claimed(m.SID) })
	if len(open) == 0 {
		return notThere, "", nil, nil
	}
	if peers.flights.to(q.message) {
		return notYet, "", nil, nil
	}
	open, strange, err := d.elsewhere(q, open)
	if err != nil {
		return 0, "", nil, err
	}
	if len(open) == 0 {
		return notThere, "", nil, nil
	}
	likely, c := d.likely(q, open, strange)
	for _, m := range likely {
		if peers.flights.claim(m.SID) {
			if !peers.claimed(m.SID) { // nor meanwhile
				return itsOwn, m.SID, func() { peers.flights.unclaim(m.SID) }, nil
			}
			peers.flights.unclaim(m.SID)
		}
		c = notYet
	}
	if c == cantTell && strange.underWay() {
		c = notYet
	}
	return c, "", nil, nil
}

// likely are the candidates that may be this delivery's, the likeliest first.
// What a number's list shows of a messaging service's messages is taken only
// where none is the number's own, and no delivery by another sender is in doubt that
// said the same: that one's list shows no other.
func (d *delivery) likely(q inquiry, open []twilio.Candidate, strange strangers) ([]twilio.Candidate, choice) {
	same := d.parts.Peers.rivals(q.message, among, d.doubtful())
	own := slices.DeleteFunc(slices.Clone(open), func(m twilio.Candidate) bool { return m.Service != "" && m.Service != q.message.From })
	if len(own) > 0 {
		likely, c := pick(q, own, slices.Clone(same), strange.among())
		if c == itsOwn || len(own) == len(open) {
			return likely, c
		}
	}
	for _, body := range d.parts.Peers.rivals(q.message, beside, d.doubtful()) {
		strange = append(strange, stranger{body: body, place: beside})
	}
	return pick(q, open, same, strange)
}

// pick leaves of the candidates those that may be m, the likeliest first, or
// says why there is none; others are the body tags of the rivals, the other
// deliveries in doubt, and are pick's to change. The body decides only between candidates, and
// between deliveries in doubt: a message whose body is a rival's is the
// rival's, even if m's text is part of it, and of the others there must be
// more than rivals without one. A message that has nothing in common with m is
// hardly m, whoever sent it, but nor is it certain that m isn't there.
//
// Of equal messages it doesn't matter which. But what strangers, the rivals
// elsewhere, take meanwhile nobody here can know: what may be theirs is left alone.
func pick(q inquiry, open []twilio.Candidate, others []uint32, strange strangers) ([]twilio.Candidate, choice) {
	sent := essence(q.message.Body)
	like := func(least float64) (like []twilio.Candidate) {
		for _, c := range open {
			if likeness(essence(c.Body), sent) >= least {
				like = append(like, c)
			}
		}
		return like
	}
	strange, others = strange.alike(q.tag(), others)
	own := func(same []twilio.Candidate) ([]twilio.Candidate, choice) {
		if len(strange) > 0 {
			return nil, cantTell
		}
		return same, itsOwn
	}
	if same := tagged(open, q.body); len(same) > 0 {
		return own(same)
	}
	if same := like(theSame); len(same) > 0 && !q.reworded() {
		return own(same)
	}
	open = slices.DeleteFunc(open, func(c twilio.Candidate) bool {
		i := slices.Index(others, bodyTag(c.Body))
		if i < 0 || others[i] == 0 {
			return false
		}
		others = slices.Delete(others, i, i+1)
		return true
	})
	if len(open) == 0 {
		return nil, notThere
	}
	if whole := like(theWhole); len(whole) > 0 {
		return own(whole)
	}
	if plausible := like(leastLikeness); len(plausible) > len(others) {
		return own(plausible)
	}
	return nil, cantTell
}

// tag is that of the text that was sent; 0 where it can't be told.
func (q inquiry) tag() uint32 {
	if q.body != 0 {
		return q.body
	}
	return bodyTag(q.message.Body)
}

// tagged are the candidates with a text of that tag; none where it is unknown.
func tagged(open []twilio.Candidate, body uint32) (same []twilio.Candidate) {
	for _, c := range open {
		if body != 0 && bodyTag(c.Body) == body {
			same = append(same, c)
		}
	}
	return same
}

const (
	theSame  = 2.0
	theWhole = 1.0 // and something added: an opt-out notice, say
	// leastLikeness is what a listed body must have in common with what was
	// sent to be taken for it, once two texts are long enough to tell.
	leastLikeness = 0.25
	shortText     = 8 // letters and digits
)

// likeness compares a listed body's essence with that of what was sent:
// theSame, or theWhole of it; else the part of the pairs of letters that they
// share (Dice's coefficient, 0 to 1), and just leastLikeness when one of them is
// too short to tell.
func likeness(listed, sent string) float64 {
	switch {
	case sent != "" && listed == sent:
		return theSame
	case len(listed) < shortText || len(sent) < shortText:
		return leastLikeness
	case strings.Contains(listed, sent):
		return theWhole
	}
	pairs := map[string]int{}
	for i := range len(sent) - 1 {
		pairs[sent[i:i+2]]++
	}
	shared := 0
	for i := range len(listed) - 1 {
		if pair := listed[i : i+2]; pairs[pair] > 0 {
			pairs[pair]--
			shared++
		}
	}
	return 2 * float64(shared) / float64(len(sent)+len(listed)-2)
}
