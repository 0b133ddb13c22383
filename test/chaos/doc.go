// Command chaos proves that nothing is lost and nobody is texted twice: it
// runs replicas of engage-worker as processes under load, breaks things by a
// seeded schedule, and compares what was produced with what the simulated
// Twilio accepted, the dead letters, the retries still due and the commits.
//
//	producer ──▶ source ──▶ proxy ──▶ replicas (processes) ──▶ proxy ──▶ simulated Twilio
//	             (embedded broker,       kill, freeze,          cut,       (records every
//	              or real Kafka)         stop, add              delay       request and message)
//	                  └──────────────────▶ History ◀──────────────────────────────┘
//	                                          │
//	                                        Check ──▶ verdict
//
// Everything is written as JSON Lines into a folder a run, with the replicas'
// logs, so that a failed run can be studied.
package main
