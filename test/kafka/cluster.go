package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Cluster is a running Kafka.
type Cluster struct {
	// Nodes are its brokers, empty when somebody else runs them
	// (KAFKA_BROKERS, docker compose): then there is nothing to kill.
	Nodes []*Node

	brokers []string
	secured *secured // nil without Options.Secured
	dir     string
	close   func() error
}

// Run starts a cluster and returns when it takes requests. ctx bounds the
// start, which is a matter of seconds once the jars are there; Close ends it.
func Run(ctx context.Context, opts Options) (*Cluster, error) {
	if brokers := os.Getenv("KAFKA_BROKERS"); brokers != "" {
		return external(ctx, strings.Split(brokers, ","), opts)
	}
	libs, err := jars(ctx)
	if err == nil {
		return runJars(ctx, libs, opts)
	}
	if !errors.Is(err, errNoJava) || !composeAnswers(ctx) {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	return runCompose(ctx, opts)
}

// Brokers are the addresses to bootstrap from, without security.
func (c *Cluster) Brokers() []string { return c.brokers }

// Close ends the cluster and removes what it left. Brokers of somebody else
// go on.
func (c *Cluster) Close() error { return c.close() }

// external uses the brokers that KAFKA_BROKERS names.
func external(ctx context.Context, brokers []string, opts Options) (*Cluster, error) {
	if err := needsOwn(opts); err != nil {
		return nil, fmt.Errorf("use KAFKA_BROKERS: %w", err)
	}
	for i := range brokers {
		brokers[i] = strings.TrimSpace(brokers[i])
	}
	if err := ready(ctx, brokers, 1, func() error { return nil }); err != nil {
		return nil, fmt.Errorf("use KAFKA_BROKERS: %w", err)
	}
	return &Cluster{brokers: brokers, close: func() error { return nil }}, nil
}

// needsOwn refuses options that only brokers of one's own can meet. Others'
// properties are taken as they are.
func needsOwn(opts Options) error {
	if opts.Secured || opts.Brokers > 1 {
		return errors.New("this suite configures its own brokers; unset KAFKA_BROKERS, and install Java 17 and Maven")
	}
	return nil
}

func runJars(ctx context.Context, libs string, opts Options) (cluster *Cluster, err error) {
	c := &Cluster{dir: opts.Dir}
	if c.dir == "" {
		if c.dir, err = os.MkdirTemp("", "engage-kafka-"); err != nil {
			return nil, fmt.Errorf("start Kafka: %w", err)
		}
	}
	c.close = func() (err error) {
		for _, n := range c.Nodes {
			err = errors.Join(err, n.Kill()) // the data goes anyway
		}
		if opts.Dir == "" {
			err = errors.Join(err, os.RemoveAll(c.dir))
		}
		return err
	}
	defer func() {
		if err != nil {
			cluster, err = nil, errors.Join(fmt.Errorf("start Kafka: %w", err), c.close())
		}
	}()
	if opts.Secured {
		if c.secured, err = newSecured(c.dir); err != nil {
			return nil, err
		}
	}
	if err := c.layOut(libs, max(opts.Brokers, 1), opts.Properties); err != nil {
		return nil, err
	}
	errs := make(chan error)
	for _, n := range c.Nodes {
		c.brokers = append(c.brokers, n.addr(plain))
		go func() { errs <- n.format(ctx) }()
	}
	for range c.Nodes {
		err = errors.Join(err, <-errs)
	}
	if err != nil {
		return nil, err
	}
	for _, n := range c.Nodes {
		if err := n.launch(); err != nil {
			return nil, err
		}
	}
	return c, ready(ctx, c.brokers, len(c.Nodes), func() error {
		for _, n := range c.Nodes {
			if err := n.alive(); err != nil {
				return err
			}
		}
		return nil
	})
}

// layOut writes each node's server.properties.
func (c *Cluster) layOut(libs string, brokers int, extra map[string]string) error {
	ports, err := freePorts(brokers * int(listeners))
	if err != nil {
		return err
	}
	for id := range brokers {
		n := &Node{
			ID: id + 1, libs: libs, dir: filepath.Join(c.dir, fmt.Sprintf("broker-%d", id+1)),
			ports: ports[id*int(listeners) : (id+1)*int(listeners)], secured: c.secured,
		}
		c.Nodes = append(c.Nodes, n)
	}
	var voters []string
	for _, n := range c.Nodes {
		voters = append(voters, fmt.Sprintf("%d@%s", n.ID, n.addr(controller)))
	}
	for _, n := range c.Nodes {
		if err := n.configure(voters, extra); err != nil {
			return err
		}
	}
	return nil
}

// freePorts asks the system for n ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // all of them only then, so that they differ
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// ready waits until the cluster knows so many brokers and has a coordinator
// for groups, whose topic Kafka makes only when it is first asked for.
func ready(ctx context.Context, brokers []string, want int, alive func() error) error {
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Transport: &kafka.Transport{MetadataTTL: 100 * time.Millisecond}}
	defer client.Transport.(*kafka.Transport).CloseIdleConnections()
	var last error
	for {
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		last = answers(attempt, client, want)
		cancel()
		if last == nil {
			return nil
		}
		if err := alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("brokers at %s don't answer: %w", strings.Join(brokers, ", "), errors.Join(context.Cause(ctx), last))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, client *kafka.Client, want int) error {
	meta, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return err
	}
	if len(meta.Brokers) < want {
		return fmt.Errorf("%d of %d brokers are up", len(meta.Brokers), want)
	}
	coordinator, err := client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: "ready", KeyType: kafka.CoordinatorKeyTypeConsumer})
	if err != nil {
		return err
	}
	return coordinator.Error
}
