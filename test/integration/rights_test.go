package integration

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	testkafka "engage-worker/test/kafka"
)

// TestRightsTakenAway: a worker that runs says on /readyz which right was taken
// from it, and goes on once it has the right again: nothing is lost or doubled.
func TestRightsTakenAway(t *testing.T) {
	if !onKafka() {
		t.Skip("the embedded broker knows no rights")
	}
	own := testkafka.Start(t, testkafka.Options{Secured: true, Properties: map[string]string{
		"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS",
	}})
	admin := &kafka.Client{Addr: kafka.TCP(own.Brokers()...)}
	entry := func(resource kafka.ResourceType, operation kafka.ACLOperationType) kafka.ACLEntry {
		return kafka.ACLEntry{
			ResourceType: resource, ResourceName: "events-", ResourcePatternType: kafka.PatternTypePrefixed,
			Principal: "User:" + testkafka.Username, Host: "*", Operation: operation, PermissionType: kafka.ACLPermissionTypeAllow,
		}
	}
	grant := func(entries ...kafka.ACLEntry) {
		res, err := admin.CreateACLs(t.Context(), &kafka.CreateACLsRequest{ACLs: entries})
		if err == nil {
			err = errors.Join(res.Errors...)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	revoke := func(e kafka.ACLEntry) {
		res, err := admin.DeleteACLs(t.Context(), &kafka.DeleteACLsRequest{Filters: []kafka.DeleteACLsFilter{{
			ResourceTypeFilter: e.ResourceType, ResourceNameFilter: e.ResourceName, ResourcePatternTypeFilter: e.ResourcePatternType,
			PrincipalFilter: e.Principal, HostFilter: e.Host, Operation: e.Operation, PermissionType: e.PermissionType,
		}}})
		if err != nil || len(res.Results) != 1 || res.Results[0].Error != nil || len(res.Results[0].MatchingACLs) != 1 {
			t.Fatal(err, res)
		}
	}
	write, group := entry(kafka.ResourceTypeTopic, kafka.ACLOperationTypeWrite), entry(kafka.ResourceTypeGroup, kafka.ACLOperationTypeRead)
	grant(write, group)
	for _, operation := range []kafka.ACLOperationType{
		kafka.ACLOperationTypeRead, kafka.ACLOperationTypeCreate, kafka.ACLOperationTypeAlter,
		kafka.ACLOperationTypeDescribeConfigs, kafka.ACLOperationTypeAlterConfigs,
	} {
		grant(entry(kafka.ResourceTypeTopic, operation))
	}
	time.Sleep(time.Second) // until all listeners know of them: newRig makes the topics
	r := newRig(t, settings{
		brokers: own.SASLBrokers(), partitions: 2,
		kafka: "  sasl: {mechanism: plain, username: " + testkafka.Username + ", password: " + testkafka.Password + "}\n",
	})
	r.start()
	r.readyz(30*time.Second, http.StatusOK, "onboarding: owns 2 shards\n")
	r.produce(people(10, "")...)
	r.awaitDone(30 * time.Second)

	for _, right := range []struct {
		entry kafka.ACLEntry
		says  string
	}{
		{write, "this user hasn't the right WRITE on the topic " + r.cfg.DeadLetterTopic()},
		{group, "this user hasn't the right READ on the group " + r.cfg.GroupID("onboarding")},
	} {
		revoke(right.entry)
		r.readyz(60*time.Second, http.StatusServiceUnavailable, right.says)
		grant(right.entry)
		r.readyz(60*time.Second, http.StatusOK, "onboarding: owns 2 shards\n")
	}
	r.produce(people(20, "")[10:]...)
	r.awaitDone(30 * time.Second)
	r.onceEach(20)
}
