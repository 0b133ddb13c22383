package callbacks

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

const key1, key2 = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"

func TestPaths(t *testing.T) {
	a := Address{Destination: "onboarding-1", Shard: 11, Key: []byte("welcome-sms\x00m/1+ü")}
	path := NewKeys(key1, "").Path(a)
	if !regexp.MustCompile(`^(/[A-Za-z0-9_-]+){5}$`).MatchString(path) {
		t.Errorf("%s has other characters", path)
	}
	for _, keys := range []Keys{NewKeys(key1), NewKeys(key2, key1)} { // the second after a rotation
		for _, before := range []string{"", "/twilio", "/a/b/c"} {
			got, ok := keys.Parse(before + path)
			if !ok || got.Destination != a.Destination || got.Shard != a.Shard || !bytes.Equal(got.Key, a.Key) {
				t.Errorf("%s became %+v, %v", before+path, got, ok)
			}
		}
	}
	for i := range len(path) {
		for _, c := range []string{"A", "/", "1", ""} {
			forged := path[:i] + c + path[i+1:]
			if got, ok := NewKeys(key1).Parse(forged); ok && forged != path {
				t.Fatalf("%s was taken for %+v", forged, got)
			}
		}
	}
	for _, other := range []string{"", "/", "/v1", strings.Repeat("/", 10), path + "/", path + "A", NewKeys(key2).Path(a)} {
		if got, ok := NewKeys(key1).Parse(other); ok {
			t.Errorf("%s was taken for %+v", other, got)
		}
	}
	if _, ok := NewKeys().Parse(path); ok {
		t.Error("taken without a key")
	}
}

func FuzzParse(f *testing.F) {
	keys := NewKeys(key1)
	f.Add(keys.Path(Address{Destination: "d", Shard: 1, Key: []byte("k")}))
	f.Add("/v1/d/1/aw/AAAA")
	f.Fuzz(func(t *testing.T, path string) {
		a, ok := keys.Parse(path)
		if ok && !strings.HasSuffix(path, keys.Path(a)) {
			t.Errorf("%q was taken for %+v", path, a)
		}
	})
}
