package callbacks

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // as Twilio signs
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/twilio/twilio-go/client"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"engage-worker/consumer/status"
	"engage-worker/internal/kafka/acked"
	"engage-worker/internal/kafka/records"
	"engage-worker/internal/metrics"
	"engage-worker/internal/sim/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	topic = "events.onboarding.callbacks"
	sid   = "SM00112233445566778899aabbccddeeff"
)

// rig is a broker with a topic of callbacks.
type rig struct {
	broker  *embedded.Broker
	client  *kafka.Client
	cluster *records.Cluster
	metrics *metrics.Metrics
}

func newRig(t *testing.T) *rig {
	t.Helper()
	b, err := embedded.Start(kfake.SeedTopics(2, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	transport := &kafka.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	r := &rig{broker: b, client: &kafka.Client{Addr: kafka.TCP(b.Brokers()...), Transport: transport}, metrics: metrics.New(prometheus.NewRegistry())}
	r.cluster = records.NewCluster(r.client, records.Options{})
	t.Cleanup(r.cluster.Close)
	return r
}

func (r *rig) writer(t *testing.T) *acked.Writer {
	t.Helper()
	w := acked.NewWriter(r.client.Addr, r.client.Transport, "")
	t.Cleanup(func() { _ = w.Close() })
	return w
}

// TestReceiver: what is let in, and how what isn't is answered. Nothing but a true
// callback gets into Kafka.
func TestReceiver(t *testing.T) {
	const token = "0123456789abcdef"
	r := newRig(t)
	keys := NewKeys(key1)
	receiver := &Receiver{
		Keys: keys, Topics: map[string]string{"onboarding": topic}, PublicURL: "https://callbacks.example.com/t", AuthToken: token,
		Writer: r.writer(t), Metrics: r.metrics, Log: zerolog.Nop(),
	}
	path := keys.Path(Address{Destination: "onboarding", Shard: 1, Key: []byte("sms\x00m1")})
	elsewhere := keys.Path(Address{Destination: "elsewhere", Shard: 1, Key: []byte("sms\x00m1")})
	form := url.Values{"MessageSid": {sid}, "MessageStatus": {"undelivered"}, "ErrorCode": {"30003"}, "Added later": {"ü & +"}}
	validator := client.NewRequestValidator(token)
	signed := func(path string, form url.Values) string {
		params := map[string]string{}
		for name := range form {
			params[name] = form.Get(name)
		}
		// Twilio's own client says whether that is how it signs.
		signature := signatureOf(token, receiver.PublicURL+path, params)
		if !validator.Validate(receiver.PublicURL+path, params, signature) {
			t.Fatal("the test signs wrongly")
		}
		return signature
	}
	for _, c := range []struct {
		name, method, path, body, signature string
		kafka                               *kerr.Error
		want                                int
		result, of                          string
	}{
		{"a callback", "POST", "/t" + path, form.Encode(), signed(path, form), nil, 204, "ok", "onboarding"},
		{"behind a proxy that changes the path before", "POST", "/other/prefix" + path, form.Encode(), signed(path, form), nil, 204, "ok", "onboarding"},
		{"once more, and Kafka refuses it", "POST", "/t" + path, form.Encode(), signed(path, form), kerr.NotEnoughReplicas, 503, "unwritten", "onboarding"},
		{"no signature of Twilio's", "POST", "/t" + path, form.Encode(), "", nil, 403, "forged", "onboarding"},
		{"another form under it", "POST", "/t" + path, strings.Replace(form.Encode(), "undelivered", "delivered", 1), signed(path, form), nil, 403, "forged", "onboarding"},
		{"a path of nobody", "POST", "/t" + path[:len(path)-3] + "AAA", form.Encode(), signed(path, form), nil, 404, "forged", ""},
		{"no path", "POST", "/", form.Encode(), "", nil, 404, "forged", ""},
		{"a destination that isn't here", "POST", "/t" + elsewhere, form.Encode(), signed(elsewhere, form), nil, 404, "forged", ""},
		{"no SID", "POST", "/t" + path, "MessageStatus=sent", "", nil, 400, "malformed", "onboarding"},
		{"no message's SID", "POST", "/t" + path, "MessageSid=SM1&MessageStatus=sent", "", nil, 400, "malformed", "onboarding"},
		{"no status", "POST", "/t" + path, "MessageSid=" + sid, "", nil, 400, "malformed", "onboarding"},
		{"no form", "POST", "/t" + path, "%zz", "", nil, 400, "malformed", "onboarding"},
		{"too much", "POST", "/t" + path, form.Encode() + "&x=" + strings.Repeat("y", maxBody), "", nil, 400, "malformed", "onboarding"},
		{"a look", "GET", "/t" + path, "", "", nil, 405, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.kafka != nil {
				r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: c.kafka})
			}
			counted := func() float64 {
				return testutil.ToFloat64(r.metrics.CallbacksReceived.WithLabelValues(c.of, c.result))
			}
			before := counted()
			req := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if c.signature != "" {
				req.Header.Set("X-Twilio-Signature", c.signature)
			}
			answer := httptest.NewRecorder()
			receiver.ServeHTTP(answer, req)
			if answer.Code != c.want || c.want == 503 && answer.Header().Get("Retry-After") == "" || strings.Contains(answer.Body.String(), "m1") {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
			if c.result != "" && counted() != before+1 {
				t.Errorf("it wasn't counted as %s of %q", c.result, c.of)
			}
		})
	}
	var values []map[string]string
	scanner := records.Scanner{Cluster: r.cluster, MaxBytes: 1 << 20}
	if err := scanner.Scan(t.Context(), records.Span{Topic: topic, Partition: 1, End: 2}, func(block []records.Record) error {
		for _, rec := range block {
			var value map[string]string
			if err := json.Unmarshal(rec.Value, &value); err != nil || string(rec.Key) != "sms\x00m1" {
				t.Errorf("%q: %s", rec.Key, rec.Value)
			}
			values = append(values, value)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": "30003", "Added later": "ü & +"}
	if len(values) != 2 || !maps.Equal(values[0], want) || r.broker.PartitionInfo(topic, 1).HighWatermark != 2 || r.broker.PartitionInfo(topic, 0).HighWatermark != 0 {
		t.Errorf("in Kafka there are %v", values)
	}
}

// signatureOf is X-Twilio-Signature.
func signatureOf(token, target string, params map[string]string) string {
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(mac, target) // never fails
	for _, name := range slices.Sorted(maps.Keys(params)) {
		_, _ = io.WriteString(mac, name+params[name])
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// heard are the news that a reader has applied, of which the first is refused at first.
type heard struct {
	mu     sync.Mutex
	refuse int
	all    []status.News
}

func (h *heard) apply(_ context.Context, news []status.News) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse > 0 {
		h.refuse--
		return errors.New("not now")
	}
	h.all = append(h.all, news...)
	return nil
}

func (h *heard) told() []status.News {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// TestReader: callbacks become news, once they are applied their position may be
// committed, and what is none is passed over. The next owner begins there, or where the
// topic does if it has forgotten that place.
func TestReader(t *testing.T) {
	r := newRig(t)
	w := r.writer(t)
	put := func(value string) {
		t.Helper()
		if err := w.Write(t.Context(), kafka.Message{Topic: topic, Key: []byte("sms\x00m1"), Value: []byte(value)}, 1); err != nil {
			t.Fatal(err)
		}
	}
	read := func(h *heard, from int64, n int, position int64) {
		t.Helper()
		reader := &Reader{Destination: "onboarding", Cluster: r.cluster, Topic: topic, Shard: 1, Apply: h.apply, Metrics: r.metrics, Log: zerolog.Nop()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); reader.Run(ctx, from) }()
		for len(h.told()) < n {
			time.Sleep(time.Millisecond)
		}
		for at, ok := reader.Position(); !ok || at != position; at, ok = reader.Position() {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-done
		if len(h.told()) != n {
			t.Errorf("%d news", len(h.told()))
		}
	}
	put(`{"MessageSid":"SM1","MessageStatus":"undelivered","ErrorCode":"30003","NumSegments":"2"}`)
	for _, none := range []string{`{"MessageSid":"SM1","MessageStatus":"teleported"}`, `{"MessageStatus":"sent"}`, `no JSON`, `[]`} {
		put(none)
	}
	put(`{"MessageSid":"SM1","MessageStatus":"read"}`)
	h := &heard{refuse: 1}
	read(h, -1, 2, 6)
	for i := range h.all {
		if h.all[i].SeenAt.IsZero() {
			t.Error("it isn't said when")
		}
		h.all[i].SeenAt = time.Time{}
	}
	want := []status.News{
		{Key: []byte("sms\x00m1"), SID: "SM1", Status: status.Undelivered, Code: 30003, Segments: 2, By: status.ByCallback},
		{Key: []byte("sms\x00m1"), SID: "SM1", Status: status.Read, By: status.ByCallback},
	}
	if !reflect.DeepEqual(h.all, want) {
		t.Errorf("\n got %+v\nwant %+v", h.all, want)
	}
	if n := testutil.ToFloat64(r.metrics.CallbacksRead.WithLabelValues("onboarding", "malformed")); n < 4 {
		t.Errorf("%v were counted as none", n)
	}
	put(`{"MessageSid":"SM1","MessageStatus":"delivered"}`)
	read(&heard{}, 6, 1, 7)
	read(&heard{}, 99, 3, 7) // the topic was made anew: all of it
	idle := &Reader{}
	if _, ok := idle.Position(); ok {
		t.Error("a position before anything is read")
	}
}
