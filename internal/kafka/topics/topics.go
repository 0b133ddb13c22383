package topics

import (
	"time"

	"engage-worker/internal/config"
)

// Spec is a topic as the worker wants it. Its partitions are always as many as
// the source's.
type Spec struct {
	Name      string
	Role      Role
	Retention time.Duration // 0: the role's
}

func (s Spec) retention() time.Duration {
	if s.Retention > 0 {
		return s.Retention
	}
	return needs[s.Role].retention
}

// Of are the topics of a configuration: the source first, then the dead
// letters, then each destination's, last the rates.
func Of(cfg *config.Config) []Spec {
	specs := []Spec{
		{Name: cfg.Kafka.Topic, Role: RoleSource},
		{Name: cfg.DeadLetterTopic(), Role: RoleDeadLetter},
	}
	for _, d := range cfg.Destinations {
		for _, topic := range cfg.RetryTopics(d.Name) {
			specs = append(specs, Spec{Name: topic, Role: RoleRetry})
		}
		specs = append(specs, Spec{Name: cfg.LedgerTopic(d.Name), Role: RoleLedger, Retention: cfg.Ledger.Retention}, Spec{Name: cfg.StatusTopic(d.Name), Role: RoleStatus})
		if cfg.CallsBack(d.Name) {
			specs = append(specs, Spec{Name: cfg.CallbacksTopic(d.Name), Role: RoleCallbacks})
		}
	}
	return append(specs, Spec{Name: cfg.RatesTopic(), Role: RoleRates})
}

// Groups are the consumer groups of a configuration, one for each destination.
func Groups(cfg *config.Config) []string {
	groups := make([]string, len(cfg.Destinations))
	for i, d := range cfg.Destinations {
		groups[i] = cfg.GroupID(d.Name)
	}
	return groups
}
