package topics

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/kafka/connect"
)

// Problem is something about a topic that isn't as the worker wants it.
type Problem struct {
	Topic   string
	Message string // what is wrong: the setting, its value, where it comes from
	WayOut  string // what mends it
	// Fatal: a record could be lost or deleted, or the worker can't work.
	// Otherwise it works, but someone should know.
	Fatal bool
	// Unchecked: the topic's settings may not be read, so nothing is known.
	Unchecked bool
}

func (p Problem) String() string { return p.Topic + ": " + p.Message + "; " + p.WayOut }

const (
	wayOutCreate = "run `engage-worker topics create`"

	// checkTimeout bounds the look at the topics with which run begins: it
	// says within 15 s, of the whole process, that Kafka can't be reached.
	checkTimeout = 12 * time.Second
)

// Check compares the topics with what the worker wants, in the order of the
// specs, of which the first is the source. The error is one of reaching Kafka;
// see connect.Explain. It takes 12 s at most.
func Check(ctx context.Context, client *kafka.Client, specs []Spec) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now, found, denied, err := look(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	source := now.topics[specs[0].Name]
	largest, _ := found[specs[0].Name].whole("max.message.bytes")
	var problems []Problem
	for _, spec := range specs {
		is := now.topics[spec.Name]
		if is.partitions == 0 {
			problems = append(problems, missing(spec, is))
			continue
		}
		c := check{spec: spec, need: needs[spec.Role], is: is, set: found[spec.Name]}
		c.partitions(source.partitions)
		if err := denied[spec.Name]; err != nil {
			c.unread(err)
		} else {
			c.settings(largest)
		}
		problems = append(problems, c.problems...)
	}
	return problems, nil
}

func missing(spec Spec, is state) Problem {
	p := Problem{Topic: spec.Name, Message: "the topic doesn't exist", WayOut: wayOutCreate, Fatal: true}
	if lost := needs[spec.Role].optional; lost != "" {
		p.Message, p.Fatal = "the topic doesn't exist: "+lost, false
	}
	if spec.Role == RoleSource {
		p.Message, p.WayOut = "the source topic doesn't exist", "correct kafka.topic, or "+wayOutCreate
	}
	if is.hidden {
		p.Message = "this user may not describe the topic, if there is one"
		p.WayOut = "give it the right DESCRIBE on the topic, or " + p.WayOut
	}
	return p
}

// check is the check of one topic.
type check struct {
	spec     Spec
	need     need
	is       state
	set      settings
	problems []Problem
}

func (c *check) fail(message, wayOut string) {
	c.problems = append(c.problems, Problem{Topic: c.spec.Name, Message: message, WayOut: wayOut, Fatal: true})
}

func (c *check) warn(message, wayOut string) {
	c.problems = append(c.problems, Problem{Topic: c.spec.Name, Message: message, WayOut: wayOut})
}

func (c *check) unread(err error) {
	p := Problem{Topic: c.spec.Name, Message: "its settings aren't checked: " + connect.Explain(err), WayOut: "try again", Unchecked: true}
	if errors.Is(err, kafka.TopicAuthorizationFailed) {
		p.Message, p.WayOut = "its settings aren't checked: this user may not read them", "give it the right DESCRIBE_CONFIGS on the topic"
	}
	c.problems = append(c.problems, p)
}

func (c *check) partitions(source int) {
	message := fmt.Sprintf("%d partitions where the source has %d", c.is.partitions, source)
	switch {
	case source == 0 || c.is.partitions == source:
	case c.is.partitions < source:
		c.fail(message, wayOutCreate+", which adds them")
	case c.need.spare:
		c.warn(message, "that does no harm")
	default:
		c.fail(message, "add partitions to the source, or delete this topic once it is read to its end and "+wayOutCreate)
	}
}

