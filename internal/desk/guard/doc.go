// Package guard lets into the desk whom it should, and keeps out what other pages
// in the same browser could do in somebody's name:
//
//	Host (loopback) ── origin ── headers ── session ── form token ── handler
//
// There is one token for all; who signs in says a name, which is what the record
// of replays and the log know them by. Sessions are in memory, bounded, and end: with
// the process, after Idle, after Longest, or when somebody signs out. The form token
// is the session's own, and what writes asks for it (Session.Allows).
package guard
