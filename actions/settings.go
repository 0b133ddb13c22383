package actions

import (
	"errors"
	"regexp"
)

// Settings are one destination's, by the names that the hosted destination
// gives them.
type Settings struct {
	TwilioAccountSID      string `yaml:"twilioAccountSID"`
	TwilioAPIKeySID       string `yaml:"twilioApiKeySID"`
	TwilioAPIKeySecret    string `yaml:"twilioApiKeySecret"`
	ProfileAPIEnvironment string `yaml:"profileApiEnvironment"`
	ProfileAPIAccessToken string `yaml:"profileApiAccessToken"`
	SpaceID               string `yaml:"spaceId"`
	SourceID              string `yaml:"sourceId"`
	WebhookURL            string `yaml:"webhookUrl"`
	TwilioHostname        string `yaml:"twilioHostname"`
	ContentHostname       string `yaml:"contentHostname"`
	ProfileAPIHostname    string `yaml:"profileApiHostname"`
	ConnectionOverrides   string `yaml:"connectionOverrides"`
	Region                string `yaml:"region"`

	Former []FormerAccess `yaml:"former"`
}

// FormerAccess is what messages were sent with before the settings changed.
// Nothing is sent with it any more: Twilio's list is asked for what is still
// in doubt. What is empty is as it is in the settings.
type FormerAccess struct {
	TwilioAccountSID   string `yaml:"twilioAccountSID"`
	TwilioAPIKeySID    string `yaml:"twilioApiKeySID"`
	TwilioAPIKeySecret string `yaml:"twilioApiKeySecret"`
	TwilioHostname     string `yaml:"twilioHostname"`
	From               string `yaml:"from"` // as the mapping had it
}

// RegionPattern is what a region's name looks like, as a regular expression: it
// is a metric's label, too.
const RegionPattern = `^[A-Za-z0-9_-]{1,64}$`

var regionName = regexp.MustCompile(RegionPattern)

// CheckRegion returns nil for a name that a region can have; else it says what
// such a name is.
func CheckRegion(name string) error {
	if !regionName.MatchString(name) {
		return errors.New("a region's name is 1 to 64 letters, digits, '_' and '-'")
	}
	return nil
}

// ActionType is what an action sends.
type ActionType string

const (
	SendSMS      ActionType = "sendSms"
	SendWhatsApp ActionType = "sendWhatsApp"
	SendMessage  ActionType = "sendMessage" // the hosted successor's, Twilio Messaging
)

// ActionDefinition is an action as configured. Objects inside the mapping may
// be map[string]any too, but then their keys' order is lost, which shows in a
// callback's parameters and in content variables.
type ActionDefinition struct {
	Name    string
	Type    ActionType
	Trigger string  // FQL; empty means DefaultTrigger
	Purpose Purpose // of its messages; empty means Marketing
	// FormerNames are what the action was called before: what was sent, waits
	// or is in doubt under them is the action's.
	FormerNames []string
	// Disabled keeps an action without sending: it wants no event, and what
	// was under way is skipped as send_disabled.
	Disabled bool
	// LiquidFromEvents renders as templates also what a directive takes out of
	// an event. Whoever writes into the event then writes templates.
	LiquidFromEvents bool
	Mapping          map[string]any // field -> JSON-like value: nil, bool, float64, string, []any, *jsvalue.Object
}

// Purpose is what an action's messages are for: where a rate is short,
// transactional ones go first.
type Purpose string

const (
	Marketing     Purpose = "marketing"
	Transactional Purpose = "transactional"
)

// DefaultTrigger is the hosted destination's.
const DefaultTrigger = `type = "track" and event = "Audience Entered"`

// Definition is a destination as configured.
type Definition struct {
	Name     string
	Settings Settings
	Actions  []ActionDefinition
}

// Fault is something wrong with a definition.
type Fault struct {
	// Path leads to the place inside the definition, in the notation of
	// the configuration file: "actions[0].mapping.body", "settings.region".
	Path    string
	Message string // what is wrong and the way out; holds no secret
}
