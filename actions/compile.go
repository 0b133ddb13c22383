package actions

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"engage-worker/actions/liquid"
	"engage-worker/actions/profile"
	"engage-worker/actions/trigger"
	"engage-worker/actions/twilio"
	"engage-worker/internal/nearest"
)

// maxComputedTemplates is how many templates that came with events are kept
// compiled.
const maxComputedTemplates = 256

// New compiles a definition. With faults, which are all that there are, the
// Destination is nil.
func New(def Definition, opts Options) (*Destination, []Fault) {
	c := compiler{def: def}
	if opts.HTTP == nil {
		opts.HTTP = twilio.NewHTTPClient(0)
	}
	c.d = &Destination{
		name:         def.Name,
		region:       cmp.Or(def.Settings.Region, DefaultRegion),
		settings:     def.Settings,
		twilioRegion: opts.Region,
		endpoints:    map[string]endpoints{},
		http:         opts.HTTP,
		log:          opts.Log,
	}
	c.settings()
	c.compileActions()
	c.regions(opts.Regions)
	profiles := c.profiles(opts)
	client := c.client(opts)
	c.formerAccesses(opts)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	contents := twilio.NewTemplates(client, opts.Lookup)
	templates := liquid.NewCache(maxComputedTemplates)
	for _, a := range c.d.actions {
		a.profiles, a.contents, a.templates = profiles, contents, templates
	}
	c.d.twilio = client
	c.d.fingerprint = c.fingerprint()
	return c.d, nil
}

// compiler collects the faults of one New.
type compiler struct {
	d      *Destination
	def    Definition
	faults []Fault
}

func (c *compiler) fault(path, format string, args ...any) {
	c.faults = append(c.faults, Fault{Path: path, Message: fmt.Sprintf(format, args...)})
}

// settings checks the settings that don't depend on the actions.
func (c *compiler) settings() {
	s := &c.def.Settings
	if c.def.Name == "" {
		c.fault("name", "is required")
	}
	c.required("settings.twilioAccountSID", s.TwilioAccountSID, "the account's SID (AC...)")
	c.required("settings.twilioApiKeySID", s.TwilioAPIKeySID, "an API key's SID (SK...)")
	c.required("settings.twilioApiKeySecret", s.TwilioAPIKeySecret, "the API key's secret")
	for _, message := range checkOverrides(s.ConnectionOverrides) {
		c.fault("settings.connectionOverrides", "%s", message)
	}
	if s.WebhookURL != "" {
		callback, err := newCallback(s.WebhookURL, s.ConnectionOverrides, s.SpaceID)
		if err != nil {
			c.fault("settings.webhookUrl", "is not an absolute URL: %v", err)
		}
		c.d.callback = callback
	}
	if _, err := twilio.BaseURL(s.TwilioHostname, "", "", "api"); err != nil {
		c.fault("settings.twilioHostname", "%v", err)
	}
	if _, err := twilio.BaseURL(s.ContentHostname, "", "", "content"); err != nil {
		c.fault("settings.contentHostname", "%v", err)
	}
	if _, err := profile.BaseURL(s.ProfileAPIHostname, s.Region, s.ProfileAPIEnvironment); err != nil {
		c.fault("settings.profileApiHostname", "%v", err)
	}
}

func (c *compiler) required(path, value, what string) {
	if value == "" {
		c.fault(path, "is required: %s", what)
	}
}

// compileActions compiles the actions and their triggers.
func (c *compiler) compileActions() {
	switch n := len(c.def.Actions); {
	case n == 0:
		c.fault("actions", "there is none: a destination needs an action")
	case n > MaxActions:
		c.fault("actions", "there are %d, a destination can have %d; put the others into another destination", n, MaxActions)
		return
	}
	names := map[string]int{}
	for i, def := range c.def.Actions {
		path := fmt.Sprintf("actions[%d]", i)
		if first, ok := names[def.Name]; ok && def.Name != "" {
			c.fault(path+".name", "is %q, as actions[%d]'s: names must differ", def.Name, first)
		} else {
			names[def.Name] = i
		}
		c.required(path+".name", def.Name, "dead letters and metrics call the action by it")
		c.compileTrigger(cmp.Or(def.Trigger, DefaultTrigger), path+".trigger", i)
		if types := []string{string(SendSMS), string(SendWhatsApp), string(SendMessage)}; !slices.Contains(types, string(def.Type)) {
			c.fault(path+".type", "%s", unknownType(string(def.Type), types))
			continue
		}
		if p := def.Purpose; p != "" && p != Marketing && p != Transactional {
			c.fault(path+".purpose", "is %q; there are marketing and transactional", p)
		}
		a, faults := compileAction(def, path)
		c.faults = append(c.faults, faults...)
		c.d.actions = append(c.d.actions, a)
	}
}

