package preflight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"engage-worker/actions"
	"engage-worker/actions/profile"
	"engage-worker/actions/twilio"
	"engage-worker/internal/config"
)

const (
	// askTimeout bounds one request.
	askTimeout = 10 * time.Second
	// largestAnswer is far above any answer to these questions.
	largestAnswer = 4 << 20
)

// Twilio tries each destination's key, the senders and content templates that
// its mappings fix, and its token of the Profile API. client follows no
// redirects. What several actions name is tried once.
func Twilio(ctx context.Context, client *http.Client, cfg *config.Config) []Result {
	var results []Result
	for _, d := range cfg.Destinations {
		t := trial{ctx: ctx, client: client, name: d.Name, settings: d.Settings, done: map[string]bool{}}
		region := d.Settings.Region
		if region == "" {
			region = actions.DefaultRegion
		}
		t.twilioRegion, t.twilioEdge = cfg.TwilioRegion(region)
		t.region = region
		t.destination(d.Actions)
		results = append(results, t.results...)
	}
	return results
}

// trial tries one destination.
type trial struct {
	ctx                      context.Context
	client                   *http.Client
	name                     string
	settings                 actions.Settings
	region                   string
	twilioRegion, twilioEdge string
	done                     map[string]bool
	results                  []Result
}

func (t *trial) destination(list []actions.ActionDefinition) {
	if !t.key() {
		return // nothing else can be asked with it
	}
	for _, a := range list {
		if from, fixed := fixedText(a.Mapping["from"]); fixed {
			t.sender(from)
		}
		if sid, fixed := fixedText(a.Mapping["contentSid"]); fixed {
			t.template(sid)
		}
	}
	if t.settings.ProfileAPIAccessToken != "" {
		t.profile()
	}
}

// fixedText is a mapping's value that is the same for every event: no
// directive, no template.
func fixedText(v any) (string, bool) {
	s, isText := v.(string)
	s = strings.TrimSpace(s)
	return s, isText && s != "" && !strings.Contains(s, "{{") && !strings.Contains(s, "{%")
}

// key asks for the newest message: what the worker asks for, too, so that
// a key that may do nothing else passes.
func (t *trial) key() bool {
	s := t.settings
	what := fmt.Sprintf("%s: Twilio's key %s for the account %s", t.name, s.TwilioAPIKeySID, s.TwilioAccountSID)
	base, err := twilio.BaseURL(s.TwilioHostname, t.twilioRegion, t.twilioEdge, "api")
	if err != nil {
		t.add(fails(what, err.Error(), ""))
		return false
	}
	status, _, err := t.ask(base+"/2010-04-01/Accounts/"+url.PathEscape(s.TwilioAccountSID)+"/Messages.json?PageSize=1", s.TwilioAPIKeySID, s.TwilioAPIKeySecret)
	switch {
	case err != nil:
		t.add(fails(what, "Twilio can't be asked: "+err.Error(), "check the network, and twilioHostname if it is set"))
	case status == http.StatusOK:
		t.add(ok(what))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t.add(fails(what, fmt.Sprintf("Twilio refuses it (%d)", status), "correct twilioAccountSID, twilioApiKeySID and twilioApiKeySecret; a key belongs to one account and one of Twilio's regions, and must be allowed to list and create messages"))
	default:
		t.add(fails(what, fmt.Sprintf("Twilio answers %d", status), "correct twilioAccountSID; or Twilio is in trouble: try again"))
	}
	return err == nil && status == http.StatusOK
}

var (
	phoneNumber = regexp.MustCompile(`^\+[0-9]{7,15}$`)
	shortCode   = regexp.MustCompile(`^[0-9]{3,8}$`)
)

