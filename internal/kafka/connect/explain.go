package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
)

// Stage is how far a connection came.
type Stage uint8

const (
	StageDial   Stage = iota + 1 // finding the host and reaching the port
	StageTLS                     // the TLS handshake
	StageAnswer                  // waiting for the first answer
	StageLogin                   // logging in, or logging in again
)

func (s Stage) String() string {
	return [...]string{"", "connect", "TLS handshake", "first answer", "login"}[s]
}

// BrokerError is an error of one connection, before its first answer or at
// a login.
type BrokerError struct {
	Broker    string // host:port
	Stage     Stage
	TLS       bool                 // the client speaks TLS
	Mechanism config.SASLMechanism // of the login, at StageLogin
	Err       error
}

func (e *BrokerError) Error() string {
	return fmt.Sprintf("%s with Kafka at %s: %v", e.Stage, e.Broker, e.Err)
}

func (e *BrokerError) Unwrap() error { return e.Err }

// ClusterError is an error of a request through a Transport.
type ClusterError struct {
	Brokers string // as configured: host:port,host:port
	Login   bool   // the client logs in
	Err     error
}

func (e *ClusterError) Error() string { return fmt.Sprintf("Kafka at %s: %v", e.Brokers, e.Err) }

func (e *ClusterError) Unwrap() error { return e.Err }

var errTLSPort = errors.New("the port answers in TLS")

// Explain says in one line what an error of Kafka's means, with the broker
// where that is known, and the way out. An error that it doesn't know is said
// as it is, on one line. It is "" for nil.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	if broker := (*BrokerError)(nil); errors.As(err, &broker) {
		return fmt.Sprintf("Kafka at %s %s", broker.Broker, broker.explain())
	}
	where, login := "Kafka", true
	if cluster := (*ClusterError)(nil); errors.As(err, &cluster) {
		where, login = "Kafka at "+cluster.Brokers, cluster.Login
	}
	switch {
	case errors.Is(err, kafka.TopicAuthorizationFailed):
		return where + " denies access to the topic: give this user the ACL (read and describe the source, read and write the worker's own topics)"
	case errors.Is(err, kafka.GroupAuthorizationFailed):
		return where + " denies access to the consumer group: give this user the ACL to read groups with the prefix kafka.groupPrefix"
	case errors.Is(err, kafka.ClusterAuthorizationFailed):
		return where + " denies this operation on the cluster: give this user the ACL to create and alter topics, or have someone run `topics create` who has it"
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return where + " doesn't know the topic: run `engage-worker topics create`"
	case errors.Is(err, io.ErrUnexpectedEOF) && !login:
		return where + " closed the connection: the listener may want a login (set kafka.sasl) or TLS (set kafka.tls.enabled)"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return where + " closed the connection: check kafka.sasl, and whether the listener wants TLS (kafka.tls.enabled); or the broker is restarting"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return where + " didn't answer in time: check that the brokers are up and that their advertised.listeners can be reached from here"
	default:
		return oneLine(err)
	}
}

// explain continues "Kafka at host:port".
func (e *BrokerError) explain() string {
	switch e.Stage {
	case StageDial:
		return e.explainDial()
	case StageTLS:
		return e.explainTLS()
	case StageLogin:
		return e.explainLogin()
	default:
		return e.explainAnswer()
	}
}

func (e *BrokerError) explainDial() string {
	var dns *net.DNSError
	switch {
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return "refused the connection: start the broker, or correct kafka.brokers (or the broker's advertised.listeners)"
	case errors.As(e.Err, &dns):
		return "has a host name that can't be resolved: correct kafka.brokers (or the broker's advertised.listeners), or the DNS"
	case isTimeout(e.Err):
		return fmt.Sprintf("can't be reached within %s: check the network and firewalls, and kafka.brokers", dialTimeout)
	default:
		return "can't be reached: " + oneLine(e.Err)
	}
}

func (e *BrokerError) explainTLS() string {
	var (
		notTLS      tls.RecordHeaderError
		unknownCA   x509.UnknownAuthorityError
		hostname    x509.HostnameError
		certificate x509.CertificateInvalidError
		alert       tls.AlertError
	)
	switch {
	case errors.As(e.Err, &notTLS):
		return "doesn't speak TLS: use the broker's TLS port, or set kafka.tls.enabled to false"
	case errors.As(e.Err, &unknownCA):
		return "shows a certificate of an unknown authority: set kafka.tls.caFile to the authority's certificate"
	case errors.As(e.Err, &hostname):
		return "shows a certificate for another host name: use a name of the certificate in kafka.brokers (and advertised.listeners)"
	case errors.As(e.Err, &certificate):
		return "shows a certificate that isn't valid: " + oneLine(certificate)
	case errors.As(e.Err, &alert):
		return "refused the TLS handshake: check kafka.tls.certFile and keyFile: " + oneLine(alert)
	case isTimeout(e.Err):
		return fmt.Sprintf("didn't finish the TLS handshake within %s: use the broker's TLS port, or set kafka.tls.enabled to false", dialTimeout)
	case errors.Is(e.Err, io.EOF), errors.Is(e.Err, syscall.ECONNRESET):
		return "closed the connection in the TLS handshake: use the broker's TLS port, or set kafka.tls.enabled to false"
	default:
		return "failed the TLS handshake: " + oneLine(e.Err)
	}
}

func (e *BrokerError) explainAnswer() string {
	var alert tls.AlertError
	switch {
	case errors.Is(e.Err, errTLSPort):
		return "speaks TLS on this port: set kafka.tls.enabled to true, or use the plain-text port"
	case errors.As(e.Err, &alert), e.TLS && !isTimeout(e.Err):
		return "closed the connection after the TLS handshake: it may want a client certificate (set kafka.tls.certFile and keyFile)"
	case isTimeout(e.Err):
		return "accepted the connection but didn't answer: check that this is a Kafka port and whether it wants TLS (kafka.tls.enabled)"
	default:
		return "closed the connection at the first request: the port may want TLS (set kafka.tls.enabled to true), or the broker is starting"
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
