// Package preflight tries what a configuration names for real: Kafka, the
// rights there, the topics and their settings, Twilio's key, the senders and
// content templates that mappings fix, the Profile API's token. It reads only,
// and sends nothing.
package preflight
