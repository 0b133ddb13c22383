package actions

import (
	"cmp"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/weburl"
)

// callback makes StatusCallback addresses.
type callback struct {
	base    weburl.URL
	spaceID string
}

// newCallback prepares the callbacks of a webhook's URL. The fragment, which
// Twilio reads its connection overrides from, replaces the URL's own.
func newCallback(webhookURL, overrides, spaceID string) (*callback, error) {
	u, err := weburl.Parse(webhookURL)
	if err != nil {
		return nil, err
	}
	u.EncodeQuery()
	u.SetHash(cmp.Or(overrides, defaultOverrides))
	return &callback{base: *u, spaceID: spaceID}, nil
}

// url is the address for one message: the webhook's with the custom arguments
// and three of the destination's own, which win where names are the same but
// leave them in their place.
func (c *callback) url(customArgs any, phone string) string {
	own := [...]weburl.Param{
		{Name: "space_id", Value: c.spaceID},
		{Name: "__segment_internal_external_id_key__", Value: "phone"},
		{Name: "__segment_internal_external_id_value__", Value: phone},
	}
	var placed [len(own)]bool
	params := make([]weburl.Param, 0, jsvalue.Len(customArgs)+len(own))
members:
	for name, value := range jsvalue.All(customArgs) {
		for i := range own {
			if own[i].Name == name {
				params, placed[i] = append(params, own[i]), true
				continue members
			}
		}
		params = append(params, weburl.Param{Name: name, Value: jsvalue.String(value)})
	}
	for i := range own {
		if !placed[i] {
			params = append(params, own[i])
		}
	}
	u := c.base
	u.Append(params...)
	return u.String()
}
