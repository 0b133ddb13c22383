package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/actions/twilio"
	"engage-worker/consumer/intake"
	"engage-worker/consumer/ledger"
)

// TestPick: whose of the messages that nobody claims.
func TestPick(t *testing.T) {
	m := &twilio.Message{To: "+14155550100", From: "MG1", Body: "Hi Ann, see https://shop.example/a: order 1"}
	const (
		mine    = "Hi Ann, see https://twil.example/x7: order 1" // its link shortened
		other   = "Hi Ann, see https://twil.example/x8: order 2"
		altered = "Hi Anne see: ordr one" // re-encoded, somehow
		foreign = "Your login code is 4711"
	)
	for _, c := range []struct {
		name   string
		bodies []string // of the candidates
		rivals []string // bodies of the other deliveries in doubt
		want   choice
		first  int // index of the likeliest candidate
	}{
		{"its own body", []string{other, mine}, []string{other, altered}, itsOwn, 1},
		{"the only one, though its body is altered", []string{altered}, nil, itsOwn, 0},
		{"the only one is somebody else's by all that shows", []string{foreign}, nil, cantTell, 0},
		{"its own with a notice added", []string{foreign, mine + ". Reply STOP to unsubscribe"}, nil, itsOwn, 1},
		{"one without a body", []string{""}, nil, itsOwn, 0},
		{"the only one is a rival's", []string{other}, []string{other}, notThere, 0},
		{"one is a rival's, of the other nobody knows", []string{other, altered}, []string{other}, itsOwn, 1},
		{"a rival's text holds its own", []string{mine + " And order 5 too"}, []string{mine + " And order 5 too"}, notThere, 0},
		{"a rival's text holds its own, which is there with a notice", []string{mine + " And order 5 too", mine + " Reply STOP to end"}, []string{mine + " And order 5 too"}, itsOwn, 1},
		{"one altered, two in doubt", []string{altered}, []string{other}, cantTell, 0},
		{"one altered, and a rival without a body", []string{altered}, []string{""}, cantTell, 0},
		{"one without a body isn't a rival's without one for sure", []string{""}, []string{""}, cantTell, 0},
		{"two altered, two in doubt", []string{altered, ""}, []string{other}, itsOwn, 0},
		{"a rival has one message at most", []string{other, other}, []string{other}, itsOwn, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var open []twilio.Candidate
			for i, body := range c.bodies {
				open = append(open, twilio.Candidate{SID: string(rune('a' + i)), Body: body})
			}
			var rivals []uint32
			for _, body := range c.rivals {
				rivals = append(rivals, bodyTag(body))
			}
			left, got := pick(inquiry{message: m}, open, rivals, nil)
			if got != c.want {
				t.Fatalf("choice %d, want %d", got, c.want)
			}
			if got == itsOwn && left[0].SID != string(rune('a'+c.first)) {
				t.Errorf("the likeliest is %s, want the one of index %d", left[0].SID, c.first)
			}
		})
	}
}

// TestPickBesideStrangers: what may be another destination's or replica's.
func TestPickBesideStrangers(t *testing.T) {
	const mine, other, unlike = "Hi Ann, your order 1 is here", "Hi Ann, your order 2 is here", "Your login code is 4711"
	for _, c := range []struct {
		name      string
		bodies    []string // of the candidates
		strange   []string // bodies of the strangers'
		want      choice
		likeliest int
	}{
		{"it may be either's", []string{mine}, []string{mine}, cantTell, 0},
		{"one each: who knows which SID the other one was told", []string{mine, mine}, []string{mine}, cantTell, 0},
		{"a stranger with another text", []string{mine}, []string{other}, itsOwn, 0},
		{"a stranger's text", []string{other}, []string{other}, notThere, 0},
		{"a stranger's text, and ours with a notice", []string{other, mine + " Reply STOP to end"}, []string{other}, itsOwn, 1},
		{"a stranger whose text nobody knows", []string{mine}, []string{""}, cantTell, 0},
		{"one altered", []string{"Hi Anne, ordr 1"}, []string{mine}, cantTell, 0},
		{"one altered, and a stranger with another text", []string{"Hi Anne, ordr 1"}, []string{other}, cantTell, 0},
		{"two altered, and a stranger with another text", []string{"Hi Anne, ordr 1", "Hi Ane your ordr 1"}, []string{other}, itsOwn, 0},
		{"quite another text", []string{unlike}, []string{other}, cantTell, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var open []twilio.Candidate
			for i, body := range c.bodies {
				open = append(open, twilio.Candidate{SID: string(rune('a' + i)), Body: body})
			}
			var strange strangers
			for _, d := range c.strange {
				strange = append(strange, stranger{body: bodyTag(d)})
			}
			left, got := pick(inquiry{message: &twilio.Message{Body: mine}}, open, nil, strange)
			if got != c.want || got == itsOwn && left[0].SID != string(rune('a'+c.likeliest)) {
				t.Errorf("choice %d of %v, want %d", got, left, c.want)
			}
		})
	}
}

