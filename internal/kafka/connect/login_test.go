package connect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"engage-worker/internal/config"
)

func TestBearerSaysItsTokenAndExtensions(t *testing.T) {
	b := &bearer{
		token:      func(context.Context) (string, error) { return "abc.def", nil },
		extensions: map[string]string{"logicalCluster": "lkc-1", "identityPoolId": "pool-2"},
	}
	state, said, err := b.Start(t.Context())
	if err != nil || b.Name() != "OAUTHBEARER" {
		t.Fatal(b.Name(), err)
	}
	if want := "n,,\x01auth=Bearer abc.def\x01identityPoolId=pool-2\x01logicalCluster=lkc-1\x01\x01"; string(said) != want {
		t.Errorf("said %q, want %q", said, want)
	}
	if done, next, err := state.Next(t.Context(), nil); !done || next != nil || err != nil {
		t.Errorf("an empty answer: %v, %q, %v", done, next, err)
	}
	if done, next, err := state.Next(t.Context(), []byte(`{"status":"invalid_token"}`)); done || string(next) != "\x01" || err != nil {
		t.Errorf("a refusal: %v, %q, %v", done, next, err)
	}
}

// issuer is a token endpoint that counts its tokens.
func issuer(t *testing.T) (address string, forms *[]url.Values) {
	t.Helper()
	forms = &[]url.Values{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if user != "worker" || password != "s%26cret" { // RFC 6749, 2.3.1: encoded before
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"hunter2"}`))
			return
		}
		_ = r.ParseForm()
		*forms = append(*forms, r.PostForm)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"t1","token_type":"bearer","expires_in":3600}`))
	}))
	t.Cleanup(server.Close)
	return server.URL, forms
}

func TestClientCredentials(t *testing.T) {
	address, forms := issuer(t)
	cfg := config.SASL{TokenURL: address, ClientID: "worker", ClientSecret: "s&cret", Scopes: []string{"kafka", "events"}}
	m := oauthBearer(cfg).(*bearer)
	for range 3 {
		if token, err := m.token(t.Context()); token != "t1" || err != nil {
			t.Fatal(token, err)
		}
	}
	if want := []url.Values{{"grant_type": {"client_credentials"}, "scope": {"kafka events"}}}; !reflect.DeepEqual(*forms, want) {
		t.Errorf("asked for %v, want %v", *forms, want)
	}
	cfg.ClientSecret = "wrong"
	_, err := oauthBearer(cfg).(*bearer).token(t.Context())
	if want := address + " answers 401 Unauthorized (invalid_client)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTokenFileIsReadAtEachLogin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	m := oauthBearer(config.SASL{TokenFile: path}).(*bearer)
	for _, test := range []struct{ text, token, err string }{
		{"first\n", "first", ""},
		{"second", "second", ""},
		{" \n", "", "read kafka.sasl.tokenFile: " + path + " holds no token"},
		{"two lines\nof it", "", "read kafka.sasl.tokenFile: " + path + " holds no token"},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		token, err := m.token(t.Context())
		if token != test.token || (err == nil) != (test.err == "") || err != nil && err.Error() != test.err {
			t.Errorf("%q: %q, %v", test.text, token, err)
		}
	}
}

// A token is fetched anew after half of its time; while the endpoint
// is away the old one serves as long as it holds.
func TestTokensAreKeptAndRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, away := 0, false
		k := &keptToken{fetch: func(context.Context) (string, time.Time, error) {
			if away {
				return "", time.Time{}, errors.New("away")
			}
			n++
			return strings.Repeat("t", n), time.Now().Add(100 * time.Second), nil
		}}
		start := time.Now()
		for _, step := range []struct {
			at    time.Duration
			away  bool
			token string
			err   bool
		}{
			{0, false, "t", false}, {49 * time.Second, false, "t", false}, {50 * time.Second, true, "t", false}, {99 * time.Second, true, "t", false},
			{100 * time.Second, true, "", true}, {101 * time.Second, false, "tt", false}, {150 * time.Second, false, "tt", false}, {151 * time.Second, false, "ttt", false},
		} {
			time.Sleep(time.Until(start.Add(step.at)))
			away = step.away
			if token, err := k.get(t.Context()); token != step.token || (err != nil) != step.err {
				t.Errorf("at %v: %q, %v", step.at, token, err)
			}
		}
	})
}

// TestMSKToken holds the token to what AWS documents: a presigned URL of
// kafka-cluster:Connect, signed by Signature Version 4, in base64.
func TestMSKToken(t *testing.T) {
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	const secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00:00 UTC
		m := mskIAM("eu-west-1").(*bearer)
		token, err := m.token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		text, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if agent := q.Get("User-Agent"); !strings.HasPrefix(agent, "aws-msk-iam-sasl-signer-go/") {
			t.Errorf("the agent is %q", agent)
		}
		q.Del("User-Agent") // added after the signature, which it isn't part of
		signed := "Action=kafka-cluster%3AConnect&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20000101%2Feu-west-1%2Fkafka-cluster%2Faws4_request" +
			"&X-Amz-Date=20000101T000000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host"
		signature := signatureV4(secret, signed)
		if want := "https://kafka.eu-west-1.amazonaws.com/?" + signed + "&X-Amz-Signature=" + signature; u.Scheme+"://"+u.Host+u.Path+"?"+encoded(q) != want {
			t.Errorf("got  %s\nwant %s", u.Scheme+"://"+u.Host+u.Path+"?"+encoded(q), want)
		}
		// As computed once by another implementation of the same.
		if want := knownSignature; signature != want {
			t.Errorf("the signature is %s, want %s", signature, want)
		}
		if again, err := m.token(t.Context()); again != token || err != nil {
			t.Errorf("another token within its time: %v", err)
		}
		time.Sleep(13 * time.Minute)
		if again, err := m.token(t.Context()); again == token || err != nil {
			t.Errorf("the same token at the end of its time: %v", err)
		}
	})
}

const knownSignature = "490759e66ee912e60f83ae332c4c67ffdc77b9a531c072d6ac8ba3bfce59bbff"

// encoded has the signature last, as it was added.
func encoded(q url.Values) string {
	signature := q.Get("X-Amz-Signature")
	q.Del("X-Amz-Signature")
	return q.Encode() + "&X-Amz-Signature=" + signature
}

// signatureV4 signs a GET of the host's root with this query (AWS's general
// reference, "Create a signed request").
func signatureV4(secret, query string) string {
	hash := func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }
	sign := func(key []byte, s string) []byte {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(s))
		return mac.Sum(nil)
	}
	canonical := "GET\n/\n" + query + "\nhost:kafka.eu-west-1.amazonaws.com\n\nhost\n" + hash("")
	what := "AWS4-HMAC-SHA256\n20000101T000000Z\n20000101/eu-west-1/kafka-cluster/aws4_request\n" + hash(canonical)
	key := []byte("AWS4" + secret)
	for _, part := range []string{"20000101", "eu-west-1", "kafka-cluster", "aws4_request"} {
		key = sign(key, part)
	}
	return hex.EncodeToString(sign(key, what))
}
