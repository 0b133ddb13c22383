package connect_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/sim/embedded"
	"engage-worker/internal/sim/port"
)

// authority issues certificates for the test and keeps them in files.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	var der []byte
	der, a.key = sign(t, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	a.cert, _ = x509.ParseCertificate(der)
	a.file = pemFile(t, "CERTIFICATE", der)
	return a
}

// issue is a certificate for a host, as a pair and as files.
func (a *authority) issue(host string) (pair tls.Certificate, certFile, keyFile string) {
	template := &x509.Certificate{
		DNSNames:    []string{host},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.DNSNames, template.IPAddresses = nil, []net.IP{ip}
	}
	der, key := sign(a.t, template, a.cert, a.key)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pemFile(a.t, "CERTIFICATE", der), pemFile(a.t, "PRIVATE KEY", keyDER)
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func sign(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

func pemFile(t *testing.T, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// explainBoth connects by a Client and by a Dialer; "" when that worked. Both
// must say the same of the broker.
func explainBoth(t *testing.T, cfg config.Kafka) (byClient, byDialer string) {
	t.Helper()
	_, err := client(t, cfg).Metadata(brief(t), &kafka.MetadataRequest{})
	byClient = connect.Explain(err)

	dialer, err := connect.Dialer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := dialer.DialContext(brief(t), "tcp", cfg.Brokers[0])
	if err == nil {
		defer conn.Close()
		_, err = conn.Brokers()
	}
	return byClient, connect.Explain(err)
}

func TestLogin(t *testing.T) {
	for _, mechanism := range []config.SASLMechanism{config.SASLPlain, config.SASLScramSHA256, config.SASLScramSHA512} {
		t.Run(string(mechanism), func(t *testing.T) {
			b := broker(t, kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(string(mechanism)), "worker", "right"))
			cfg := config.Kafka{Brokers: b.Brokers(), SASL: config.SASL{Mechanism: mechanism, Username: "worker", Password: "right"}}
			byClient, byDialer := explainBoth(t, cfg)
			equal(t, []string{byClient, byDialer}, []string{"", ""})

			refuse(b, kmsg.SASLAuthenticate, kerr.SaslAuthenticationFailed)
			cfg.SASL.Password = "wrong"
			byClient, byDialer = explainBoth(t, cfg)
			refused := "Kafka at " + b.Brokers()[0] + " refused the login by " + string(mechanism) + ": check kafka.sasl.username, password and mechanism"
			equal(t, []string{byClient, byDialer}, []string{refused, refused})
		})
	}
}

// refuse answers the requests of a key with an error, as Apache Kafka does
// with a login; the embedded broker only closes the connection.
func refuse(b *embedded.Broker, key kmsg.Key, answer *kerr.Error) {
	b.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		switch res := req.ResponseKind().(type) {
		case *kmsg.SASLAuthenticateResponse:
			res.ErrorCode = answer.Code
			return res, nil, true
		case *kmsg.SASLHandshakeResponse:
			res.ErrorCode, res.SupportedMechanisms = answer.Code, []string{"PLAIN", "OAUTHBEARER"}
			return res, nil, true
		default:
			return nil, nil, false
		}
	})
}

func TestLoginThatTheBrokerDoesNotOffer(t *testing.T) {
	b := broker(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "worker", "right"))
	refuse(b, kmsg.SASLHandshake, kerr.UnsupportedSaslMechanism)
	cfg := config.Kafka{Brokers: b.Brokers(), SASL: config.SASL{Mechanism: config.SASLScramSHA512, Username: "worker", Password: "right"}}
	byClient, byDialer := explainBoth(t, cfg)
	unsupported := "Kafka at " + b.Brokers()[0] + " doesn't offer the login scram-sha-512, but PLAIN, OAUTHBEARER: set kafka.sasl.mechanism to one that it offers"
	equal(t, []string{byClient, byDialer}, []string{unsupported, unsupported})
}

func TestNoLoginWhereOneIsWanted(t *testing.T) {
	b := broker(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "worker", "right"))
	byClient, _ := explainBoth(t, config.Kafka{Brokers: b.Brokers()})
	equal(t, byClient, "Kafka at "+b.Brokers()[0]+" closed the connection: the listener may want a login (set kafka.sasl) or TLS (set kafka.tls.enabled)")
}

