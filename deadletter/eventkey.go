package deadletter

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// EventKey is an event's identity, under which the ledger remembers what was
// sent for it: its messageId, or else where it appeared first, as Origin writes
// that. No messageId is the key of an event without one: see OddMessageID.
func EventKey(messageID, origin string) string {
	switch {
	case messageID == "":
		return origin
	case OddMessageID(messageID):
		sum := sha256.Sum256([]byte(messageID))
		return "\x00" + hex.EncodeToString(sum[:])
	default:
		return messageID
	}
}

// OddMessageID reports whether a messageId could be taken for another kind of
// key: a position, the hash that stands for a very long key, or the hash that
// stands for an odd messageId.
func OddMessageID(id string) bool {
	if id == "" {
		return false
	}
	if id[0] == 0 || strings.HasPrefix(id, "sha256:") {
		return true
	}
	offset := strings.LastIndexByte(id, '/')
	if offset < 0 || !decimal(id[offset+1:]) {
		return false
	}
	partition := strings.LastIndexByte(id[:offset], '/')
	return partition >= 0 && decimal(id[partition+1:offset])
}

func decimal(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
