package callbacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
)

// Keys sign the paths of callbacks, and check them. Paths are signed with the
// first, and taken with any.
type Keys struct{ all [][]byte }

// NewKeys makes Keys; empty ones don't count.
func NewKeys(keys ...string) Keys {
	var k Keys
	for _, key := range keys {
		if key != "" {
			k.all = append(k.all, []byte(key))
		}
	}
	return k
}

// version leads each path and what is signed, so that a later form can be told apart.
const version = "v1"

// macSize is how many bytes of the HMAC a path carries.
const macSize = 16

// Address is which delivery a callback is about.
type Address struct {
	Destination string
	Shard       int
	Key         []byte // the ledger's
}

// Path is an address's: /v1/destination/shard/key/signature.
func (k Keys) Path(a Address) string {
	encoded := base64.RawURLEncoding.EncodeToString
	return "/" + version + "/" + a.Destination + "/" + strconv.Itoa(a.Shard) + "/" + encoded(a.Key) + "/" + encoded(sign(k.all[0], a))
}

// Parse is Path's inverse, for a path with anything before it; ok is false for
// one that none of the keys has signed.
func (k Keys) Parse(path string) (a Address, ok bool) {
	parts := strings.Split(ours(path), "/")
	if len(parts) != pathParts+1 {
		return Address{}, false
	}
	parts = parts[1:]
	decoded := func(s string) ([]byte, error) { return base64.RawURLEncoding.Strict().DecodeString(s) }
	shard, err1 := strconv.ParseUint(parts[2], 10, 31)
	key, err2 := decoded(parts[3])
	mac, err3 := decoded(parts[4])
	if parts[0] != version || err1 != nil || err2 != nil || err3 != nil || strconv.FormatUint(shard, 10) != parts[2] {
		return Address{}, false
	}
	a = Address{Destination: parts[1], Shard: int(shard), Key: key}
	for _, signedWith := range k.all {
		ok = hmac.Equal(mac, sign(signedWith, a)) || ok
	}
	if !ok {
		return Address{}, false
	}
	return a, true
}

const pathParts = 5

// ours is the end of a path that Path may have made, without what is before it.
func ours(path string) string {
	at := len(path)
	for range pathParts {
		if at = strings.LastIndexByte(path[:at], '/'); at < 0 {
			return ""
		}
	}
	return path[at:]
}

// sign is the first part of the HMAC of an address. Neither a destination's name
// nor a number holds a zero byte, so that no two addresses are the same text.
func sign(key []byte, a Address) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("engage callback " + version + "\x00" + a.Destination + "\x00" + strconv.Itoa(a.Shard) + "\x00"))
	mac.Write(a.Key)
	return mac.Sum(nil)[:macSize]
}
