package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"engage-worker/internal/kafka/records"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/port"
	testkafka "engage-worker/test/kafka"
)

// broker is a Kafka whose every advertised address is a proxy's, so that the
// network between it and the replicas can be broken. The harness itself goes
// past the proxies.
type broker struct {
	fake *embedded.Broker   // or
	real *testkafka.Cluster // Apache Kafka

	mu      sync.Mutex
	proxies map[string]*proxy     // by their address
	ports   map[string]*port.Port // likewise; a node keeps its own while it is away
	client  *kafka.Client
	cluster *records.Cluster
	cleanup func() error
}

func newBroker() *broker {
	return &broker{proxies: map[string]*proxy{}, ports: map[string]*port.Port{}}
}

// front opens a proxy at an address that had one before, or at another.
func (b *broker) front(addr string, target func() (string, error)) (*proxy, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.ports[addr]
	if at == nil {
		var err error
		if at, err = port.Hold(); err != nil {
			return nil, err
		}
		b.ports[at.Addr().String()] = at
	}
	p, err := newProxy(at, target)
	if err == nil {
		b.proxies[p.addr] = p
	}
	return p, err
}

// startEmbedded starts an embedded broker of so many nodes, which keeps its
// data in dir.
func startEmbedded(dir string, nodes int) (*broker, error) {
	b := newBroker()
	fake, err := embedded.Start(kfake.NumBrokers(nodes), kfake.ListenFn(b.listen), kfake.DataDir(dir))
	if err != nil {
		return nil, err
	}
	b.fake = fake
	b.cleanup = func() error {
		fake.Close()
		return nil
	}
	b.connect()
	return b, nil
}

// listen opens an embedded node's port behind a proxy.
func (b *broker) listen(network, addr string) (net.Listener, error) {
	behind, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p, err := b.front(addr, fixed(behind.Addr().String()))
	if err != nil {
		return nil, errors.Join(err, behind.Close())
	}
	return &proxied{behind, p, b}, nil
}

// proxied is a listener that says that it is its proxy.
type proxied struct {
	net.Listener
	proxy  *proxy
	broker *broker
}

func (l *proxied) Addr() net.Addr { return l.proxy.port.Addr() }

// Close ends a node: its connections break and its port is closed.
func (l *proxied) Close() error {
	l.broker.mu.Lock()
	if l.broker.proxies[l.proxy.addr] == l.proxy {
		delete(l.broker.proxies, l.proxy.addr)
	}
	l.broker.mu.Unlock()
	return errors.Join(l.Listener.Close(), l.proxy.Close())
}

// startKafka starts Apache Kafka: one node behind a proxy, or several without.
func startKafka(ctx context.Context, dir string, nodes int) (*broker, error) {
	b := newBroker()
	opts := testkafka.Options{Brokers: nodes, Dir: dir, Properties: map[string]string{}}
	if nodes == 1 {
		front, err := b.front("", func() (string, error) { return plainListener(filepath.Join(dir, "broker-1", "server.properties")) })
		if err != nil {
			return nil, err
		}
		opts.Properties["advertised.listeners"] = "PLAINTEXT://" + front.addr
	}
	cluster, err := testkafka.Run(ctx, opts)
	if err != nil {
		return nil, errors.Join(err, b.closeProxies())
	}
	b.real, b.cleanup = cluster, cluster.Close
	b.connect()
	return b, nil
}

// plainListener reads where a node of Apache Kafka listens.
func plainListener(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if list, ok := strings.CutPrefix(strings.TrimSpace(line), "listeners="); ok {
			first, _, _ := strings.Cut(list, ",")
			if addr, ok := strings.CutPrefix(first, "PLAINTEXT://"); ok {
				return addr, nil
			}
		}
	}
	return "", fmt.Errorf("%s names no plain listener", path)
}

// connect makes the harness's own client.
func (b *broker) connect() {
	if b.cluster != nil {
		b.cluster.Close()
	}
	transport := &kafka.Transport{Dial: b.dial, MetadataTTL: time.Second}
	b.client = &kafka.Client{Addr: kafka.TCP(b.bootstrap()...), Transport: transport, Timeout: 20 * time.Second}
	b.cluster = records.NewCluster(b.client, records.Options{})
}

// dial connects past the proxies.
func (b *broker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	b.mu.Lock()
	p := b.proxies[addr]
	b.mu.Unlock()
	if p != nil {
		var err error
		if addr, err = p.target(); err != nil {
			return nil, err
		}
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// bootstrap are the addresses that replicas begin with.
func (b *broker) bootstrap() []string {
	switch {
	case b.fake != nil:
		return b.fake.Brokers()
	case len(b.real.Nodes) == 1:
		for addr := range b.proxies {
			return []string{addr}
		}
	}
	return b.real.Brokers()
}

// network does something to every proxy.
func (b *broker) network(do func(*proxy)) {
	b.mu.Lock()
	var all []*proxy
	for _, p := range b.proxies {
		all = append(all, p)
	}
	b.mu.Unlock()
	for _, p := range all {
		do(p)
	}
}

// Close ends the broker, its proxies and the client.
func (b *broker) Close() error {
	b.cluster.Close()
	b.client.Transport.(*kafka.Transport).CloseIdleConnections()
	return errors.Join(b.cleanup(), b.closeProxies())
}

func (b *broker) closeProxies() (err error) {
	b.network(func(p *proxy) { err = errors.Join(err, p.Close()) })
	for _, p := range b.ports {
		p.Close()
	}
	return err
}
