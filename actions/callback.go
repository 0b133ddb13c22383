package actions

import (
	"cmp"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/weburl"
)

// callback makes StatusCallback addresses.
type callback struct {
	head, tail string // what is before and after the parameters of a message
	spaceID    string
}

// newCallback prepares the callbacks of a webhook's URL. The fragment, which
// Twilio reads its connection overrides from, replaces the URL's own.
func newCallback(webhookURL, overrides, spaceID string) (*callback, error) {
	u, err := weburl.Parse(webhookURL)
	if err != nil {
		return nil, err
	}
	u.SetHash(cmp.Or(overrides, defaultOverrides))
	c := &callback{spaceID: spaceID}
	c.head, c.tail = u.Split()
	return c, nil
}

// url is the address for one message: the webhook's with the custom arguments
// and three of the destination's own, which win where names are the same but
// leave them in their place.
func (c *callback) url(customArgs any, phone string) string {
	own := [...]struct{ name, value string }{
		{"space_id", c.spaceID},
		{"__segment_internal_external_id_key__", "phone"},
		{"__segment_internal_external_id_value__", phone},
	}
	var placed [len(own)]bool
	url := append(make([]byte, 0, 512), c.head...)
members:
	for name, value := range jsvalue.All(customArgs) {
		for i := range own {
			if own[i].name == name {
				url, placed[i] = append(weburl.AppendParam(url, name, own[i].value), '&'), true
				continue members
			}
		}
		url = append(weburl.AppendParam(url, name, jsvalue.String(value)), '&')
	}
	for i := range own {
		if !placed[i] {
			url = append(weburl.AppendParam(url, own[i].name, own[i].value), '&')
		}
	}
	return string(append(url[:len(url)-1], c.tail...))
}
