package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describegroups"
)

// Operation is what an ACL allows, in Kafka's numbers.
type Operation int8

const (
	OpRead            Operation = 3
	OpWrite           Operation = 4
	OpDescribeConfigs Operation = 10
)

func (o Operation) String() string {
	switch o {
	case OpRead:
		return "READ"
	case OpWrite:
		return "WRITE"
	case OpDescribeConfigs:
		return "DESCRIBE_CONFIGS"
	default:
		return fmt.Sprintf("operation %d", int8(o))
	}
}

// Right is one thing that the worker's user has to be allowed to do.
type Right struct {
	Operation Operation
	Topic     string // or
	Group     string
	Granted   bool
	optional  bool // the worker works without the topic
}

func (r Right) String() string {
	if r.Group != "" {
		return fmt.Sprintf("%s on the group %s", r.Operation, r.Group)
	}
	return fmt.Sprintf("%s on the topic %s", r.Operation, r.Topic)
}

// Needed reports whether the worker can't work without the right.
func (r Right) Needed() bool { return r.Operation != OpDescribeConfigs && !r.optional }

// Optional reports whether the right is on a topic that the worker works
// without.
func (r Right) Optional() bool { return r.optional }

// WayOut is what grants it.
func (r Right) WayOut() string {
	if r.Group != "" {
		return fmt.Sprintf("give this user the right (kafka-acls.sh --add --allow-principal User:... --operation %s --group %s)", r.Operation, r.Group)
	}
	return fmt.Sprintf("give this user the right (kafka-acls.sh --add --allow-principal User:... --operation %s --topic %s)", r.Operation, r.Topic)
}

// Rights tells which rights the worker needs and whether this user has them,
// group by group and topic by topic. It changes nothing and writes nothing.
// Topics that don't exist, or that the user may not even describe, are left
// out: Check tells of those. The error is one of reaching Kafka.
func Rights(ctx context.Context, client *kafka.Client, specs []Spec, groups []string) ([]Right, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now, err := describe(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	var rights []Right
	for _, group := range groups {
		granted, err := mayJoin(ctx, client, group)
		if err != nil {
			return nil, fmt.Errorf("look up the rights on the group %s: %w", group, err)
		}
		rights = append(rights, Right{Operation: OpRead, Group: group, Granted: granted})
	}
	for _, spec := range specs {
		is := now.topics[spec.Name]
		if is.partitions == 0 {
			continue
		}
		for _, operation := range append(slices.Clone(needs[spec.Role].rights), OpDescribeConfigs) {
			rights = append(rights, Right{
				Operation: operation, Topic: spec.Name, Granted: is.operations&(1<<operation) != 0, optional: needs[spec.Role].optional != "",
			})
		}
	}
	return rights, nil
}

// mayJoin reports whether the user may READ the group.
func mayJoin(ctx context.Context, client *kafka.Client, group string) (bool, error) {
	const version = 3 // since Kafka 2.3
	res, err := askCoordinator(ctx, client, group, &question{
		Message: &describegroups.Request{Groups: []string{group}, IncludeAuthorizedOperations: true}, version: version,
	})
	if err != nil {
		return false, err
	}
	groups := res.(*describegroups.Response).Groups
	if len(groups) == 0 {
		return false, kafka.GroupCoordinatorNotAvailable
	}
	g := groups[0] // the only one that was asked for
	switch err := kafka.Error(g.ErrorCode); {
	case errors.Is(err, kafka.GroupAuthorizationFailed): // not even DESCRIBE
		return false, nil
	case g.ErrorCode != 0:
		return false, err
	}
	return g.AuthorizedOperations&(1<<OpRead) != 0, nil
}

// Obstacles are what keeps the worker from working, a line for each: topics
// that are gone, and rights that it needs and hasn't. The error is one of
// reaching Kafka.
func Obstacles(ctx context.Context, client *kafka.Client, specs []Spec, groups []string) ([]string, error) {
	now, err := describe(ctx, client, specs)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, spec := range specs {
		if is := now.topics[spec.Name]; is.partitions == 0 {
			if p := missing(spec, is); p.Fatal {
				found = append(found, p.String())
			}
		}
	}
	rights, err := Rights(ctx, client, specs, groups)
	if err != nil {
		return nil, err
	}
	for _, r := range rights {
		if r.Needed() && !r.Granted {
			found = append(found, fmt.Sprintf("this user hasn't the right %s; %s", r, r.WayOut()))
		}
	}
	return found, nil
}
