package twiliosim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

var benchForm = url.Values{
	"To": {"+15551234567"}, "From": {testService}, "Body": {"Hi Jane, welcome! Your code is 1234."}, "ShortenUrls": {"true"},
	"Tags":           {`{"audience_id":"aud_1","external_id_type":"phone","external_id_value":"+15551234567"}`},
	"StatusCallback": {"https://hooks.example.com/twilio?space_id=spa_1&message_id=0f6e5d#rp=all&rc=5"},
}.Encode()

// BenchmarkCreate is the handler's own cost, without a network.
func BenchmarkCreate(b *testing.B) {
	s := newSim(b, Options{Keep: 100_000})
	b.ReportAllocs()
	w := discard{make(http.Header)}
	for b.Loop() {
		r, err := http.NewRequest("POST", messages, strings.NewReader(benchForm))
		if err != nil {
			b.Fatal(err)
		}
		r.SetBasicAuth("SK1", "secret")
		s.ServeHTTP(w, r)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}

// BenchmarkCreateOverLoopback includes net/http's server and client.
func BenchmarkCreateOverLoopback(b *testing.B) {
	s := newSim(b, Options{Keep: 100_000})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, err := http.NewRequest("POST", l.URL()+messages, strings.NewReader(benchForm))
			if err != nil {
				b.Fatal(err)
			}
			r.SetBasicAuth("SK1", "secret")
			response, err := transport.RoundTrip(r)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creates/s")
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
