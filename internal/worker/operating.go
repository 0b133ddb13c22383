package worker

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
)

// operating is the operators' HTTP server: probes and metrics for everyone,
// and more for who has the token.
type operating struct {
	address string
	server  *http.Server

	mu      sync.Mutex
	probed  time.Time
	probe   error
	closing bool
}

// probeAge is how long an answer about Kafka's reachability holds.
const probeAge = 2 * time.Second

func newOperating(cfg *config.Config, w *Worker) *operating {
	o := &operating{address: cfg.HTTP.Listen}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "alive\n") })
	mux.HandleFunc("GET /readyz", func(rw http.ResponseWriter, r *http.Request) {
		if err := o.ready(r.Context(), w); err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		for _, g := range w.groups {
			s := g.State()
			fmt.Fprintf(rw, "%s: owns %d shards\n", g.Destination, s.Owned)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	if token := cfg.HTTP.Token.Reveal(); token != "" {
		guarded := http.NewServeMux()
		guarded.HandleFunc("GET /loglevel", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintln(rw, zerolog.GlobalLevel()) })
		guarded.HandleFunc("PUT /loglevel", setLogLevel(w.log))
		guarded.HandleFunc("GET /debug/pprof/", pprof.Index)
		guarded.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		guarded.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		guarded.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		guarded.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.Handle("/loglevel", withToken(token, guarded))
		mux.Handle("/debug/pprof/", withToken(token, guarded))
	}
	o.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	return o
}

// listen opens the address; "" means none.
func (o *operating) listen() (net.Listener, error) {
	if o.address == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", o.address)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	return l, nil
}

// serve serves until stop.
func (o *operating) serve(l net.Listener) error {
	if l == nil {
		return nil
	}
	if err := o.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve probes and metrics: %w", err)
	}
	return nil
}

func (o *operating) stop() {
	o.mu.Lock()
	o.closing = true
	o.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), drainGrace)
	defer cancel()
	if err := o.server.Shutdown(ctx); err != nil {
		o.server.Close()
	}
}

// ready tells why the worker isn't: Kafka doesn't answer. Owning no shard is
// fine: with more replicas than shards, some wait.
func (o *operating) ready(ctx context.Context, w *Worker) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return errors.New("shutting down")
	}
	if time.Since(o.probed) > probeAge {
		ctx, cancel := context.WithTimeout(ctx, probeAge)
		defer cancel()
		_, err := w.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{w.cfg.Kafka.Topic}})
		o.probe, o.probed = err, time.Now()
	}
	if o.probe != nil {
		return fmt.Errorf("kafka doesn't answer: %w", o.probe)
	}
	return nil
}

// withToken lets requests through that bear the token.
func withToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || subtle.ConstantTimeCompare([]byte(got), []byte(token)) != 1 {
			rw.Header().Set("WWW-Authenticate", `Bearer realm="engage-worker"`)
			http.Error(rw, "this needs the bearer token of http.token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// setLogLevel changes the process's log level to the body's.
func setLogLevel(log zerolog.Logger) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, 64))
		if err != nil {
			http.Error(rw, "the body is a level and nothing else", http.StatusBadRequest)
			return
		}
		level, err := zerolog.ParseLevel(strings.TrimSpace(string(body)))
		if err != nil || level == zerolog.NoLevel {
			http.Error(rw, "a level is one of trace, debug, info, warn, error", http.StatusBadRequest)
			return
		}
		ChangeLogLevel(log, level)
		fmt.Fprintln(rw, level)
	}
}

// ChangeLogLevel changes the process's log level, and says so.
func ChangeLogLevel(log zerolog.Logger, level zerolog.Level) {
	before := zerolog.GlobalLevel()
	zerolog.SetGlobalLevel(min(level, before, zerolog.InfoLevel)) // or the line itself would be lost
	log.Info().Stringer("from", before).Stringer("to", level).Msg("log level changed")
	zerolog.SetGlobalLevel(level)
}
