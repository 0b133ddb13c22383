package worker

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/consumer"
	"engage-worker/consumer/delivery"
	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/kafka/topics"
	"engage-worker/internal/metrics"
	"engage-worker/ratelimit"
)

// operating is the operators' HTTP server: probes and metrics for everyone,
// and more for who has the token.
type operating struct {
	address string
	server  *http.Server

	draining atomic.Bool
	mu       sync.Mutex // held while Kafka is asked: who comes meanwhile gets the same answer
	probed   time.Time
	probe    error
	surveyed time.Time
	survey   []string // what is in the way; see topics.Obstacles
}

const (
	// probeAge is how long an answer about Kafka's reachability holds.
	probeAge = 2 * time.Second

	// surveyAge is how long it is believed which topics and rights there are.
	surveyAge = 15 * time.Second

	// unjoined is how many session timeouts a rebalance may take before a
	// replica that was in its group counts as out of it.
	unjoined = 3
)

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
			what := ""
			if s.StandsBy {
				what = ", stands by: the replicas that have them have other actions or settings"
			}
			fmt.Fprintf(rw, "%s: owns %d shards%s\n", g.Config().Destination, s.Owned, what)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.WithFormerNames(w.registry), promhttp.HandlerOpts{EnableOpenMetrics: true}))
	if token := cfg.HTTP.Token.Reveal(); token != "" {
		guarded := http.NewServeMux()
		guarded.HandleFunc("GET /loglevel", func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintln(rw, zerolog.GlobalLevel()) })
		guarded.HandleFunc("PUT /loglevel", setLogLevel(w.log))
		guarded.HandleFunc("GET /debug/skips", func(rw http.ResponseWriter, _ *http.Request) { w.showSkips(rw) })
		guarded.HandleFunc("GET /debug/rates", func(rw http.ResponseWriter, _ *http.Request) { w.showJSON(rw, w.holdings()) })
		guarded.HandleFunc("GET /debug/pprof/", pprof.Index)
		guarded.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		guarded.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		guarded.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		guarded.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
		mux.Handle("/loglevel", withToken(token, guarded))
		mux.Handle("/debug/skips", withToken(token, guarded))
		mux.Handle("/debug/rates", withToken(token, guarded))
		mux.Handle("/debug/pprof/", withToken(token, guarded))
	}
	o.server = &http.Server{
		Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		WriteTimeout: 2 * time.Minute, // a profile takes its time
		ErrorLog:     stdlog.New(serverLog{w.log}, "", 0),
	}
	return o
}

// showSkips writes the last skips of each destination by reason, as JSON.
func (w *Worker) showSkips(rw http.ResponseWriter) {
	all := map[string]map[string][]delivery.Skip{}
	for _, g := range w.groups {
		all[g.Config().Destination] = g.Skips().Last()
	}
	w.showJSON(rw, all)
}

// holdings is who has what of the rates, as far as this replica knows.
func (w *Worker) holdings() any {
	return struct {
		Replica string              `json:"replica"` // as the others call it
		Rates   []ratelimit.Holding `json:"rates"`
	}{w.name, w.gates.Holdings()}
}

func (w *Worker) showJSON(rw http.ResponseWriter, v any) {
	rw.Header().Set("Content-Type", "application/json")
	body := json.NewEncoder(rw)
	body.SetIndent("", "  ")
	if err := body.Encode(v); err != nil {
		w.log.Debug().Err(err).Msg("writing an answer") // whoever asked has gone
	}
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

// serverLog has net/http's own lines among the others.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.Warn().Str("error", strings.TrimSpace(string(line))).Msg("the operators' HTTP server complains")
	return len(line), nil
}

// drain makes the worker unready: it begins nothing new.
func (o *operating) drain() { o.draining.Store(true) }

func (o *operating) stop() {
	o.drain()
	ctx, cancel := context.WithTimeout(context.Background(), drainGrace)
	defer cancel()
	if err := o.server.Shutdown(ctx); err != nil {
		o.server.Close()
	}
}

// ready tells why the worker isn't: it is shutting down, Kafka doesn't answer,
// a topic or a right is missing, or a destination isn't in its consumer group.
// Owning no shard is fine: with more replicas than shards, some wait.
func (o *operating) ready(ctx context.Context, w *Worker) error {
	if o.draining.Load() {
		return errors.New("shutting down")
	}
	if err := o.kafka(ctx, w); err != nil {
		return err
	}
	if err := w.clock.Err(); err != nil {
		return err
	}
	for _, closed := range w.doors.Closed() {
		if closed.Sender.From == "" { // a sender's is no reason to take the others' work away
			return &closed
		}
	}
	for _, g := range w.groups {
		s := g.State()
		if s.Usurper != "" {
			return fmt.Errorf("%s: the ledger %s is written by the group %s, too: %s", g.Config().Destination, g.Config().Topics.Ledger, s.Usurper, consumer.UsurperAdvice)
		}
		if !s.Joined && time.Since(s.Since) > unjoined*g.Config().SessionTimeout {
			return fmt.Errorf("%s: not in the consumer group %s; the log says why", g.Config().Destination, g.Config().GroupID)
		}
	}
	return nil
}

// kafka tells what is wrong with the cluster, the topics or the rights. What
// it finds holds for others, too, so that a caller who hangs up doesn't end
// the search.
func (o *operating) kafka(ctx context.Context, w *Worker) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	if time.Since(o.probed) > probeAge {
		probing, cancel := context.WithTimeout(ctx, probeAge)
		o.probe, o.probed = reach(probing, w.client), time.Now()
		cancel()
	}
	if o.probe != nil {
		return fmt.Errorf("kafka doesn't answer: %s", connect.Explain(o.probe))
	}
	if time.Since(o.surveyed) > surveyAge || len(o.survey) > 0 && time.Since(o.surveyed) > probeAge {
		surveying, cancel := context.WithTimeout(ctx, probeAge)
		// An error is Kafka's trouble just now, and says nothing of rights.
		if found, err := topics.Obstacles(surveying, w.client, topics.Of(w.cfg), topics.Groups(w.cfg)); err == nil {
			o.survey, o.surveyed = found, time.Now()
		}
		cancel()
	}
	if len(o.survey) > 0 {
		return errors.New(strings.Join(o.survey, "\n"))
	}
	return nil
}

// reach asks a broker for something that the client doesn't answer from its
// memory, as it does with metadata. A connection that died unnoticed gets
// another chance.
func reach(ctx context.Context, client *kafka.Client) (err error) {
	for range 2 {
		if _, err = client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}); err == nil {
			return nil
		}
	}
	return err
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
		if err != nil || level < zerolog.TraceLevel || level > zerolog.ErrorLevel {
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