func TestTLS(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	server, _, _ := ca.issue("127.0.0.1")
	_, certFile, keyFile := ca.issue("worker")
	open := broker(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}}))
	mutual := broker(t, kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{server}, ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	}))
	elsewhere, _, _ := ca.issue("kafka.example.com")
	renamed := broker(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{elsewhere}}))
	// What ports do that aren't what the client takes them for.
	hangsUp := listen(t, "")
	alerts := listen(t, "\x15\x03\x01\x00\x02\x02\x46")
	web := listen(t, "HTTP/1.1 400 Bad Request\r\n\r\n")

	tests := []struct {
		name    string
		brokers []string
		tls     config.TLS
		want    string // after "Kafka at host:port "
	}{
		{"good", open.Brokers(), config.TLS{Enabled: true, CAFile: ca.file}, ""},
		{"client certificate", mutual.Brokers(), config.TLS{Enabled: true, CAFile: ca.file, CertFile: certFile, KeyFile: keyFile}, ""},
		{"no client certificate", mutual.Brokers(), config.TLS{Enabled: true, CAFile: ca.file},
			"closed the connection after the TLS handshake: it may want a client certificate (set kafka.tls.certFile and keyFile)"},
		{"another authority", open.Brokers(), config.TLS{Enabled: true, CAFile: other.file},
			"shows a certificate of an unknown authority: set kafka.tls.caFile to the authority's certificate"},
		{"another host", renamed.Brokers(), config.TLS{Enabled: true, CAFile: ca.file},
			"shows a certificate for another host name: use a name of the certificate in kafka.brokers (and advertised.listeners)"},
		{"plain text to a TLS port that hangs up", open.Brokers(), config.TLS{},
			"closed the connection at the first request: the port may want TLS (set kafka.tls.enabled to true), or the broker is starting"},
		{"plain text to a TLS port that says so", alerts, config.TLS{},
			"speaks TLS on this port: set kafka.tls.enabled to true, or use the plain-text port"},
		{"TLS to a port of another protocol", web, config.TLS{Enabled: true, CAFile: ca.file},
			"doesn't speak TLS: use the broker's TLS port, or set kafka.tls.enabled to false"},
		{"TLS to a plain-text port", hangsUp, config.TLS{Enabled: true, CAFile: ca.file},
			"closed the connection in the TLS handshake: use the broker's TLS port, or set kafka.tls.enabled to false"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			byClient, byDialer := explainBoth(t, config.Kafka{Brokers: test.brokers, TLS: test.tls})
			want := test.want
			if want != "" {
				want = "Kafka at " + test.brokers[0] + " " + want
			}
			equal(t, []string{byClient, byDialer}, []string{want, want})
		})
	}
}

// listen is a port that takes a request, answers and hangs up.
func listen(t *testing.T, answer string) []string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		listener.Close()
		served.Wait()
	})
	return []string{listener.Addr().String()}
}

// The first request of every kind of connection, of a login, too, names the
// client.
func TestClientID(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for name, login := range map[string]config.SASL{"plain text": {}, "login": {Mechanism: config.SASLPlain, Username: "u", Password: "p"}} {
		cfg := config.Kafka{Brokers: []string{listener.Addr().String()}, ClientID: "sms-team", SASL: login}
		c := client(t, cfg)
		equal(t, connect.ClientID(c), "sms-team")
		dialer, err := connect.Dialer(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for kind, ask := range map[string]func(context.Context){
			"client": func(ctx context.Context) { _, _ = c.Metadata(ctx, &kafka.MetadataRequest{}) },
			"dialer": func(ctx context.Context) {
				if conn, err := dialer.DialContext(ctx, "tcp", cfg.Brokers[0]); err == nil {
					_, _ = conn.Brokers()
					conn.Close()
				}
			},
		} {
			ctx, cancel := context.WithCancel(brief(t))
			var asking sync.WaitGroup
			asking.Go(func() { ask(ctx) })
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			request := make([]byte, 64)
			n, _ := conn.Read(request)
			conn.Close()
			cancel()
			asking.Wait()
			// size, key, version, correlation; then the client's id.
			if n < 22 || string(request[12:22]) != "\x00\x08sms-team" {
				t.Errorf("%s, %s: the request begins with %q", name, kind, request[:n])
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	closed, err := port.Hold()
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	for address, want := range map[string]string{
		closed.Addr().String(): "refused the connection: start the broker, or correct kafka.brokers (or the broker's advertised.listeners)",
		"kafka.invalid:9092":   "has a host name that can't be resolved: correct kafka.brokers (or the broker's advertised.listeners), or the DNS",
	} {
		byClient, byDialer := explainBoth(t, config.Kafka{Brokers: []string{address}})
		want = "Kafka at " + address + " " + want
		equal(t, []string{byClient, byDialer}, []string{want, want})
	}
}

func TestFilesThatAreNoCertificates(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]config.TLS{
		"read kafka.tls.caFile: " + empty + " holds no PEM certificate":                              {Enabled: true, CAFile: empty},
		"read kafka.tls.certFile and keyFile: tls: failed to find any PEM data in certificate input": {Enabled: true, CertFile: empty, KeyFile: empty},
		"read kafka.tls.caFile: open " + empty + ".gone: no such file or directory":                  {Enabled: true, CAFile: empty + ".gone"},
	} {
		for _, err := range []error{
			func() error { _, err := connect.Client(config.Kafka{TLS: cfg}); return err }(),
			func() error { _, err := connect.Dialer(config.Kafka{TLS: cfg}); return err }(),
		} {
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}
