// Package twilio is the client of Twilio's Messages and Content resources:
// one attempt at sending, what Twilio's list says of earlier attempts, and
// the templates to render.
//
//	Client.Send ─ twilio-go CreateMessage ─ attempt (BaseClient) ─ POST ─▶ Attempt ─ Classify ─▶ Result
//	Client.Report, Reports ─ GET, one message or a page ─▶ Report
//	Client.List ─ GET, all pages ─▶ []Candidate
//	Templates.Get ─ cache ─ Client.Content ─ GET ─▶ ContentTemplate
//
// Classify alone decides what an answer, or none, means. Its rule is that a
// request counts as not processed only when that is certain: another attempt
// at anything else might text somebody twice.
package twilio
