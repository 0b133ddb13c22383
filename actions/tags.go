package actions

import "engage-worker/actions/jsvalue"

// tags is the Tags form value, a JSON object: the custom arguments that the
// hosted destination reports by, in its order, as far as there are any, and the
// recipient.
func tags(customArgs any, to recipient) string {
	b := append(make([]byte, 0, 256), '{')
	if customArgs != nil {
		for _, name := range [...]string{
			"audience_id", "correlation_id", "journey_name", "step_name",
			"campaign_name", "campaign_key", "user_id", "message_id",
		} {
			if value, ok := jsvalue.Get(customArgs, name); ok {
				b = append(jsvalue.AppendQuoted(b, name), ':')
				b = append(jsvalue.AppendJSON(b, value), ',')
			}
		}
	}
	if to.kind != "" {
		b = append(b, `"external_id_type":`...)
		b = append(jsvalue.AppendQuoted(b, to.kind), ',')
	}
	b = append(b, `"external_id_value":`...)
	b = append(jsvalue.AppendQuoted(b, to.id), '}')
	return string(b)
}
