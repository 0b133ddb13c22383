package integration

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/sim/twiliosim"
)

const secondAction = `      - name: second-sms
        type: sendSms
        trigger: event = "Audience Entered"
        mapping:
          from: MG00000000000000000000000000000001
          body: {"@template": "Second thoughts, {{properties.first_name}}? {{messageId}}"}
`

// awaitStanding waits until a replica stands by, or doesn't and owns shards.
func (r *rig) awaitStanding(w *replica, standsBy bool) {
	r.t.Helper()
	r.await(30*time.Second, func() error {
		if s := w.Groups()[0].State(); s.StandsBy != standsBy || standsBy != (s.Owned == 0) || !s.Joined {
			return fmt.Errorf("stands by %t is wanted of %+v", standsBy, s)
		}
		return nil
	})
	want := 0.0
	if standsBy {
		want = 1
	}
	if got := value(r.t, w.Registry(), "engage_standing_by", nil); got != want {
		r.t.Errorf("engage_standing_by is %v, want %v", got, want)
	}
}

// textsOf are how many messages the people of each ten got from each action.
func (r *rig) textsOf() (first, second map[int]int) {
	first, second = map[int]int{}, map[int]int{}
	for _, m := range r.accepted() {
		var n int
		if _, err := fmt.Sscanf(messageOf(&m), "m-%d", &n); err != nil {
			r.t.Fatal(err)
		}
		if strings.HasPrefix(m.Value("Body"), "Second") {
			second[n/10]++
		} else {
			first[n/10]++
		}
	}
	return first, second
}

// TestAnActionAddedReplicaByReplica: it takes effect at once for all shards,
// when more than half of the replicas have it; until then no replica that has
// it owns shards, and from then on none that hasn't. What waits for it goes round
// where its owner doesn't know it, and is sent in the end.
func TestAnActionAddedReplicaByReplica(t *testing.T) {
	t.Parallel()
	r := newRig(t, settings{regions: patient})
	ten := func(from int) {
		t.Helper()
		for i := range 10 {
			r.produce(person(10*from+i, ""))
		}
	}
	texts := func(wantFirst, wantSecond string) {
		t.Helper()
		first, second := r.textsOf()
		if fmt.Sprint(first) != wantFirst || fmt.Sprint(second) != wantSecond {
			t.Errorf("the first action sent to the tens %v, want %s; the second to %v, want %s", first, wantFirst, second, wantSecond)
		}
	}
	former := []*replica{r.start(shortTiers), r.start(shortTiers)}
	for _, w := range former {
		r.awaitStanding(w, false)
	}
	was := r.cfg
	r.change(smsAction, smsAction+secondAction)
	has := r.cfg
	newer := []*replica{r.start(shortTiers)}
	r.awaitStanding(newer[0], true)
	r.readyz(10*time.Second, http.StatusOK, "onboarding: owns 0 shards, stands by: the replicas that have them have other actions or settings\n")
	ten(0)
	r.awaitDone(30 * time.Second)
	former[0].stop()
	r.awaitStanding(newer[0], true) // one of two is half
	ten(1)
	r.awaitDone(30 * time.Second)
	texts("map[0:10 1:10]", "map[]")
	newer = append(newer, r.start(shortTiers))
	r.awaitStanding(former[1], true)
	ten(2)
	r.awaitDone(30 * time.Second)
	texts("map[0:10 1:10 2:10]", "map[2:10]")

	// Back to the former, while deliveries of the new action wait.
	newer[1].stop()
	former[1].stop()
	r.await(30*time.Second, func() error {
		if s := newer[0].Groups()[0].State(); s.Owned != 6 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	if err := r.sim.SetFaults(twiliosim.Faults{Behaviour: twiliosim.Behaviour{Outage: twiliosim.Refused}}); err != nil {
		t.Fatal(err)
	}
	ten(3)
	r.awaitDone(30 * time.Second)
	if err := r.sim.SetFaults(twiliosim.Faults{}); err != nil {
		t.Fatal(err)
	}
	r.cfg = was
	former = []*replica{r.start(shortTiers), r.start(shortTiers)}
	r.awaitStanding(newer[0], true)
	round := func() (n float64) {
		for _, w := range former {
			n += value(t, w.Registry(), "engage_events_total", map[string]string{"outcome": "retry", "action": ""})
		}
		return n
	}
	replay := func(action string) {
		r.bury(person(40, ""), action)
		if report := r.desk(func(re *deadletter.Replayer) { re.Filter.Actions = []string{action} }); report.Published != 1 {
			t.Fatalf("%+v", report)
		}
	}
	replay("second-sms")
	r.await(30*time.Second, func() error {
		if got := round(); got < 20 {
			return fmt.Errorf("%v went round", got)
		}
		return nil
	})
	r.cfg = has
	for _, w := range former {
		w.stop()
	}
	r.awaitSettled(60 * time.Second)
	texts("map[0:10 1:10 2:10 3:10]", "map[2:10 3:10 4:1]")
	if dead := r.deadLetters(); len(dead) > 1 {
		t.Fatalf("%d dead letters, the second because of %s: %s", len(dead), dead[1].Reason, dead[1].Message)
	}

	// Nobody has it, neither now nor then.
	replay("gone-sms")
	r.awaitSettled(30 * time.Second)
	if dead := r.deadLetters(); len(dead) != 3 || dead[2].Action != "gone-sms" || dead[2].Reason != "mapping_failed" || dead[2].Replays != 1 {
		t.Errorf("dead letters %v", dead)
	}
}
