package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Problem is something about a topic that isn't as the worker wants it.
type Problem struct {
	Topic   string
	Message string // what is wrong and the way out
	// Fatal: the worker can't keep its guarantees. Otherwise it works, but
	// someone should know.
	Fatal bool
}

func (p Problem) String() string { return p.Topic + ": " + p.Message }

const (
	wayOutCreate = "run `engage-worker topics create`"

	// minRetryRetention leaves a day to mend what keeps retries from being
	// read.
	minRetryRetention = 24 * time.Hour
)

// CheckTopics compares the topics with what the worker wants, in the order of
// the specs, of which the first is the source. The error is one of reaching
// Kafka; see Explain. It takes 12 s at most.
func CheckTopics(ctx context.Context, client *kafka.Client, specs []Spec) ([]Problem, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now, err := describe(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	var there []string
	for _, spec := range specs {
		if now.topics[spec.Name].partitions > 0 {
			there = append(there, spec.Name)
		}
	}
	found, denied, err := describeConfigs(ctx, client, there,
		"cleanup.policy", "retention.ms", "min.insync.replicas", "max.message.bytes")
	if err != nil {
		return nil, err
	}
	source := now.topics[specs[0].Name]
	largest, _ := found[specs[0].Name].whole("max.message.bytes")
	var problems []Problem
	for _, spec := range specs {
		is := now.topics[spec.Name]
		if is.partitions == 0 {
			problems = append(problems, missing(spec))
			continue
		}
		c := topicCheck{spec: spec, is: is}
		c.partitions(source.partitions)
		if err := denied[spec.Name]; err != nil {
			c.warn("its settings can't be read, so they aren't checked: %s", Explain(err))
		} else if spec.Role != RoleSource {
			c.settings(found[spec.Name], largest)
		}
		problems = append(problems, c.problems...)
	}
	return problems, nil
}

func missing(spec Spec) Problem {
	message := "the topic doesn't exist, or this user may not describe it; " + wayOutCreate
	if spec.Role == RoleSource {
		message = "the source topic doesn't exist, or this user may not describe it; correct kafka.topic, or " + wayOutCreate
	}
	return Problem{Topic: spec.Name, Message: message, Fatal: true}
}

// topicCheck is the check of one topic.
type topicCheck struct {
	spec     Spec
	is       state
	problems []Problem
}

func (c *topicCheck) fail(format string, args ...any) {
	c.problems = append(c.problems, Problem{Topic: c.spec.Name, Message: fmt.Sprintf(format, args...), Fatal: true})
}

func (c *topicCheck) warn(format string, args ...any) {
	c.problems = append(c.problems, Problem{Topic: c.spec.Name, Message: fmt.Sprintf(format, args...)})
}

func (c *topicCheck) partitions(source int) {
	switch {
	case source == 0 || c.is.partitions == source:
	case c.is.partitions < source:
		c.fail("%d partitions where the source has %d; %s, which adds them", c.is.partitions, source, wayOutCreate)
	case c.spec.Role == RoleDeadLetter:
		c.warn("%d partitions where the source has %d; that does no harm", c.is.partitions, source)
	default:
		c.fail("%d partitions where the source has %d; add partitions to the source, or delete this topic once it is read to its end and %s",
			c.is.partitions, source, wayOutCreate)
	}
}

func (c *topicCheck) settings(s settings, largest int64) {
	c.cleanup(s)
	if n, ok := s.whole("min.insync.replicas"); ok {
		c.insync(int(n))
	}
	if n, ok := s.whole("max.message.bytes"); ok && c.spec.Role != RoleLedger && n < largest {
		c.fail("max.message.bytes is %d where the source's is %d, so that an event may not fit; set it to %d", n, largest, largest+headroom)
	}
}

func (c *topicCheck) cleanup(s settings) {
	policy := strings.Split(strings.ReplaceAll(s["cleanup.policy"], " ", ""), ",")
	compacted := slices.Contains(policy, "compact")
	retention, known := s.whole("retention.ms")
	shorter := func(than time.Duration) bool {
		return known && retention >= 0 && slices.Contains(policy, "delete") && retention < than.Milliseconds()
	}
	switch c.spec.Role {
	case RoleLedger:
		if !compacted {
			c.fail("cleanup.policy is %s; set it to compact,delete, or the ledger grows without bounds", s["cleanup.policy"])
		}
		if shorter(ledgerRetention) {
			c.warn("retention.ms is %d; with less than 7 days (%s), an event that comes again later is sent again", retention, milliseconds(ledgerRetention))
		}
	default:
		if compacted {
			c.fail("cleanup.policy is %s; set it to delete, or Kafka drops all but the last record of a user", s["cleanup.policy"])
		}
		if c.spec.Role == RoleRetry && shorter(minRetryRetention) {
			c.fail("retention.ms is %d; with less than a day (%s), a retry may be deleted before it is read", retention, milliseconds(minRetryRetention))
		}
	}
}

func (c *topicCheck) insync(atLeast int) {
	switch replicas := c.is.replication; {
	case atLeast > replicas:
		c.fail("min.insync.replicas is %d and there are %d replicas: nothing can be written; lower the one or raise the other", atLeast, replicas)
	case atLeast == replicas && replicas > 1:
		c.warn("min.insync.replicas is %d, as many as there are replicas: while any broker restarts, sending stops; lower it to %d", atLeast, replicas-1)
	case atLeast == 1 && replicas > 1:
		c.warn("min.insync.replicas is 1: a record may be on one broker only, and be lost with it; set it to 2 (with 3 replicas)")
	}
}
