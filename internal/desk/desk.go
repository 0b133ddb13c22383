package desk

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"engage-worker/internal/config"
	"engage-worker/internal/desk/fleet"
	"engage-worker/internal/desk/guard"
	"engage-worker/internal/desk/pages"
	"engage-worker/internal/desk/replays"
	"engage-worker/internal/desk/site"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/desk/traces"
	"engage-worker/internal/letters"
	"engage-worker/internal/preview"
	"engage-worker/internal/trace"
)

// Options are what a desk is made of.
type Options struct {
	Config   *config.Config
	ReadOnly bool   // nothing is replayed, dismissed or opened again
	Unmask   bool   // numbers and mail are shown whole
	Who      string // who runs the process: the name of those who need no sign-in
	Version  string
	Log      zerolog.Logger
}

// What the server takes at a time, and for how long.
const (
	mostConnections = 256
	mostStreams     = 64 // of /events

	headerBytes = 32 << 10
	formBytes   = 64 << 10

	drainTime = 10 * time.Second
)

// Desk is a server of pages. Make it with New, Serve once, and Close it in the end.
type Desk struct {
	o       Options
	letters *letters.Desk
	store   *store.Store
	replays *replays.Manager
	fleet   *fleet.Fleet
	preview *preview.Previewer
	traces  *traces.Traces
	pages   *pages.Pages
	site    *site.Site
	guard   *guard.Guard

	streams *semaphore.Weighted
	closing chan struct{} // closed when streams are to end
}

// New prepares a desk and connects to nothing. The error is the configuration's.
func New(o Options) (*Desk, error) {
	d := &Desk{
		o: o, fleet: fleet.New(fleet.Config{Addresses: o.Config.Desk.Workers}),
		streams: semaphore.NewWeighted(mostStreams), closing: make(chan struct{}),
	}
	var err error
	if d.site, err = site.New(); err != nil {
		return nil, err
	}
	if d.letters, err = letters.Open(o.Config); err != nil {
		return nil, err
	}
	if d.preview, err = preview.New(o.Config); err != nil {
		d.letters.Close()
		return nil, err
	}
	planner, err := d.letters.Planner()
	if err != nil {
		d.letters.Close()
		d.preview.Close()
		return nil, err
	}
	var destinations []store.Destination
	for _, to := range o.Config.Destinations {
		destinations = append(destinations, store.Destination{
			Name: to.Name, FormerNames: to.FormerNames, Ledger: o.Config.LedgerTopic(to.Name), Status: o.Config.StatusTopic(to.Name),
		})
	}
	d.store = store.New(store.Config{
		Cluster: d.letters.Cluster, DeadLetters: d.letters.Reader.Topic, Destinations: destinations, Present: d.letters.PresentName, Log: o.Log,
	})
	d.replays = replays.New(replays.Config{Planner: planner, OpenAudit: d.letters.OpenAudit, Store: d.store, Explain: d.letters.Explain})
	d.traces = traces.New(func() *trace.Collector {
		return &trace.Collector{Cluster: d.letters.Cluster, Source: o.Config.Kafka.Topic, DeadLetters: d.letters.Reader.Topic, Destinations: d.preview.Traced()}
	})
	d.pages = pages.New(pages.Parts{
		Config: o.Config, Unmask: o.Unmask, Log: o.Log,
		Letters: d.letters, Store: d.store, Replays: d.replays, Fleet: d.fleet, Preview: d.preview, Traces: d.traces,
	})
	return d, nil
}

// Close stops the replays, and gives up the connections. Serve has returned.
func (d *Desk) Close() {
	d.replays.Close()
	d.traces.Close()
	d.preview.Close()
	d.letters.Close()
}

// Serve reads the topics and serves, until ctx ends, which is no error: what is
// being answered then has a while to end.
func (d *Desk) Serve(ctx context.Context, listener net.Listener) error {
	address := listener.Addr().String()
	local := config.OnLoopback(address)
	if !local && d.o.Config.Desk.Token == "" {
		return errors.New("a listener beyond loopback needs desk.token: `openssl rand -base64 32` makes one; or listen on 127.0.0.1:8082")
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("desk.listen: %w", err)
	}
	d.guard = guard.New(guard.Config{
		Token: d.o.Config.Desk.Token.Reveal(), Who: d.o.Who, Loopback: local, Cookie: "engage-desk-" + port, Log: d.o.Log, Refuse: d.refuse,
	})
	server := &http.Server{
		Handler: d.routes(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: pages.Time, WriteTimeout: 2 * pages.Time, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: headerBytes, ErrorLog: stdlog.New(serverLog{d.o.Log}, "", 0),
	}
	// Registered, and not after Shutdown: that waits for the streams to end.
	server.RegisterOnShutdown(func() { close(d.closing) })

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return untilEnd(ctx, d.store.Run) })
	group.Go(func() error { return untilEnd(ctx, d.fleet.Run) })
	group.Go(func() error {
		limited := netutil.LimitListener(listener, mostConnections)
		var err error
		if tls := d.o.Config.Desk.TLS; tls.CertFile != "" {
			err = server.ServeTLS(limited, tls.CertFile, tls.KeyFile)
		} else {
			err = server.Serve(limited)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve the desk: %w", err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		if err := server.Shutdown(stopping); err != nil {
			return errors.Join(fmt.Errorf("stop serving the desk: %w", err), server.Close())
		}
		return nil
	})
	return group.Wait()
}

// untilEnd runs what goes on until ctx ends: that it has ended then is no error.
func untilEnd(ctx context.Context, run func(context.Context) error) error {
	if err := run(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// serverLog has net/http's own lines among the others.
type serverLog struct{ log zerolog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	l.log.Debug().Msg(strings.TrimSpace(string(line)))
	return len(line), nil
}
