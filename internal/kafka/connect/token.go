package connect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/segmentio/kafka-go/sasl"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"engage-worker/internal/config"
)

// bearer is SASL's OAUTHBEARER (RFC 7628): the login is a token. It is safe for
// concurrent use.
type bearer struct {
	token      func(context.Context) (string, error)
	extensions map[string]string
}

// oauthBearer takes tokens from a file, which is read at each login, or from
// a token endpoint.
func oauthBearer(cfg config.SASL) sasl.Mechanism {
	if cfg.TokenFile != "" {
		return &bearer{token: fileToken(cfg.TokenFile), extensions: cfg.Extensions}
	}
	grant := &clientcredentials.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret.Reveal(), TokenURL: cfg.TokenURL, Scopes: cfg.Scopes,
	}
	client := &http.Client{
		Timeout:       dialTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	kept := &keptToken{fetch: func(ctx context.Context) (string, time.Time, error) {
		token, err := grant.Token(context.WithValue(ctx, oauth2.HTTPClient, client))
		if err != nil {
			return "", time.Time{}, tokenError(cfg.TokenURL, err)
		}
		return token.AccessToken, token.Expiry, nil
	}}
	return &bearer{token: kept.get, extensions: cfg.Extensions}
}

// tokenError leaves out the endpoint's answer, which may say anything.
func tokenError(url string, err error) error {
	if answer := (*oauth2.RetrieveError)(nil); errors.As(err, &answer) {
		what := answer.ErrorCode
		if what == "" {
			what = "no OAuth error"
		}
		return fmt.Errorf("%s answers %s (%s)", url, answer.Response.Status, what)
	}
	return err
}

func fileToken(path string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("read kafka.sasl.tokenFile: %w", err)
		}
		token := strings.TrimSpace(string(text))
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", fmt.Errorf("read kafka.sasl.tokenFile: %s holds no token", path)
		}
		return token, nil
	}
}

// mskIAM signs tokens for Amazon MSK with the credentials that the AWS SDK
// finds, which it looks for at the first login.
func mskIAM(region string) sasl.Mechanism {
	var mu sync.Mutex
	var found aws.CredentialsProvider
	credentials := func(ctx context.Context) (aws.CredentialsProvider, error) {
		mu.Lock()
		defer mu.Unlock()
		if found == nil {
			cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
			if err != nil {
				return nil, err
			}
			found = cfg.Credentials // which keeps and renews them
		}
		return found, nil
	}
	kept := &keptToken{fetch: func(ctx context.Context) (string, time.Time, error) {
		provider, err := credentials(ctx)
		if err != nil {
			return "", time.Time{}, err
		}
		token, expires, err := signer.GenerateAuthTokenFromCredentialsProvider(ctx, region, provider)
		return token, time.UnixMilli(expires), err
	}}
	return &bearer{token: kept.get}
}

// keptToken fetches tokens and keeps one for half of its time.
type keptToken struct {
	fetch func(context.Context) (token string, expires time.Time, err error)

	mu      sync.Mutex // held while fetching: who comes meanwhile gets the same
	token   string
	renew   time.Time // when another is fetched
	expires time.Time
}

// tokenRenewal is the part of a token's time after which another is fetched.
// A session that lasts as long as its token is renewed at sessionRenewal of
// what the token had left: by then there is another, also where the endpoint
// tells the time in whole seconds.
const tokenRenewal = 0.5

func (k *keptToken) get(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if now.Before(k.renew) {
		return k.token, nil
	}
	token, expires, err := k.fetch(ctx)
	switch {
	case err != nil && now.Before(k.expires): // the endpoint may be back by then
		return k.token, nil
	case err != nil:
		return "", err
	}
	// One that doesn't tell its time is fetched anew at each login.
	k.token, k.expires = token, expires
	k.renew = now.Add(time.Duration(tokenRenewal * float64(expires.Sub(now))))
	if expires.IsZero() {
		k.renew = time.Time{}
	}
	return token, nil
}

// Name is of sasl.Mechanism.
func (b *bearer) Name() string { return "OAUTHBEARER" }

// Start is of sasl.Mechanism.
func (b *bearer) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	token, err := b.token(ctx)
	if err != nil {
		return nil, nil, err
	}
	said := "n,,\x01auth=Bearer " + token + "\x01"
	for _, name := range slices.Sorted(maps.Keys(b.extensions)) {
		said += name + "=" + b.extensions[name] + "\x01"
	}
	return bearerState{}, []byte(said + "\x01"), nil
}

// bearerState is a login under way.
type bearerState struct{}

// Next is of sasl.StateMachine. An answer that isn't empty says why the token
// is refused; the refusal itself comes once we have acknowledged that.
func (bearerState) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	if len(challenge) == 0 {
		return true, nil, nil
	}
	return false, []byte{1}, nil
}