// TestStrangers: whose messages the list that is asked for one may show.
func TestStrangers(t *testing.T) {
	const number, service = "+14155550199", "MG1"
	made := func(account, from, to string) ledger.Doubt {
		m := &twilio.Message{Account: account, From: from, To: to}
		return ledger.Doubt{Tags: tagsOf(m), Made: madeWith(m)}
	}
	for _, c := range []struct {
		name string
		from string
		o    ledger.Doubt
		want place
	}{
		{"the same", service, made("AC1", service, "+14155550100"), among},
		{"the number written otherwise", service, made("AC1", service, "+1 (415) 555-0100"), among},
		{"the number as it is written at home", service, made("AC1", service, "(415) 555-0100"), among},
		{"another person", service, made("AC1", service, "+14155550101"), nowhere},
		{"another channel", service, made("AC1", service, "whatsapp:+14155550100"), nowhere},
		{"another account", service, made("AC2", service, "+14155550100"), nowhere},
		{"a number beside a service", service, made("AC1", number, "+14155550100"), nowhere},
		{"a service beside a number, which may be one of its own", number, made("AC1", service, "+14155550100"), beside},
		{"an earlier version's", service, ledger.Doubt{Tags: tagsOf(&twilio.Message{From: service, To: "+14155550100"})}, among},
		{"an earlier version's to another person", service, ledger.Doubt{Tags: tagsOf(&twilio.Message{From: service, To: "+14155550101"})}, nowhere},
		{"one that says nothing", service, ledger.Doubt{}, among},
	} {
		if got := shownWith(&twilio.Message{Account: "AC1", From: c.from, To: "+14155550100"})(c.o); got != c.want {
			t.Errorf("%s: %d", c.name, got)
		}
	}
}

// TestBesideAService: a number's list also shows what a messaging service sent from
// it, whose delivery has no other list: what may be that one's is left to it.
func TestBesideAService(t *testing.T) {
	const service, number, to, text = "MG1", "+14155550199", "+14155550100", "Hi Ann, your order 1 is here"
	through := twilio.Candidate{SID: "SM1", Body: text, Service: service}
	direct := twilio.Candidate{SID: "SM2", Body: text}
	for _, c := range []struct {
		name  string
		open  []twilio.Candidate
		doubt string // the text that a delivery through the service is in doubt with
		want  choice
		sid   string
	}{
		{"its own, and the service's", []twilio.Candidate{through, direct}, text, itsOwn, "SM2"},
		{"the service's alone", []twilio.Candidate{through}, text, cantTell, ""},
		{"the service's alone, and there a delivery in doubt with another text", []twilio.Candidate{through}, "Your invoice is late", itsOwn, "SM1"},
		{"the service's alone, and nobody else in doubt", []twilio.Candidate{through}, "", itsOwn, "SM1"},
	} {
		rival := &twilio.Message{From: service, To: "+1 (415) 555-0100", Body: c.doubt}
		peers := &Peers{ledgers: []claims{inDoubt{{Tags: tagsOf(rival), Made: madeWith(rival)}}[:min(1, len(c.doubt))]}}
		d := &delivery{key: []byte("own"), parts: &Parts{Peers: peers}}
		likely, got := d.likely(inquiry{message: &twilio.Message{From: number, To: to, Body: text}}, c.open, nil)
		if got != c.want || got == itsOwn && likely[0].SID != c.sid {
			t.Errorf("%s: choice %d of %v, want %d", c.name, got, likely, c.want)
		}
	}
}

// inDoubt is a ledger that has these in doubt.
type inDoubt []ledger.Doubt

func (inDoubt) Claimed(string) bool { return false }