func unknownType(typed string, types []string) string {
	if typed == "" {
		return "is required: sendSms, sendWhatsApp or sendMessage"
	}
	if best, ok := nearest.Name(typed, types); ok {
		return fmt.Sprintf("is %q; did you mean %s?", typed, best)
	}
	return fmt.Sprintf("is %q; there are sendSms, sendWhatsApp and sendMessage", typed)
}

// compileTrigger compiles the trigger of the action i, unless an action
// before it has the same.
func (c *compiler) compileTrigger(expr, path string, i int) {
	wants := uint64(1) << i
	if c.def.Actions[i].Disabled {
		wants = 0
	}
	for j := range c.d.triggers {
		if t := &c.d.triggers[j]; t.trigger.String() == expr {
			t.actions |= wants
			return
		}
	}
	t, err := trigger.Compile(expr)
	if err != nil {
		c.fault(path, "%v", err)
		return
	}
	c.d.triggers = append(c.d.triggers, sharedTrigger{t, wants})
}

// regions finds the hosts of the regions that deliveries may go through: those that
// mappings fix, also in a branch of a condition, and where a mapping
// computes the region, others, among which events may choose.
func (c *compiler) regions(others []string) {
	add := func(path, region string) {
		if _, ok := c.d.endpoints[region]; ok {
			return
		}
		if err := CheckRegion(region); err != nil {
			c.fault(path, "%v", err)
			return
		}
		e, err := c.d.newEndpoints(region)
		if err != nil && c.def.Settings.TwilioHostname == "" && c.def.Settings.ContentHostname == "" {
			c.fault(path, "%q: %v", region, err)
		}
		c.d.endpoints[region] = e
	}
	add("settings.region", c.d.region)
	computed := false
	for i, a := range c.d.actions {
		if a.static.region != "" {
			add(fmt.Sprintf("actions[%d].mapping.region", i), a.static.region)
		}
		for _, f := range a.dynamic {
			if f.id != fieldRegion {
				continue
			}
			computed = true
			for _, region := range f.value.Constants() {
				if region != "" {
					add(fmt.Sprintf("actions[%d].mapping.region", i), region)
				}
			}
		}
	}
	if computed {
		for _, region := range others {
			add("mapping.region", region)
		}
	}
}

// profiles makes the Profile API's client, if an action may need it.
func (c *compiler) profiles(opts Options) *profile.Client {
	if !slices.ContainsFunc(c.d.actions, (*action).looksUp) {
		return nil
	}
	s := &c.def.Settings
	const why = "the traits of an action without traitEnrichment are looked up in the Profile API"
	c.required("settings.spaceId", s.SpaceID, why)
	c.required("settings.profileApiAccessToken", s.ProfileAPIAccessToken, why)
	if s.ProfileAPIHostname == "" {
		c.required("settings.profileApiEnvironment", s.ProfileAPIEnvironment, why+"; it is production as a rule")
	}
	base, err := profile.BaseURL(s.ProfileAPIHostname, s.Region, s.ProfileAPIEnvironment)
	if err != nil || s.SpaceID == "" || s.ProfileAPIAccessToken == "" {
		return nil // reported
	}
	return profile.New(profile.Config{
		SpaceID: s.SpaceID, Token: s.ProfileAPIAccessToken, BaseURL: base,
		HTTP: opts.HTTP, Now: opts.Now, Observe: opts.Lookup,
	})
}

// client makes Twilio's client.
func (c *compiler) client(opts Options) *twilio.Client {
	s := &c.def.Settings
	client, err := twilio.New(twilio.Config{
		AccountSID: s.TwilioAccountSID, KeySID: s.TwilioAPIKeySID, KeySecret: s.TwilioAPIKeySecret,
		HTTP: opts.HTTP, Now: opts.Now,
	})
	missing := s.TwilioAccountSID == "" || s.TwilioAPIKeySID == "" || s.TwilioAPIKeySecret == ""
	if wrong := (*twilio.SettingError)(nil); errors.As(err, &wrong) && !missing { // missing ones are reported already
		c.fault("settings."+wrong.Setting, "%s", wrong.Message)
	}
	return client
}
