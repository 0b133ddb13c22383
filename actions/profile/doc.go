// Package profile looks up the traits of profiles in Segment's Profile API.
//
//	Client.Traits ─ cache (60 s, bounded) ─ one look-up a user at a time ─ 100/s a space ─ GET, retried ─▶ traits
package profile
