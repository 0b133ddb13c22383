package connect

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/saslauthenticate"
	"github.com/segmentio/kafka-go/protocol/saslhandshake"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"engage-worker/internal/config"
)

// login logs connections in. It does so itself, rather than leave it to
// kafka-go, which neither tells how long a session lasts nor logs in again.
type login struct {
	mechanism sasl.Mechanism
	name      config.SASLMechanism // as configured
	clientID  string
}

// newLogin is nil when there is no login.
func newLogin(cfg config.SASL, clientID string) (*login, error) {
	l := &login{name: cfg.Mechanism, clientID: clientID}
	var err error
	switch cfg.Mechanism {
	case config.SASLNone:
		return nil, nil
	case config.SASLPlain:
		l.mechanism = plain.Mechanism{Username: cfg.Username, Password: cfg.Password.Reveal()}
	case config.SASLScramSHA256:
		l.mechanism, err = scramMechanism(scram.SHA256, cfg)
	case config.SASLScramSHA512:
		l.mechanism, err = scramMechanism(scram.SHA512, cfg)
	case config.SASLOAuthBearer:
		l.mechanism = oauthBearer(cfg)
	case config.SASLAWSMSKIAM:
		l.mechanism = mskIAM(cfg.Region)
	default:
		err = fmt.Errorf("kafka.sasl.mechanism %q is unknown", cfg.Mechanism)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// scramMechanism hides the library's error, which may quote the password.
func scramMechanism(algorithm scram.Algorithm, cfg config.SASL) (sasl.Mechanism, error) {
	m, err := scram.Mechanism(algorithm, cfg.Username, cfg.Password.Reveal())
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl: the username or the password has characters that %s doesn't allow", cfg.Mechanism)
	}
	return m, nil
}

// LoginError is a login that the broker refused.
type LoginError struct {
	Code    kafka.Error
	Message string   // the broker's, if it gave one
	Offers  []string // the mechanisms that the broker takes, if it doesn't take ours
}

func (e *LoginError) Error() string {
	if e.Message != "" {
		return e.Message
	}
	return e.Code.Error()
}

func (e *LoginError) Unwrap() error { return e.Code }

// CredentialsError is a login that wasn't tried: there is nothing to log in
// with.
type CredentialsError struct{ Err error }

func (e *CredentialsError) Error() string { return "no credentials to log in with: " + e.Err.Error() }

func (e *CredentialsError) Unwrap() error { return e.Err }

// attempt is a login that has its credentials.
type attempt struct {
	login   *login
	state   sasl.StateMachine
	initial []byte
}

// prepare gets the credentials, which may take a request to elsewhere. The
// error is a *CredentialsError.
func (l *login) prepare(ctx context.Context, broker string) (attempt, error) {
	host, text, _ := net.SplitHostPort(broker)
	port, _ := strconv.Atoi(text) // the mechanisms here don't want it
	state, initial, err := l.mechanism.Start(sasl.WithMetadata(ctx, &sasl.Metadata{Host: host, Port: port}))
	if err != nil {
		return attempt{}, &CredentialsError{err}
	}
	return attempt{l, state, initial}, nil
}

// on logs conn in and returns how long the session lasts; 0 means for ever.
// Nothing else may be under way on conn, whose deadline bounds the time.
func (a attempt) on(ctx context.Context, conn net.Conn) (time.Duration, error) {
	res, err := a.ask(conn, &saslhandshake.Request{Mechanism: a.login.mechanism.Name()})
	if err != nil {
		return 0, err
	}
	if shake := res.(*saslhandshake.Response); shake.ErrorCode != 0 {
		return 0, &LoginError{Code: kafka.Error(shake.ErrorCode), Offers: shake.Mechanisms}
	}
	for said := a.initial; ; {
		res, err := a.ask(conn, &saslauthenticate.Request{AuthBytes: said})
		if errors.Is(err, io.ErrUnexpectedEOF) { // some brokers' way to refuse
			return 0, &LoginError{Code: kafka.SASLAuthenticationFailed}
		}
		if err != nil {
			return 0, err
		}
		answer := res.(*saslauthenticate.Response)
		if answer.ErrorCode != 0 {
			return 0, &LoginError{Code: kafka.Error(answer.ErrorCode), Message: answer.ErrorMessage}
		}
		done, next, err := a.state.Next(ctx, answer.AuthBytes)
		if err != nil {
			return 0, &LoginError{Code: kafka.SASLAuthenticationFailed, Message: "the broker's proof of knowing the password isn't right"}
		}
		if done {
			return time.Duration(answer.SessionLifetimeMs) * time.Millisecond, nil
		}
		said = next
	}
}

const (
	// saslVersion is that of both requests: the first that tells how long
	// a session lasts, since Kafka 2.2.
	saslVersion = 1
	// saslCorrelation is that of all of them: one is under way at a time.
	saslCorrelation = 0
	// largestSASL is far above any answer to a login.
	largestSASL = 1 << 20
)

// ask sends one request and reads its answer, and not a byte more.
func (a attempt) ask(conn io.ReadWriter, req protocol.Message) (protocol.Message, error) {
	var out bytes.Buffer
	if err := protocol.WriteRequest(&out, saslVersion, saslCorrelation, a.login.clientID, req); err != nil {
		return nil, err
	}
	if _, err := conn.Write(out.Bytes()); err != nil {
		return nil, err
	}
	frame := make([]byte, 4)
	if _, err := io.ReadFull(conn, frame); err != nil {
		return nil, noEOF(err)
	}
	size := binary.BigEndian.Uint32(frame)
	if size > largestSASL {
		return nil, fmt.Errorf("the broker announces an answer of %d bytes to a login", size)
	}
	frame = slices.Concat(frame, make([]byte, size))
	if _, err := io.ReadFull(conn, frame[4:]); err != nil {
		return nil, noEOF(err)
	}
	_, res, err := protocol.ReadResponse(bytes.NewReader(frame), req.ApiKey(), saslVersion)
	return res, err
}

// noEOF keeps a lost connection from looking like an end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// loginAdvice is what to look at when a login is refused.
func loginAdvice(name config.SASLMechanism) string {
	switch name {
	case config.SASLOAuthBearer:
		return "check kafka.sasl.clientId, scopes and extensions (or tokenFile), and that the broker trusts who issues the tokens"
	case config.SASLAWSMSKIAM:
		return "check that the role may do kafka-cluster:Connect, kafka.sasl.region, and this machine's clock"
	default:
		return "check kafka.sasl.username, password and mechanism"
	}
}

// explainLogin continues "Kafka at host:port".
func (e *BrokerError) explainLogin() string {
	var refused *LoginError
	var none *CredentialsError
	switch {
	case errors.As(e.Err, &none) && e.Mechanism == config.SASLAWSMSKIAM:
		return fmt.Sprintf("wasn't logged in to by %s: the AWS SDK finds no credentials (environment, profile, web identity, container or instance role): %s", e.Mechanism, oneLine(none.Err))
	case errors.As(e.Err, &none):
		return fmt.Sprintf("wasn't logged in to by %s: there is no token: %s: check kafka.sasl.tokenUrl, clientId and clientSecret, or tokenFile", e.Mechanism, oneLine(none.Err))
	case errors.As(e.Err, &refused) && errors.Is(refused, kafka.UnsupportedSASLMechanism):
		offers := ""
		if len(refused.Offers) > 0 {
			offers = ", but " + strings.Join(refused.Offers, ", ")
		}
		return fmt.Sprintf("doesn't offer the login %s%s: set kafka.sasl.mechanism to one that it offers", e.Mechanism, offers)
	case errors.As(e.Err, &refused) && errors.Is(refused, kafka.SASLAuthenticationFailed):
		return fmt.Sprintf("refused the login by %s%s: %s", e.Mechanism, quotedBriefly(refused.Message), loginAdvice(e.Mechanism))
	case errors.As(e.Err, &refused) && errors.Is(refused, kafka.IllegalSASLState):
		return "expects no login on this port: use the port of a SASL listener, or take kafka.sasl out"
	case isTimeout(e.Err):
		return fmt.Sprintf("didn't finish the login by %s in time: check the broker, and for tokens the one who issues them", e.Mechanism)
	default:
		return fmt.Sprintf("failed the login by %s: %s", e.Mechanism, oneLine(e.Err))
	}
}

// quotedBriefly is what a broker said, in brackets, if it said anything.
func quotedBriefly(said string) string {
	const most = 200
	if said = oneLine(errors.New(said)); said == "" {
		return ""
	}
	if len(said) > most {
		said = said[:most] + "..."
	}
	return " (" + said + ")"
}
