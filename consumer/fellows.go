package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"engage-worker/internal/pause"
)

// fellows are the other members of a generation, as far as their
// configurations are concerned.
type fellows struct {
	strangers bool // a member has another configuration, or tells none
	standsBy  bool // others have the shards, and another configuration
}

// look is what is known of the fellows. It is safe for concurrent use.
type look struct {
	once  sync.Once
	known chan struct{} // closed once there is an answer
	mu    sync.Mutex
	is    fellows
}

func newLook() *look { return &look{known: make(chan struct{})} }

func (l *look) set(f fellows) {
	l.mu.Lock()
	l.is = f
	l.mu.Unlock()
	l.once.Do(func() { close(l.known) })
}

// strangers waits until it is known whether there are any; see delivery.Parts.
func (l *look) strangers(ctx context.Context) (strangers, ok bool) {
	select {
	case <-l.known:
	case <-ctx.Done():
		return false, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.is.strangers, true
}

// lookAgain is how long to wait for a group that is between two generations.
const lookAgain = time.Second

// lookAround finds out what the other members would do, and tells of it. It
// ends when that is known, or ctx does. Until it is, somebody may be a stranger.
func (gen *generation) lookAround(ctx context.Context) {
	g := gen.group
	if g.cfg.Fingerprint == 0 {
		gen.look.set(fellows{})
		return
	}
	for {
		f, stable, err := g.fellows(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			g.log.Warn().Err(err).Msg("it can't be seen what other replicas are configured for")
			gen.look.set(fellows{strangers: true})
		case stable:
			gen.look.set(f)
			g.setStandsBy(f.standsBy)
			if f.strangers && !f.standsBy {
				g.log.Info().Msg("replicas of the consumer group have other actions or settings, or tell none, being of an earlier version; those with others own no shards until they are more than half, or none is left with these")
			}
			return
		}
		if !pause.For(ctx, lookAgain) {
			return
		}
	}
}

// fellows asks the coordinator for the group's members. stable is false between
// two generations, when it can't tell.
func (g *Group) fellows(ctx context.Context) (f fellows, stable bool, err error) {
	described, err := g.describe(ctx, g.cfg.GroupID)
	if err != nil || described.GroupState != "Stable" {
		return fellows{}, false, err
	}
	mine, theirs := 0, 0 // shards
	for _, m := range described.Members {
		if len(m.MemberMetadata.Topics) == 0 || m.MemberMetadata.Topics[0] != g.cfg.Topics.Source {
			continue
		}
		owned := 0
		for _, t := range m.MemberAssignments.Topics {
			if t.Topic == g.cfg.Topics.Source {
				owned = len(t.Partitions)
			}
		}
		if parseClaim(m.MemberMetadata.UserData).fingerprint == g.cfg.Fingerprint {
			mine += owned
		} else {
			f.strangers = true
			theirs += owned
		}
	}
	f.standsBy = mine == 0 && theirs > 0
	return f, true, nil
}

// describe asks the coordinator of a group for it. A group that there isn't
// has no members.
func (g *Group) describe(ctx context.Context, group string) (kafka.DescribeGroupsResponseGroup, error) {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	res, err := g.parts.Cluster.Client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
	if err == nil && len(res.Groups) != 1 {
		err = fmt.Errorf("the answer is of %d groups", len(res.Groups))
	}
	if err != nil {
		return kafka.DescribeGroupsResponseGroup{}, fmt.Errorf("describe the group %s: %w", group, err)
	}
	described := res.Groups[0]
	if described.Error != nil && !errors.Is(described.Error, kafka.GroupIdNotFound) {
		return kafka.DescribeGroupsResponseGroup{}, fmt.Errorf("describe the group %s: %w", group, described.Error)
	}
	return described, nil
}

// setStandsBy notes whether others have the shards and another configuration,
// and says so once.
func (g *Group) setStandsBy(standsBy bool) {
	g.mu.Lock()
	before := g.state.StandsBy
	g.state.StandsBy = standsBy
	g.mu.Unlock()
	gauge := g.parts.Metrics.StandingBy.WithLabelValues(g.cfg.Destination)
	switch {
	case standsBy && !before:
		gauge.Set(1)
		g.log.Warn().Msg("this replica stands by: the replicas that have the shards have other actions or settings. Its own take effect when more than half of the replicas have them, or none is left with the others")
	case !standsBy && before:
		gauge.Set(0)
		g.log.Info().Msg("this replica's actions and settings are at work")
	}
}