// sender looks a fixed sender up where Twilio keeps its kind.
func (t *trial) sender(from string) {
	what := fmt.Sprintf("%s: the sender %s", t.name, from)
	account := "/2010-04-01/Accounts/" + url.PathEscape(t.settings.TwilioAccountSID)
	switch {
	case t.done[what]:
	case strings.HasPrefix(from, "MG"):
		t.look(what, "messaging", t.settings.TwilioHostname, "/v1/Services/"+url.PathEscape(from), "",
			"the account has no such messaging service", "correct the mapping's from")
	case phoneNumber.MatchString(from):
		t.look(what, "api", t.settings.TwilioHostname, account+"/IncomingPhoneNumbers.json?PhoneNumber="+url.QueryEscape(from), "incoming_phone_numbers",
			"the account has no such number", "correct the mapping's from, or buy or port the number")
	case shortCode.MatchString(from):
		t.look(what, "api", t.settings.TwilioHostname, account+"/SMS/ShortCodes.json?ShortCode="+url.QueryEscape(from), "short_codes",
			"the account has no such short code", "correct the mapping's from")
	default:
		t.add(unknown(what, "senders of this kind can't be looked up", "see Twilio's console"))
	}
	t.done[what] = true
}

func (t *trial) template(sid string) {
	what := fmt.Sprintf("%s: the content template %s", t.name, sid)
	if !t.done[what] {
		t.done[what] = true
		t.look(what, "content", t.settings.ContentHostname, "/v1/Content/"+url.PathEscape(sid), "", "the account has no such template", "correct the mapping's contentSid")
	}
}

// look asks for a thing of the account's. It is there when Twilio shows it, or
// with list set, when that list of the answer isn't empty.
func (t *trial) look(what, product, hostname, path, list, missing, wayOut string) {
	base, err := twilio.BaseURL(hostname, t.twilioRegion, t.twilioEdge, product)
	if err != nil {
		t.add(fails(what, err.Error(), ""))
		return
	}
	status, body, err := t.ask(base+path, t.settings.TwilioAPIKeySID, t.settings.TwilioAPIKeySecret)
	switch {
	case err != nil:
		t.add(unknown(what, "Twilio can't be asked: "+err.Error(), "try again"))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t.add(unknown(what, fmt.Sprintf("the key may not look it up (%d)", status), "allow the key to read it, or see Twilio's console"))
	case status == http.StatusNotFound || status == http.StatusOK && list != "" && empty(body, list):
		t.add(fails(what, missing, wayOut))
	case status == http.StatusOK:
		t.add(ok(what))
	default:
		t.add(unknown(what, fmt.Sprintf("Twilio answers %d", status), "try again"))
	}
}

// empty reports whether the list of this name in an answer holds nothing.
func empty(body []byte, list string) bool {
	var answer map[string]json.RawMessage
	var items []json.RawMessage
	return json.Unmarshal(body, &answer) != nil || json.Unmarshal(answer[list], &items) != nil || len(items) == 0
}

// profile asks for somebody who isn't there: the token is good when the answer
// says so.
func (t *trial) profile() {
	s := t.settings
	what := fmt.Sprintf("%s: the Profile API's token for the space %s", t.name, s.SpaceID)
	base, err := profile.BaseURL(s.ProfileAPIHostname, t.region, s.ProfileAPIEnvironment)
	if err != nil {
		t.add(fails(what, err.Error(), ""))
		return
	}
	address := base + "/v1/spaces/" + url.PathEscape(s.SpaceID) + "/collections/users/profiles/user_id:engage-worker-check/traits?limit=1"
	switch status, _, err := t.ask(address, s.ProfileAPIAccessToken, ""); {
	case err != nil:
		t.add(fails(what, "the Profile API can't be asked: "+err.Error(), "check the network, and profileApiHostname if it is set"))
	case status == http.StatusOK || status == http.StatusNotFound:
		t.add(ok(what))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		t.add(fails(what, fmt.Sprintf("the Profile API refuses it (%d)", status), "correct profileApiAccessToken, spaceId, profileApiEnvironment and region"))
	default:
		t.add(unknown(what, fmt.Sprintf("the Profile API answers %d", status), "try again"))
	}
}

func (t *trial) add(r Result) { t.results = append(t.results, r) }

// ask is one GET. The error holds neither the address nor a secret.
func (t *trial) ask(address, user, password string) (status int, body []byte, err error) {
	ctx, cancel := context.WithTimeout(t.ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, errors.New("the address can't be read")
	}
	req.SetBasicAuth(user, password)
	req.Header.Set("Accept", "application/json")
	res, err := t.client.Do(req)
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		return 0, nil, failed.Err
	}
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err = io.ReadAll(io.LimitReader(res.Body, largestAnswer))
	return res.StatusCode, body, err
}
