package callbacks

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/actions/twilio"
	"engage-worker/internal/metrics"
)

// Receiver takes Twilio's status callbacks and puts them into Kafka. It is
// safe for concurrent use.
type Receiver struct {
	Keys      Keys
	Topics    map[string]string // the callbacks topic by destination
	PublicURL string            // as Twilio is given it, without a slash at its end
	AuthToken string            // "": X-Twilio-Signature isn't checked
	Writer    writer
	Metrics   *metrics.Metrics
	Log       zerolog.Logger
}

// writer writes a record to a partition; nil means acknowledged by all
// in-sync replicas.
type writer interface {
	Write(ctx context.Context, m kafka.Message, partition int) error
}

const (
	// maxBody bounds a callback, which has a few hundred bytes.
	maxBody = 16 << 10

	// writeTimeout leaves Twilio time for another try: it gives up after 15 s in all.
	writeTimeout = 5 * time.Second
)

// ServeHTTP answers 204 once the callback is in Kafka, and otherwise what is in
// the way. An answer says nothing of what is known of a message.
func (r *Receiver) ServeHTTP(rw http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		http.Error(rw, "a status callback is a POST", http.StatusMethodNotAllowed)
		return
	}
	address, ok := r.Keys.Parse(req.URL.EscapedPath())
	topic, known := r.Topics[address.Destination]
	if !ok || !known {
		r.count("", "forged")
		http.NotFound(rw, req)
		return
	}
	form, err := readForm(rw, req)
	if err != nil {
		r.count(address.Destination, "malformed")
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	if r.AuthToken != "" && !twilio.SignedBy(r.AuthToken, r.PublicURL+ours(req.URL.EscapedPath()), form, req.Header.Get("X-Twilio-Signature")) {
		r.count(address.Destination, "forged")
		http.Error(rw, "X-Twilio-Signature is missing or wrong", http.StatusForbidden)
		return
	}
	value, err := json.Marshal(first(form))
	if err != nil {
		http.Error(rw, "the form can't be kept", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), writeTimeout)
	defer cancel()
	if err := r.Writer.Write(ctx, kafka.Message{Topic: topic, Key: address.Key, Value: value}, address.Shard); err != nil {
		r.count(address.Destination, "unwritten")
		r.Log.Warn().Err(err).Str("destination", address.Destination).Msg("a callback can't be written; Twilio is told to try again")
		rw.Header().Set("Retry-After", "1")
		http.Error(rw, "try again", http.StatusServiceUnavailable)
		return
	}
	r.count(address.Destination, "ok")
	rw.WriteHeader(http.StatusNoContent)
}

var errForm = errors.New("a status callback is a form with MessageSid and MessageStatus")

func readForm(rw http.ResponseWriter, req *http.Request) (url.Values, error) {
	req.Body = http.MaxBytesReader(rw, req.Body, maxBody)
	if err := req.ParseForm(); err != nil {
		return nil, errForm
	}
	form := req.PostForm
	if !twilio.IsMessageSID(form.Get("MessageSid")) || form.Get("MessageStatus") == "" {
		return nil, errForm
	}
	return form, nil
}

// first are the first values of a form's names.
func first(form url.Values) map[string]string {
	values := make(map[string]string, len(form))
	for name := range form {
		values[name] = form.Get(name)
	}
	return values
}

func (r *Receiver) count(destination, result string) {
	r.Metrics.CallbacksReceived.WithLabelValues(destination, result).Inc()
}
