package sample

import (
	"fmt"
	"time"
)

// payload is an event of the Segment spec, as Engage writes it.
type payload struct {
	Type        string         `json:"type"`
	Event       string         `json:"event,omitempty"`
	Name        string         `json:"name,omitempty"`
	UserID      string         `json:"userId"`
	MessageID   string         `json:"messageId"`
	Timestamp   string         `json:"timestamp"`
	Properties  map[string]any `json:"properties,omitempty"` // encoded in the order of its keys
	Traits      map[string]any `json:"traits,omitempty"`
	Context     eventContext   `json:"context"`
	ExternalIDs []externalID   `json:"external_ids,omitempty"`
}

type eventContext struct {
	Personas *personas `json:"personas,omitempty"`
	Locale   string    `json:"locale"`
	Timezone string    `json:"timezone"`
}

type personas struct {
	Class   string `json:"computation_class"`
	ID      string `json:"computation_id"`
	Key     string `json:"computation_key"`
	SpaceID string `json:"space_id"`
}

type externalID struct {
	ID           string `json:"id"`
	Type         string `json:"type"`
	Collection   string `json:"collection"`
	ChannelType  string `json:"channelType,omitempty"`
	IsSubscribed string `json:"isSubscribed,omitempty"`
}

func (g *Generator) payload(kind Kind, u user, messageID string, at time.Time) payload {
	p := payload{
		Type:      "track",
		Event:     "Audience Entered",
		UserID:    u.id,
		MessageID: messageID,
		Timestamp: at.UTC().Format("2006-01-02T15:04:05.000Z"),
		Context:   eventContext{Locale: u.city.locale, Timezone: u.city.zone},
	}
	about := map[string]any{
		"first_name": u.firstName,
		"last_name":  u.lastName,
		"city":       u.city.name,
		"region":     u.region,
		"ltv":        float64(g.rand.IntN(500_000)) / 100,
		"orders":     1 + g.rand.IntN(30),
		"vip":        g.rand.IntN(10) == 0,
	}
	if kind == Unwanted {
		return g.unwanted(p, about)
	}
	if kind == Exited {
		p.Event = "Audience Exited"
	}
	about["audience_key"] = g.opts.Audience
	about[g.opts.Audience] = kind != Exited
	p.Properties = about
	p.Context.Personas = &personas{
		Class: "audience", ID: fmt.Sprintf("aud_%012x", g.seed&0xffffffffffff), Key: g.opts.Audience,
		SpaceID: "spa_sample",
	}
	// Some have an email address before the number: of no use to us.
	if u.hasEmail || kind == NoRecipient {
		p.ExternalIDs = append(p.ExternalIDs, externalID{ID: u.email, Type: "email", Collection: "users", IsSubscribed: "subscribed"})
	}
	if kind == NoRecipient {
		return p
	}
	phone := externalID{ID: u.phone, Type: "phone", Collection: "users", ChannelType: "sms", IsSubscribed: "subscribed"}
	switch kind {
	case Unsubscribed:
		phone.IsSubscribed = "unsubscribed"
	case InvalidStatus:
		phone.IsSubscribed = "pending"
	case WhatsApp:
		phone.ChannelType = "whatsapp"
	case OptedOut:
		phone.ID = optedOutNumber
	}
	p.ExternalIDs = append(p.ExternalIDs, phone)
	return p
}

// unwanted makes a page or an identify of p.
func (g *Generator) unwanted(p payload, about map[string]any) payload {
	p.Event = ""
	if g.rand.IntN(2) == 0 {
		p.Type, p.Traits = "identify", about
		return p
	}
	page := pages[g.rand.IntN(len(pages))]
	p.Type, p.Name = "page", page.name
	about["path"], about["title"] = page.path, page.name
	p.Properties = about
	return p
}

var pages = [...]struct{ name, path string }{
	{"Home", "/"}, {"Pricing", "/pricing"}, {"Basket", "/basket"}, {"Café & Crème", "/shop/caf%C3%A9"},
}
