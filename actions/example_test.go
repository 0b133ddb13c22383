package actions_test

import (
	"context"
	"fmt"

	"engage-worker/actions"
)

// An event is matched by its bytes, decoded where an action wants it, and
// prepared into a delivery. Nothing has been sent yet.
func Example() {
	destination, faults := actions.New(actions.Definition{
		Name:     "onboarding",
		Settings: actions.Settings{TwilioAccountSID: "AC1", TwilioAPIKeySID: "SK1", TwilioAPIKeySecret: "secret", SpaceID: "spa_1"},
		Actions: []actions.ActionDefinition{{
			Name: "welcome-sms", Type: actions.SendSMS,
			Trigger: `type = "track" and event = "Audience Entered"`,
			Mapping: map[string]any{"from": "MG1", "body": map[string]any{"@template": "Hi {{properties.name}}, welcome!"}},
		}},
	}, actions.Options{})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	defer destination.Close()

	for _, value := range []string{
		`{"type": "page"}`,
		`{"type": "track", "event": "Audience Entered", "messageId": "m-1", "userId": "u-1",
		  "properties": {"name": "{{Jane}}"},
		  "external_ids": [{"type": "phone", "id": "+14155550123", "channelType": "sms", "isSubscribed": "subscribed"}]}`,
	} {
		match := destination.Match([]byte(value))
		if match.Actions == 0 {
			fmt.Println("no action wants it")
			continue
		}
		event, err := destination.Decode([]byte(value))
		if err != nil {
			fmt.Println(err)
			return
		}
		delivery := destination.Prepare(context.Background(), event, 0)
		if delivery.Decision != actions.DecisionSend {
			fmt.Println(delivery.Decision, delivery.Reason)
			continue
		}
		fmt.Println(delivery.Action, "to", delivery.Message.To, "in", delivery.Region)
		fmt.Println(delivery.Message.Body) // an event's text is no template
	}
	// Output:
	// no action wants it
	// welcome-sms to +14155550123 in us-west-2
	// Hi {{Jane}}, welcome!
}
