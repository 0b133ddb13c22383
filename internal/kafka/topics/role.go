package topics

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Role is what a topic is to the worker.
type Role uint8

const (
	RoleSource     Role = iota + 1 // the producer's; the worker only reads it
	RoleDeadLetter                 // deliveries that can't be made
	RoleRetry                      // deliveries to try again later
	RoleLedger                     // what was sent
	RoleCallbacks                  // Twilio's status callbacks as they came
	RoleStatus                     // what became of a message after Twilio accepted it
	RoleReplays                    // who sent dead letters again
	RoleRates                      // who lends whom of the regions' rates
)

func (r Role) String() string {
	return [...]string{"", "source", "dead letter", "retry", "ledger", "callbacks", "status", "replays", "rates"}[r]
}

// Optional reports whether the worker works without the topic.
func (r Role) Optional() bool { return needs[r].optional != "" }

const day = 24 * time.Hour

// need is what a role needs of its topic.
type need struct {
	// compact: the last record of a key is kept; otherwise only age deletes.
	compact bool
	// retention is what Ensure sets. Check refuses less than least, where
	// there is one, and warns of less than retention where warn says what is
	// lost then.
	retention, least time.Duration
	lost, warn       string
	// events: its records are the source's with headers added, so that it must
	// take larger ones.
	events bool
	// spare: more partitions than the source's do no harm.
	spare bool
	// more is what Ensure sets besides; nothing is lost without it.
	more map[string]string
	// optional says how the worker works without it; "" where it can't.
	optional string
	// rights are what the worker does with it.
	rights []Operation
}

// needs is the table. The source isn't ours to set.
var needs = map[Role]need{
	RoleSource: {events: true, rights: []Operation{OpRead}},
	RoleDeadLetter: {
		retention: 30 * day, events: true, spare: true,
		more:   map[string]string{"compression.type": "producer"},
		rights: []Operation{OpWrite},
	},
	RoleRetry: {
		// A day to mend what keeps retries from being read.
		retention: 7 * day, least: day, lost: "a retry may be deleted before it is read", events: true,
		more:   map[string]string{"compression.type": "producer"},
		rights: []Operation{OpRead, OpWrite},
	},
	RoleLedger: {
		compact: true, retention: 7 * day, least: day, lost: "what is still under way may be forgotten and sent again",
		warn: "an event that comes again later is sent again",
		more: map[string]string{
			"compression.type":      "producer",
			"min.compaction.lag.ms": milliseconds(time.Hour),
			// Kafka neither compacts nor deletes the active segment: this
			// bounds what a new owner reads beyond the live records.
			"segment.ms": milliseconds(6 * time.Hour),
		},
		rights: []Operation{OpRead, OpWrite},
	},
	RoleCallbacks: {
		retention: day, least: time.Hour, lost: "a status may be deleted before it is read",
		more:     map[string]string{"compression.type": "producer"},
		optional: "what Twilio calls back is lost, and statuses come later, when Twilio is asked",
		rights:   []Operation{OpRead, OpWrite},
	},
	RoleStatus: {
		compact: true, retention: 30 * day, least: 4 * day, lost: "a message may be forgotten before its final status",
		more:     map[string]string{"compression.type": "producer"},
		optional: "what becomes of messages once Twilio has accepted them isn't known, and those that fail then leave no dead letter",
		rights:   []Operation{OpRead, OpWrite},
	},
	RoleReplays: {
		compact: true, retention: 90 * day, spare: true, // longer than the dead letters that they are about
		rights: []Operation{OpRead, OpWrite},
	},
	RoleRates: {
		// Nobody reads what is older than a loan; an hour is for people.
		retention: time.Hour, spare: true,
		more:     map[string]string{timestampType: "LogAppendTime"}, // so that brokers tell the time
		optional: "replicas can't lend each other what they don't use of a region's rate, and where there are more replicas than messages per second some send nothing",
		rights:   []Operation{OpRead, OpWrite},
	},
}

// timestampType says whose clock dates a topic's records.
const timestampType = "message.timestamp.type"

// headroom is what the worker's headers may add to a record of the source's
// largest size.
const headroom = 64 << 10

// defaultLargestRecord is Kafka's max.message.bytes.
const defaultLargestRecord = 1048588

// settings are what a topic of ours is created with. largest is the source's
// max.message.bytes, or 0 when that isn't known.
func (s Spec) settings(replication int, largest int64) map[string]string {
	if s.Role == RoleSource {
		return nil
	}
	n := needs[s.Role]
	set := map[string]string{
		"cleanup.policy":                 n.cleanup(),
		"retention.ms":                   milliseconds(s.retention()),
		"retention.bytes":                "-1",
		"unclean.leader.election.enable": "false",
		"min.insync.replicas":            "1",
	}
	maps.Copy(set, n.more)
	if durable := 3; replication >= durable {
		// Two replicas hold a record before it counts as written, and one
		// broker may be away.
		set["min.insync.replicas"] = "2"
	}
	if n.events {
		set["max.message.bytes"] = strconv.FormatInt(max(largest, defaultLargestRecord)+headroom, 10)
	}
	return set
}

func (n need) cleanup() string {
	if n.compact {
		return "compact,delete"
	}
	return "delete"
}

// sameSetting compares two values of a setting; a list's order and blanks
// mean nothing.
func sameSetting(a, b string) bool {
	sorted := func(list string) []string {
		fields := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
		slices.Sort(fields)
		return fields
	}
	return slices.Equal(sorted(a), sorted(b))
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