// settings looks at all that could delete or lose a record. What the brokers
// don't tell isn't judged.
func (c *check) settings(largest int64) {
	if c.spec.Role == RoleSource {
		if c.set["unclean.leader.election.enable"].value == "true" {
			c.warn(c.set.is("unclean.leader.election.enable")+", so that events may be lost with a broker", setTo("unclean.leader.election.enable", "false"))
		}
		return
	}
	c.cleanup()
	c.retention()
	if n, ok := c.set.whole("retention.bytes"); ok && n >= 0 {
		c.fail(c.set.is("retention.bytes")+", so that Kafka deletes records that are still needed once there are more", setTo("retention.bytes", "-1"))
	}
	if c.set["unclean.leader.election.enable"].value == "true" {
		c.fail(c.set.is("unclean.leader.election.enable")+", so that acknowledged records may be lost with a broker", setTo("unclean.leader.election.enable", "false"))
	}
	if n, ok := c.set.whole("min.insync.replicas"); ok {
		c.insync(int(n))
	}
	if wanted, mine := c.need.more[timestampType]; mine && c.set[timestampType].value != "" && c.set[timestampType].value != wanted {
		c.warn(c.set.is(timestampType)+", so that brokers don't tell the time, and Twilio's is believed", setTo(timestampType, wanted))
	}
	if n, ok := c.set.whole("max.message.bytes"); ok && c.need.events && n < largest {
		c.fail(fmt.Sprintf("%s where the source's is %d, so that an event may not fit", c.set.is("max.message.bytes"), largest),
			setTo("max.message.bytes", fmt.Sprint(largest+headroom)))
	}
}

func (c *check) cleanup() {
	policy, known := c.set["cleanup.policy"]
	if !known {
		return
	}
	switch compacts := strings.Contains(policy.value, "compact"); {
	case compacts && !c.need.compact:
		c.fail(c.set.is("cleanup.policy")+", so that Kafka drops all but the last record of a user", setTo("cleanup.policy", c.need.cleanup()))
	case !compacts && c.need.compact:
		c.fail(c.set.is("cleanup.policy")+", so that the topic grows without bounds", setTo("cleanup.policy", "["+c.need.cleanup()+"]"))
	}
}

func (c *check) retention() {
	got, known := c.set.whole("retention.ms")
	if !known || got < 0 || !strings.Contains(c.set["cleanup.policy"].value, "delete") {
		return
	}
	wanted := setTo("retention.ms", milliseconds(c.spec.retention()))
	switch {
	case got < c.need.least.Milliseconds():
		c.fail(fmt.Sprintf("%s: with less than %s, %s", c.set.is("retention.ms"), inDays(c.need.least), c.need.lost), wanted)
	case c.need.warn != "" && got < c.spec.retention().Milliseconds():
		c.warn(fmt.Sprintf("%s: with less than %s, %s", c.set.is("retention.ms"), inDays(c.spec.retention()), c.need.warn), wanted)
	}
}

func (c *check) insync(atLeast int) {
	is := c.set.is("min.insync.replicas")
	switch replicas := c.is.replication; {
	case atLeast > replicas:
		c.fail(fmt.Sprintf("%s and there are %d replicas: nothing can be written", is, replicas), "lower the one or raise the other")
	case atLeast == replicas && replicas > 1:
		c.warn(fmt.Sprintf("%s, as many as there are replicas: while any broker restarts, sending stops", is), setTo("min.insync.replicas", fmt.Sprint(replicas-1)))
	case atLeast == 1 && replicas > 1:
		c.warn(is+": a record may be on one broker only, and be lost with it", setTo("min.insync.replicas", "2")+", with 3 replicas")
	}
}

// setTo is how to mend a setting.
func setTo(name, value string) string {
	return fmt.Sprintf("set %s=%s on the topic (kafka-configs.sh --alter --add-config)", name, value)
}

func inDays(d time.Duration) string {
	switch days := d / day; {
	case days == 1:
		return "a day"
	case days > 1:
		return fmt.Sprintf("%d days", days)
	default:
		return d.String()
	}
}
