package actions

import (
	"cmp"
	"errors"
	"fmt"

	"engage-worker/actions/twilio"
)

// former is one of the former accesses.
type former struct {
	twilio  *twilio.Client
	account string
	baseURL string // "": the message's own
	from    string // likewise
}

// formerAccesses makes the clients of settings.former.
func (c *compiler) formerAccesses(opts Options) {
	s := &c.def.Settings
	for i, f := range s.Former {
		path := fmt.Sprintf("settings.former[%d]", i)
		if f == (FormerAccess{}) {
			c.fault(path, "says nothing: give what was different before the change (twilioAccountSID with its key, twilioHostname, from)")
			continue
		}
		if (f.TwilioAPIKeySID == "") != (f.TwilioAPIKeySecret == "") {
			c.fault(path, "twilioApiKeySID and twilioApiKeySecret go together: set both, or neither")
			continue
		}
		if f.TwilioAccountSID != "" && f.TwilioAccountSID != s.TwilioAccountSID && f.TwilioAPIKeySID == "" {
			c.fault(path, "another account needs a key of its own: set twilioApiKeySID and twilioApiKeySecret")
			continue
		}
		made := former{account: cmp.Or(f.TwilioAccountSID, s.TwilioAccountSID), from: f.From}
		if f.TwilioHostname != "" {
			var err error
			if made.baseURL, err = twilio.BaseURL(f.TwilioHostname, "", "", "api"); err != nil {
				c.fault(path+".twilioHostname", "%v", err)
			}
		}
		var err error
		made.twilio, err = twilio.New(twilio.Config{
			AccountSID: made.account, KeySID: cmp.Or(f.TwilioAPIKeySID, s.TwilioAPIKeySID), KeySecret: cmp.Or(f.TwilioAPIKeySecret, s.TwilioAPIKeySecret),
			HTTP: opts.HTTP, Now: opts.Now,
		})
		if wrong := (*twilio.SettingError)(nil); errors.As(err, &wrong) && f.TwilioAPIKeySID != "" { // the settings' own are reported there
			c.fault(path+"."+wrong.Setting, "%s", wrong.Message)
		}
		c.d.former = append(c.d.former, made)
	}
}

// Former is m as it would have been sent by each of the former accesses, for
// Find. They can't be sent any more.
func (d *Destination) Former(m *twilio.Message) []*twilio.Message {
	all := make([]*twilio.Message, len(d.former))
	for i, f := range d.former {
		all[i] = &twilio.Message{
			BaseURL: cmp.Or(f.baseURL, m.BaseURL), To: m.To, From: cmp.Or(f.from, m.From), Body: m.Body,
			Account: f.account, Access: i + 1,
		}
	}
	return all
}
