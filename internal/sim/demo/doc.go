// Package demo shows the worker at work, with everything that it needs in one
// process: an embedded broker, a simulated Twilio for each of two regions, and
// a producer of sample events.
//
//	producer ─▶ embedded broker ─▶ the worker ─▶ simulated Twilio: americas, europe
//	   │                              │                 │
//	   └── what should become ──▶ tally ◀── accepted ───┘     director: faults, an outage
//	                                │
//	                          screen, report
//
// The worker is the real one: it gets a configuration file like anyone else's
// and is only looked at through its metrics. What became of every event is
// then compared with what the producer knows should have.
package demo
