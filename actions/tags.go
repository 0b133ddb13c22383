package actions

import "engage-worker/actions/jsvalue"

// tags is the Tags form value: a JSON object of the custom arguments that the
// hosted destination reports by, in its order, and of the recipient.
func tags(customArgs any, to recipient) string {
	o := jsvalue.NewObject(4)
	if customArgs != nil {
		for _, name := range [...]string{
			"audience_id", "correlation_id", "journey_name", "step_name",
			"campaign_name", "campaign_key", "user_id", "message_id",
		} {
			if value, ok := jsvalue.Get(customArgs, name); ok {
				o.Set(name, value)
			}
		}
	}
	if to.kind != "" {
		o.Set("external_id_type", to.kind)
	}
	o.Set("external_id_value", to.id)
	return jsvalue.Encode(o)
}
