// Package deadletter is the record of a delivery that failed: what it looks
// like in Kafka, how it gets there, how it is read, and how it is sent again.
//
//	Encode, Decode   Record <-> Kafka message
//	Publisher        Record  -> dead-letter topic, acknowledged by all in-sync replicas
//	Reader           dead-letter topic -> Records, a snapshot, partition by partition
//	Fold             which of them were written twice
//	Replayer         Records -> source topic, audited, rate-limited, resumable
//
// One record stands for one delivery: one event under one action of one
// destination. It carries the event's key, value and headers byte for byte;
// what is known of the failure is in headers of its own, behind the event's.
//
// It is larger than other packages, since planning a replay asks the states, these
// ask the record of replays, and all three speak of a letter by what the codec knows
// of it and shows nobody else.
//
// Invariants:
//   - A nil error of Publish means that all in-sync replicas have the record.
//   - The same event under the same action has the same ID, however often it
//     dies; readers fold by it and the number of replays, for Kafka may hold a
//     record twice.
//   - Names in ours belong to this package: an event's header of such a name
//     is a trace of an earlier death and is replaced, never doubled.
package deadletter
