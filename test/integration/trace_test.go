package integration

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"engage-worker/internal/worker"
)

// receiver is an OTLP/HTTP endpoint that keeps the spans.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		body := io.Reader(req.Body)
		if req.Header.Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(req.Body)
			if err != nil {
				http.Error(rw, err.Error(), http.StatusBadRequest)
				return
			}
			body = zipped
		}
		text, err := io.ReadAll(body)
		var export collector.ExportTraceServiceRequest
		if err != nil || proto.Unmarshal(text, &export) != nil || req.URL.Path != "/v1/traces" {
			http.Error(rw, "no OTLP", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, resource := range export.ResourceSpans {
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestTraceContinues: the producer's trace goes on through the worker to the
// commit, and tells nothing of the person.
func TestTraceContinues(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{partitions: 1})
	endpoint := newReceiver(t)
	exporter, err := otlptracehttp.New(t.Context(), otlptracehttp.WithEndpointURL(endpoint.URL+"/v1/traces"))
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))

	sent := person(1, "")
	sent.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}}
	refused := person(2, "")
	refused.Value = []byte(strings.Replace(string(refused.Value), "+14152000002", "+15005550004", 1))
	refused.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("00-11111111111111111111111111111111-2222222222222222-01")}}
	unsampled := person(3, "")
	unsampled.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("00-33333333333333333333333333333333-4444444444444444-00")}}
	r.produce(sent, refused, unsampled)

	w, err := worker.New(r.cfg, zerolog.New(r.logs), "test", provider.Tracer("test"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	r.awaitDone(20 * time.Second)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := provider.Shutdown(t.Context()); err != nil { // which exports the last spans
		t.Fatal(err)
	}

	endpoint.mu.Lock()
	defer endpoint.mu.Unlock()
	process := map[string]*tracepb.Span{} // by trace
	children := map[string][]string{}
	for _, s := range endpoint.spans {
		if strings.HasPrefix(s.Name, "process ") {
			process[fmt.Sprintf("%x", s.TraceId)] = s
		}
	}
	for _, s := range endpoint.spans {
		id := fmt.Sprintf("%x", s.TraceId)
		p := process[id]
		if p == nil {
			t.Fatalf("%s belongs to no event", s.Name)
		}
		if s != p {
			if string(s.ParentSpanId) != string(p.SpanId) {
				t.Errorf("the parent of %s isn't the event's span", s.Name)
			}
			children[id] = append(children[id], describe(s))
		}
		for _, told := range []string{"+1415", "+1500", "4152000", "5550004", "Welcome", "secret"} {
			if strings.Contains(s.String(), told) {
				t.Errorf("the span %s tells %q: %s", s.Name, told, s)
			}
		}
	}
	if got := slices.Sorted(maps.Keys(process)); !slices.Equal(got, []string{"0af7651916cd43dd8448eb211c80319c", "11111111111111111111111111111111"}) {
		t.Fatalf("traces %v: the two sampled ones should go on", got)
	}
	for trace, parent := range map[string]string{"0af7651916cd43dd8448eb211c80319c": "b7ad6b7169203331", "11111111111111111111111111111111": "2222222222222222"} {
		p := process[trace]
		if got := fmt.Sprintf("%x", p.ParentSpanId); got != parent || p.Kind != tracepb.Span_SPAN_KIND_CONSUMER || p.Name != "process "+r.topic {
			t.Errorf("%s: %s of kind %s under %s, not under the producer's %s", trace, p.Name, p.Kind, got, parent)
		}
	}
	want := map[string][]string{
		"0af7651916cd43dd8448eb211c80319c": {
			"SPAN_KIND_CLIENT request engage.outcome=sent http.response.status_code=201",
			"SPAN_KIND_INTERNAL commit",
			"SPAN_KIND_INTERNAL gate",
			"SPAN_KIND_INTERNAL prepare",
			"SPAN_KIND_INTERNAL settle engage.outcome=sent",
		},
		"11111111111111111111111111111111": {
			"SPAN_KIND_CLIENT request engage.outcome=refused http.response.status_code=400 twilio.error_code=21610",
			"SPAN_KIND_INTERNAL commit",
			"SPAN_KIND_INTERNAL gate",
			"SPAN_KIND_INTERNAL prepare",
			"SPAN_KIND_INTERNAL settle engage.outcome=dead_letter",
		},
	}
	for trace := range want {
		slices.Sort(children[trace])
		if !slices.Equal(children[trace], want[trace]) {
			t.Errorf("%s has the spans\n%s\nnot\n%s", trace, strings.Join(children[trace], "\n"), strings.Join(want[trace], "\n"))
		}
	}
}

// describe is a span's kind, name and the attributes that tell how it went.
func describe(s *tracepb.Span) string {
	parts := []string{s.Kind.String(), s.Name}
	for _, key := range []string{"engage.outcome", "http.response.status_code", "twilio.error_code"} {
		for _, a := range s.Attributes {
			if a.Key != key {
				continue
			}
			if text := a.Value.GetStringValue(); text != "" {
				parts = append(parts, key+"="+text)
			} else {
				parts = append(parts, fmt.Sprintf("%s=%d", key, a.Value.GetIntValue()))
			}
		}
	}
	return strings.Join(parts, " ")
}
