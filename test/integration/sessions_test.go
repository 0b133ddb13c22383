package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"engage-worker/internal/config"
	testkafka "engage-worker/test/kafka"
)

// tokens is a token endpoint on loopback, whose tokens last so long.
func tokens(t *testing.T, lasts time.Duration) (address string, issued *atomic.Int64) {
	t.Helper()
	issued = new(atomic.Int64)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if id, secret, _ := r.BasicAuth(); id != "worker" || secret != "right" || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":"invalid_client"}`)
			return
		}
		issued.Add(1)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"access_token": testkafka.Token(testkafka.Username, time.Now(), lasts), "token_type": "bearer", "expires_in": int(lasts.Seconds()),
		})
	}))
	t.Cleanup(server.Close)
	return server.URL, issued
}

// TestLoginByToken: OAUTHBEARER with client credentials, with a file, and what
// is said of each thing that can be wrong.
func TestLoginByToken(t *testing.T) {
	if !onKafka() {
		t.Skip("the embedded broker knows no OAUTHBEARER")
	}
	own := testkafka.Start(t, testkafka.Options{Secured: true})
	address, _ := tokens(t, time.Hour)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(testkafka.Token(testkafka.Username, time.Now(), time.Hour))
	byFile := "  sasl: {mechanism: oauthbearer, tokenFile: " + file + "}\n"
	byEndpoint := "  sasl: {mechanism: OAUTHBEARER, tokenUrl: \"" + address + "\", clientId: worker, clientSecret: right, scopes: [kafka], extensions: {logicalCluster: lkc-1}}\n"
	for name, security := range map[string]string{"endpoint": byEndpoint, "file": byFile, "endpoint over TLS": byEndpoint + "  tls: {enabled: true, caFile: " + own.CAFile() + "}\n"} {
		t.Run(name, func(t *testing.T) {
			brokers := own.SASLBrokers()
			if strings.Contains(security, "tls") {
				brokers = own.SASLTLSBrokers()
			}
			r := newRig(t, settings{brokers: brokers, kafka: security, partitions: 2})
			r.start()
			r.produce(people(10, "")...)
			r.awaitDone(30 * time.Second)
			r.onceEach(10)
		})
	}
	for name, wrong := range map[string]struct {
		change func(*config.SASL)
		want   string
	}{
		"secret": {func(s *config.SASL) { s.ClientSecret = "wrong" },
			"wasn't logged in to by oauthbearer: there is no token: " + address + " answers 401 Unauthorized (invalid_client): check kafka.sasl.tokenUrl, clientId and clientSecret, or tokenFile"},
		"token": {func(s *config.SASL) {
			write(testkafka.Token(testkafka.Username, time.Now().Add(-2*time.Hour), time.Hour))
			*s = config.SASL{Mechanism: config.SASLOAuthBearer, TokenFile: file}
		}, "refused the login by oauthbearer ({\"status\":\"invalid_token\"}): check kafka.sasl.clientId, scopes and extensions (or tokenFile), and that the broker trusts who issues the tokens"},
		"mechanism": {func(s *config.SASL) {
			*s = config.SASL{Mechanism: config.SASLPlain, Username: testkafka.Username, Password: "wrong"}
		},
			"refused the login by plain (Authentication failed: Invalid username or password): check kafka.sasl.username, password and mechanism"},
	} {
		t.Run("wrong "+name, func(t *testing.T) {
			r := newRig(t, settings{brokers: own.SASLBrokers(), kafka: byEndpoint, partitions: 1})
			wrong.change(&r.cfg.Kafka.SASL)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := runWorker(ctx, r)
			if want := "Kafka at " + own.SASLBrokers()[0] + " " + wrong.want; err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// sessionsTested is how long TestSessionsExpire runs: several sessions.
const sessionsTested = 25 * time.Second

// TestSessionsExpire: sessions of 6 s, by connections.max.reauth.ms or by the
// tokens' own time, end without a rebalance, without a failed commit, and
// without anything that waits for them.
func TestSessionsExpire(t *testing.T) {
	if !onKafka() {
		t.Skip("internal/kafka/connect tests it on the embedded broker")
	}
	own := testkafka.Start(t, testkafka.Options{Secured: true, Properties: map[string]string{"connections.max.reauth.ms": "6000"}})
	address, issued := tokens(t, 6*time.Second)
	for name, security := range map[string]string{
		"scram":  fmt.Sprintf("  sasl: {mechanism: SCRAM-SHA-512, username: %s, password: %s}\n", testkafka.Username, testkafka.Password),
		"tokens": "  sasl: {mechanism: oauthbearer, tokenUrl: \"" + address + "\", clientId: worker, clientSecret: right}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, settings{brokers: own.SASLBrokers(), kafka: security, partitions: 3})
			w := r.start()
			rebalances := func() float64 { return value(t, w.Registry(), "engage_rebalances_total", nil) }
			r.await(20*time.Second, func() error {
				if owned := w.Groups()[0].State().Owned; owned != 3 {
					return fmt.Errorf("%d shards owned", owned)
				}
				return nil
			})
			r.produce(person(0, "")) // behind what a topic's first seconds bring
			r.awaitDone(20 * time.Second)
			before, said := rebalances(), len(r.logs.all())
			n := 1
			for end := time.Now().Add(sessionsTested); time.Now().Before(end); n++ {
				r.produce(person(n, ""))
				time.Sleep(100 * time.Millisecond)
			}
			r.awaitDone(10 * time.Second)
			r.onceEach(n)
			if more := rebalances() - before; more != 0 {
				t.Errorf("%v rebalances", more)
			}
			if failed := value(t, w.Registry(), "engage_commits_total", map[string]string{"result": "failed"}); failed != 0 {
				t.Errorf("%v commits failed", failed)
			}
			if ok := value(t, w.Registry(), "engage_commits_total", map[string]string{"result": "ok"}); ok == 0 {
				t.Error("there were no commits")
			}
			if text := r.logs.all()[said:]; strings.Contains(text, `"level":"warn"`) || strings.Contains(text, `"level":"error"`) {
				t.Errorf("the log warns:\n%s", text)
			}
			t.Logf("%d events over %v, %v commits, %d tokens", n, sessionsTested,
				value(t, w.Registry(), "engage_commits_total", map[string]string{"result": "ok"}), issued.Load())
		})
	}
}