func (x inDoubt) Doubtful(of func(ledger.Doubt) bool, _ []byte) (bodies []uint32) {
	for _, o := range x {
		if of(o) {
			bodies = append(bodies, o.Tags.Body)
		}
	}
	return bodies
}

func TestBodyTag(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		equal bool
	}{
		{"It’s 5 o’clock – come!", "It's 5 o'clock - come!", true},
		{"see https://a.example/long", "see https://b.example/x", true},
		{"order 1", "order 2", false},
		{"你好，张三", "你好，李四", false},
		{"Привет, Анна", "Привет, Анна", true},
	} {
		if got := bodyTag(c.a) == bodyTag(c.b); got != c.equal {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
	if bodyTag("") != 0 || bodyTag("🎉 https://a.example/b") != 0 {
		t.Error("a body of which nothing remains can't be told from others")
	}
}

// TestListSettled: the list's silence counts once neither a former owner's
// request nor our own can still come up.
func TestListSettled(t *testing.T) {
	for _, c := range []struct {
		name                            string
		request, assigned, intent, want time.Duration // from now
	}{
		{"a former owner's", 30 * time.Second, 0, -11 * time.Second, 30*time.Second + settlingDelay},
		{"short requests don't shorten the list's lag", time.Second, 0, -10 * time.Second, time.Second + settlingDelay},
		{"our own, long ago", 30 * time.Second, -time.Hour, -10 * time.Minute, -10*time.Minute + 66*time.Second},
		{"our own, just now", 10 * time.Second, -time.Hour, -5 * time.Second, 10*time.Second + settlingDelay},
		{"a clock that is ahead", 10 * time.Second, -time.Hour, time.Hour, 10*time.Second + settlingDelay},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Now()
			d := &delivery{cfg: &Config{AssignedAt: now.Add(c.assigned)}}
			got := d.listSettled(now.Add(c.intent), c.request).Sub(now)
			if want := c.want; got < want-time.Second || got > want+time.Second {
				t.Errorf("%v from now, want %v", got, want)
			}
		})
	}
}

// TestPickAnotherText: the text was changed since, and the intent has the tag of
// what was sent.
func TestPickAnotherText(t *testing.T) {
	q := inquiry{message: &twilio.Message{Body: "Welcome back, dear Ann! Your order is new"}, body: bodyTag("Hi Ann, order 1")}
	for _, c := range []struct {
		name   string
		bodies []string
		rivals []string
		want   choice
		first  int
	}{
		{"the text that was sent", []string{"Your code is 4711", "Hi Ann, order 1"}, nil, itsOwn, 1},
		{"somebody else's", []string{"Parcel 4711 waits at the desk"}, nil, cantTell, 0},
		{"the present text is a rival's", []string{q.message.Body}, []string{q.message.Body}, notThere, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var open []twilio.Candidate
			for i, body := range c.bodies {
				open = append(open, twilio.Candidate{SID: string(rune('a' + i)), Body: body})
			}
			var rivals []uint32
			for _, body := range c.rivals {
				rivals = append(rivals, bodyTag(body))
			}
			left, got := pick(q, open, rivals, nil)
			if got != c.want || got == itsOwn && left[0].SID != string(rune('a'+c.first)) {
				t.Errorf("choice %d of %v, want %d", got, left, c.want)
			}
		})
	}
}

// TestEarliest: no clock that is ahead makes Twilio's list be asked from after
// the request.
func TestEarliest(t *testing.T) {
	for _, c := range []struct {
		name                string
		intent, event, want time.Duration // from now
	}{
		{"clocks agree", -time.Minute, -2 * time.Minute, -2 * time.Minute},
		{"the writer's was ahead, and the event was just before", 9 * time.Minute, -90 * time.Second, -90 * time.Second},
		{"both are ahead", 9 * time.Minute, 8 * time.Minute, -maxSkew},
		{"an event that waited for weeks", -time.Minute, -500 * time.Hour, -time.Minute - maxSkew},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				now := time.Now()
				d := &delivery{parts: &Parts{}, ev: &intake.Event{Origin: intake.Origin{Time: now.Add(c.event)}}}
				if got := d.earliest(now.Add(c.intent)).Sub(now); got != c.want {
					t.Errorf("%v from now, want %v", got, c.want)
				}
			})
		})
	}
}
