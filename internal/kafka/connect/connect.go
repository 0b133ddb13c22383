// Package connect opens connections to Kafka as the configuration says, and
// says in plain words what went wrong with one.
package connect

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
)

const (
	// defaultClientID is the configuration's, for a client that was made
	// otherwise.
	defaultClientID = "engage-worker"

	// dialTimeout bounds a connection's whole beginning: name, TCP, TLS, login.
	dialTimeout = 5 * time.Second

	// metadataTTL is how old what a pool knows of the cluster gets at most, and how long it
	// waits for an answer about that. It is of all topics' partitions, so that asking takes
	// what they do; where something fails, the pool asks at once.
	metadataTTL = 10 * time.Second

	// callTimeout bounds one administrative request.
	callTimeout = 15 * time.Second
)

// Dialer makes connections for a ConsumerGroup and for Conn.ReadBatch loops.
// It is safe for concurrent use. Errors are the configuration's: files that
// can't be read, a mechanism that isn't known.
func Dialer(cfg config.Kafka) (*kafka.Dialer, error) {
	dial, err := newDialer(cfg)
	if err != nil {
		return nil, err
	}
	return &kafka.Dialer{ClientID: clientIDOf(cfg), Timeout: dialTimeout, DialFunc: dial.dial}, nil
}

// Client is for administrative requests, each bounded to 15 s beside its
// context. Whoever made it calls CloseClient in the end.
func Client(cfg config.Kafka) (*kafka.Client, error) {
	transport, err := NewTransport(cfg)
	if err != nil {
		return nil, err
	}
	return &kafka.Client{
		Addr:      kafka.TCP(cfg.Brokers...),
		Timeout:   callTimeout,
		Transport: transport,
	}, nil
}

// ClientID is the client id of a client that Client made.
func ClientID(c *kafka.Client) string {
	if t, ok := c.Transport.(*Transport); ok {
		return t.ClientID
	}
	return defaultClientID
}

func clientIDOf(cfg config.Kafka) string { return cmp.Or(cfg.ClientID, defaultClientID) }

// CloseClient closes the connections of a client that Client made.
func CloseClient(c *kafka.Client) {
	if t, ok := c.Transport.(*Transport); ok {
		t.CloseIdleConnections()
	}
}

// newDialer reads what the configuration names.
func newDialer(cfg config.Kafka) (dialer, error) {
	tlsConfig, err := tlsConfig(cfg.TLS)
	if err != nil {
		return dialer{}, err
	}
	login, err := newLogin(cfg.SASL, clientIDOf(cfg))
	if err != nil {
		return dialer{}, err
	}
	return dialer{tls: tlsConfig, login: login}, nil
}

// tlsConfig is nil when TLS is off.
func tlsConfig(cfg config.TLS) (*tls.Config, error) {
	if !cfg.Enabled {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka.tls.caFile: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read kafka.tls.caFile: %s holds no PEM certificate", cfg.CAFile)
		}
	}
	if cfg.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read kafka.tls.certFile and keyFile: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}
