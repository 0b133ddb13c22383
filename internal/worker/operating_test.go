package worker

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// operated is a worker's HTTP surface, without Kafka.
func operated(t *testing.T, token string) (http.Handler, *operating, *bytes.Buffer) {
	t.Helper()
	logged := &bytes.Buffer{}
	registry := prometheus.NewRegistry()
	m := metrics.New(registry)
	m.BuildInfo.WithLabelValues("1", "2", "3").Set(1)
	rates := map[string]ratelimit.Config{"us": {Rate: 10, Senders: map[string]ratelimit.SenderRate{"mg1": {Name: "MG1", Rate: 2.5}}}}
	w := &Worker{
		name: "r1", gates: ratelimit.NewGates(rates, ratelimit.Config{}, m, zerolog.Nop()),
		cfg: &config.Config{HTTP: config.HTTP{Token: config.Secret(token)}}, log: zerolog.New(logged), registry: registry,
		client: &kafka.Client{Addr: refusing(t), Timeout: time.Second},
	}
	o := newOperating(w.cfg, w)
	return o.server.Handler, o, logged
}

// refusing is an address that nobody listens at.
func refusing(t *testing.T) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr()
}

func answer(h http.Handler, method, path, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	rw := httptest.NewRecorder()
	h.ServeHTTP(rw, r)
	return rw
}

func TestGuardedPathsNeedTheToken(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	paths := []string{"GET /loglevel", "PUT /loglevel", "GET /debug/skips", "GET /debug/rates", "GET /debug/pprof/", "GET /debug/pprof/heap", "GET /debug/pprof/cmdline", "GET /debug/pprof/symbol"}
	for _, test := range []struct {
		name, token, authorization string
		want                       int
	}{
		{"no token configured", "", "", http.StatusNotFound},
		{"no token configured, one given", "", "Bearer ", http.StatusNotFound},
		{"none given", "open", "", http.StatusUnauthorized},
		{"another", "open", "Bearer opem", http.StatusUnauthorized},
		{"the beginning", "open", "Bearer ope", http.StatusUnauthorized},
		{"empty", "open", "Bearer ", http.StatusUnauthorized},
		{"another scheme", "open", "Basic open", http.StatusUnauthorized},
		{"the token", "open", "Bearer open", http.StatusOK},
	} {
		h, _, _ := operated(t, test.token)
		for _, path := range paths {
			method, path, _ := strings.Cut(path, " ")
			got := answer(h, method, path, test.authorization, "info")
			if got.Code != test.want {
				t.Errorf("%s: %s %s: %d, not %d", test.name, method, path, got.Code, test.want)
			}
			if asked := got.Header().Get("WWW-Authenticate") != ""; asked != (test.want == http.StatusUnauthorized) {
				t.Errorf("%s: %s %s: asks for the token: %v", test.name, method, path, asked)
			}
		}
	}
}

func TestRatesAreShown(t *testing.T) {
	h, _, _ := operated(t, "open")
	const rest = `"home":0,"here":0,"wanted":0,"waiting":0,"lent":[],"borrowed":[],"others":[]}`
	want := `{"replica":"r1","rates":[{"region":"us","slots":10,"span":1.02,` + rest + `,{"region":"us","sender":"MG1","slots":3,"span":1.224,` + rest + `]}`
	var got bytes.Buffer
	if err := json.Compact(&got, answer(h, "GET", "/debug/rates", "Bearer open", "").Body.Bytes()); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(got.String()) != want {
		t.Errorf("shows\n%s\nwant\n%s", got.String(), want)
	}
}

func TestLogLevelChanges(t *testing.T) {
	level := zerolog.GlobalLevel()
	defer zerolog.SetGlobalLevel(level)
	zerolog.SetGlobalLevel(zerolog.ErrorLevel)
	h, _, logged := operated(t, "open")

	if got := answer(h, "PUT", "/loglevel", "Bearer open", "debug\n"); got.Code != http.StatusOK || got.Body.String() != "debug\n" || zerolog.GlobalLevel() != zerolog.DebugLevel {
		t.Errorf("%d %q; the level is %s", got.Code, got.Body, zerolog.GlobalLevel())
	}
	if got := answer(h, "GET", "/loglevel", "Bearer open", ""); got.Body.String() != "debug\n" {
		t.Errorf("it says %q", got.Body)
	}
	if want := `{"level":"info","from":"error","to":"debug","message":"log level changed"}` + "\n"; logged.String() != want {
		t.Errorf("logged %s", logged)
	}
	for _, wrong := range []string{"", "loud", "disabled", "fatal", "5", "-9", strings.Repeat("debug", 100)} {
		if got := answer(h, "PUT", "/loglevel", "Bearer open", wrong); got.Code != http.StatusBadRequest || zerolog.GlobalLevel() != zerolog.DebugLevel {
			t.Errorf("%.10q: %d; the level is %s", wrong, got.Code, zerolog.GlobalLevel())
		}
	}
}

func TestProbesAndMetricsAreOpen(t *testing.T) {
	h, o, _ := operated(t, "open")
	for path, want := range map[string]struct {
		code int
		text string
	}{
		"/healthz": {http.StatusOK, "alive\n"},
		"/metrics": {http.StatusOK, "engage_build_info{"},
		"/readyz":  {http.StatusServiceUnavailable, "kafka doesn't answer"},
		"/":        {http.StatusNotFound, ""},
	} {
		if got := answer(h, "GET", path, "", ""); got.Code != want.code || !strings.Contains(got.Body.String(), want.text) {
			t.Errorf("%s: %d %.200q", path, got.Code, got.Body)
		}
	}
	o.stop()
	if got := answer(h, "GET", "/readyz", "", ""); got.Code != http.StatusServiceUnavailable || got.Body.String() != "shutting down\n" {
		t.Errorf("%d %q", got.Code, got.Body)
	}
}
