package sample

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"engage-worker/actions/outcome"
	"engage-worker/actions/trigger"
)

func take(g *Generator, n int) []Event {
	events := make([]Event, n)
	for i := range events {
		events[i] = g.Next()
	}
	return events
}

func TestSeedDecidesAll(t *testing.T) {
	one, same := take(New(7, Mix()), 500), take(New(7, Mix()), 500)
	if !reflect.DeepEqual(one, same) {
		t.Error("the same seed makes other events")
	}
	other := take(New(8, Mix()), 500)
	if reflect.DeepEqual(one, other) {
		t.Error("another seed makes the same events")
	}
	for i := range one {
		if one[i].MessageID == other[i].MessageID {
			t.Errorf("%s is of two seeds", one[i].MessageID)
		}
	}
}

func TestZeroOptionsCanAllBeSent(t *testing.T) {
	for _, ev := range take(New(1, Options{}), 200) {
		if ev.Kind != Entered || ev.SMS != outcome.ReasonNone || ev.WhatsApp != outcome.ReasonNoRecipient || ev.Region != RegionUS {
			t.Fatalf("%+v", ev)
		}
	}
}

// TestEvents holds each event to what it says of itself.
func TestEvents(t *testing.T) {
	const n = 20_000
	opts := Mix()
	opts.Users = 500
	wants, err := trigger.Compile(`type = "track" and event = "Audience Entered"`)
	if err != nil {
		t.Fatal(err)
	}
	var (
		kinds   = map[Kind]int{}
		ids     = map[string]bool{}
		users   = map[string]map[string]any{}
		regions = map[string]int{}
		size    int
		last    time.Time
	)
	for _, ev := range take(New(3, opts), n) {
		kinds[ev.Kind]++
		size += len(ev.Value)
		if ids[ev.MessageID] {
			t.Fatalf("%s comes twice", ev.MessageID)
		}
		ids[ev.MessageID] = true
		if string(ev.Key) != ev.UserID {
			t.Fatalf("key %s of user %s", ev.Key, ev.UserID)
		}
		if malformed := trigger.Valid(ev.Value) != nil; malformed != (ev.Kind == Malformed) {
			t.Fatalf("%s: malformed is %t: %s", ev.Kind, malformed, ev.Value)
		}
		if ev.Kind == Malformed {
			continue
		}
		if match := wants.Match(ev.Value); match != (ev.SMS != outcome.ReasonNoMatch) || match != (ev.WhatsApp != outcome.ReasonNoMatch) {
			t.Fatalf("%s: match is %t: %s", ev.Kind, match, ev.Value)
		}
		var p struct {
			UserID, MessageID  string
			Timestamp          time.Time
			Properties, Traits map[string]any
			ExternalIDs        []externalID `json:"external_ids"`
		}
		if err := json.Unmarshal(ev.Value, &p); err != nil {
			t.Fatal(err)
		}
		if p.UserID != ev.UserID || p.MessageID != ev.MessageID || !p.Timestamp.After(last) {
			t.Fatalf("%+v: %s", ev, ev.Value)
		}
		last = p.Timestamp
		about := p.Properties
		if about == nil {
			about = p.Traits
		}
		if about["region"] != ev.Region {
			t.Fatalf("region %s: %s", ev.Region, ev.Value)
		}
		// A user stays the same from event to event.
		if user, known := users[ev.UserID]; !known {
			users[ev.UserID] = about
			regions[ev.Region]++
		} else if user["first_name"] != about["first_name"] || user["city"] != about["city"] || user["region"] != about["region"] {
			t.Fatalf("%s was %v and is %v", ev.UserID, user, about)
		}
		checkRecipient(t, ev, p.ExternalIDs)
	}
	for _, s := range append(opts.shares(), share{Entered, 0.72}) {
		if got := float64(kinds[s.kind]) / n; math.Abs(got-s.part) > 0.01 {
			t.Errorf("%s: %.3f of the events, want %.3f", s.kind, got, s.part)
		}
	}
	if len(users) != 500 {
		t.Errorf("%d users", len(users))
	}
	if got := float64(regions[RegionEU]) / 500; math.Abs(got-opts.Europe) > 0.1 {
		t.Errorf("%.2f of the users are in Europe", got)
	}
	if mean := size / n; mean < 550 || mean > 700 {
		t.Errorf("%d bytes an event", mean)
	}
}

func checkRecipient(t *testing.T, ev Event, ids []externalID) {
	t.Helper()
	var phones []externalID
	for _, id := range ids {
		if id.Type == "phone" {
			phones = append(phones, id)
		}
	}
	want := externalID{Type: "phone", Collection: "users", ChannelType: "sms", IsSubscribed: "subscribed"}
	switch ev.Kind {
	case Unwanted, NoRecipient:
		if phones != nil {
			t.Fatalf("%s: %v", ev.Kind, phones)
		}
		return
	case Unsubscribed:
		want.IsSubscribed = "unsubscribed"
	case InvalidStatus:
		want.IsSubscribed = "pending"
	case WhatsApp:
		want.ChannelType = "whatsapp"
	case OptedOut:
		want.ID = "+15005550004"
	}
	if len(phones) != 1 {
		t.Fatalf("%s: %v", ev.Kind, phones)
	}
	if magic := ev.Kind == BadNumber || ev.Kind == OptedOut; magic != (phones[0].ID[:8] == "+1500555") {
		t.Fatalf("%s: %v", ev.Kind, phones)
	}
	if want.ID == "" {
		want.ID = phones[0].ID
	}
	if phones[0] != want {
		t.Fatalf("%s: %v", ev.Kind, phones)
	}
}

func TestPhoneNumbers(t *testing.T) {
	numbers := map[string]bool{}
	for i := range MaxUsers {
		number := phoneNumber(i)
		if numbers[number] {
			t.Fatalf("%s is of two users", number)
		}
		numbers[number] = true
		if i%997 != 0 && i >= len(areaCodes) && i != MaxUsers-1 {
			continue
		}
		parsed, err := phonenumbers.Parse(number, "US")
		if err != nil || !phonenumbers.IsValidNumber(parsed) || phonenumbers.Format(parsed, phonenumbers.E164) != number {
			t.Fatalf("%s is no number: %v", number, err)
		}
	}
}

func TestShares(t *testing.T) {
	kinds := map[Kind]bool{}
	for _, ev := range take(New(1, Options{Exited: 3, Malformed: 1, Unwanted: math.NaN(), OptedOut: -1}), 300) {
		kinds[ev.Kind] = true
	}
	if want := map[Kind]bool{Exited: true, Malformed: true}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds %v", kinds)
	}
}

func BenchmarkNext(b *testing.B) {
	g := New(1, Mix())
	b.ReportAllocs()
	for b.Loop() {
		g.Next()
	}
}
