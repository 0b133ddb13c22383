package integration

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"engage-worker/internal/sim/twiliosim"
)

var listening = regexp.MustCompile(`"http":"([^"]+)"`)

// readyz awaits an answer of /readyz with the code and the text, of the worker
// that was started last.
func (r *rig) readyz(within time.Duration, code int, text string) {
	r.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	r.await(within, func() error {
		all := listening.FindAllStringSubmatch(r.logs.all(), -1)
		if len(all) == 0 {
			return errors.New("the worker hasn't started")
		}
		res, err := client.Get("http://" + all[len(all)-1][1] + "/readyz")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err == nil && (res.StatusCode != code || !strings.Contains(string(body), text)) {
			err = fmt.Errorf("/readyz answers %d %q", res.StatusCode, body)
		}
		return err
	})
}

// TestReadiness: a replica is ready while it is in its group and Kafka
// answers, and no longer once it drains.
func TestReadiness(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{sim: twiliosim.Options{Faults: twiliosim.Faults{Behaviour: twiliosim.Behaviour{Latency: 3 * time.Second}}}})
	if r.broker == nil {
		t.Skip("the faults are injected into the embedded broker")
	}
	denied := r.broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	var down atomic.Bool
	r.broker.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		r.broker.KeepControl()
		if down.Load() {
			return nil, errors.New("down"), true
		}
		return nil, nil, false
	})

	w := r.start()
	r.readyz(20*time.Second, http.StatusServiceUnavailable, "onboarding: not in the consumer group "+r.cfg.GroupID("onboarding"))
	denied.Remove()
	r.readyz(30*time.Second, http.StatusOK, "onboarding: owns 6 shards\n")
	down.Store(true)
	r.readyz(20*time.Second, http.StatusServiceUnavailable, "kafka doesn't answer")
	down.Store(false)
	r.readyz(30*time.Second, http.StatusOK, "onboarding: owns 6 shards\n")

	r.produce(person(0, ""))
	r.await(20*time.Second, func() error {
		if r.sim.Stats().InFlight == 0 {
			return errors.New("no request is under way")
		}
		return nil
	})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		w.stop()
	}()
	r.readyz(2*time.Second, http.StatusServiceUnavailable, "shutting down")
	<-stopped
	r.onceEach(1)
}
