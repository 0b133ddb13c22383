// Command scale works out what a fleet asks of Kafka and of its machines, and
// what breaks first as it grows: a small model with a fixed seed, whose constants
// are measured. It runs nothing and takes no time. docs/scale.md says what
// follows.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

func main() {
	plans := usual()
	one := plans[0]
	flag.Float64Var(&one.Rate, "rate", 0, "messages a second at the peak; 0: the table of docs/scale.md")
	flag.IntVar(&one.Replicas, "replicas", 3, "of engage-worker")
	flag.IntVar(&one.Partitions, "partitions", 12, "of the source")
	flag.IntVar(&one.Destinations, "destinations", 1, "with the same load each")
	flag.IntVar(&one.Brokers, "brokers", 3, "of Kafka")
	flag.DurationVar(&one.Answer, "answer", one.Answer, "how long a request to Twilio takes")
	flag.DurationVar(&one.Busy, "busy", one.Busy, "how long a day is at the peak")
	flag.IntVar(&one.Days, "retention", one.Days, "of the ledger, days")
	flag.Parse()
	if one.Rate > 0 {
		plans = []plan{one}
	}
	if err := write(os.Stdout, plans); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// usual are the plans of docs/scale.md.
func usual() []plan {
	var plans []plan
	for _, p := range []struct {
		rate                          float64
		replicas, partitions, brokers int
	}{
		{200, 3, 12, 3}, {1_000, 6, 48, 3}, {10_000, 20, 100, 6}, {10_000, 200, 2_000, 12}, {100_000, 100, 200, 30}, {100_000, 400, 4_000, 30},
	} {
		plans = append(plans, plan{
			Rate: p.rate, Replicas: p.replicas, Partitions: p.partitions, Brokers: p.brokers,
			Destinations: 1, Answer: 250 * time.Millisecond, Busy: 6 * time.Hour, Days: 7,
		})
	}
	return plans
}

// write writes a row for each figure and a column for each plan.
func write(w io.Writer, plans []plan) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	results := make([]result, len(plans))
	for i, p := range plans {
		results[i] = p.work()
	}
	row := func(what string, of func(plan, result) string) {
		fmt.Fprint(t, what)
		for i, p := range plans {
			fmt.Fprint(t, "\t", of(p, results[i]))
		}
		fmt.Fprintln(t)
	}
	row("messages a second", func(p plan, _ result) string { return count(p.Rate) })
	row("replicas", func(p plan, _ result) string { return count(float64(p.Replicas)) })
	row("partitions of the source", func(p plan, _ result) string { return count(float64(p.Partitions)) })
	row("brokers", func(p plan, _ result) string { return count(float64(p.Brokers)) })
	row("processor time, cores a replica", func(_ plan, f result) string { return fmt.Sprintf("%.2f", f.cores) })
	row("requests in flight a replica", func(_ plan, f result) string { return count(f.inFlight) })
	row("memory a replica, MiB", func(_ plan, f result) string { return count(f.memory / (1 << 20)) })
	row("  of it the ledger", func(_ plan, f result) string { return count(f.ledger / (1 << 20)) })
	row("produce requests/s", func(_ plan, f result) string { return count(f.produce) })
	row("  a broker", func(p plan, f result) string { return count(f.produce / float64(p.Brokers)) })
	row("fetch requests/s", func(_ plan, f result) string { return count(f.fetch) })
	row("commits/s", func(_ plan, f result) string { return count(f.commits) })
	row("heartbeats/s", func(_ plan, f result) string { return count(f.heartbeats) })
	row("ledger written, MB/s", func(_ plan, f result) string { return fmt.Sprintf("%.2f", f.written/1e6) })
	row("status records/s", func(_ plan, f result) string { return count(f.statuses) })
	row("lending: notes/s", func(_ plan, f result) string { return count(f.notes) })
	row("  read from its broker, MB/s", func(_ plan, f result) string { return fmt.Sprintf("%.2f", f.notesRead/1e6) })
	row("partitions of all topics, a broker", func(_ plan, f result) string { return count(f.partitions) })
	row("a rolling restart, one by one", func(_ plan, f result) string { return f.restart.Round(time.Second).String() })
	row("breaks first", func(_ plan, f result) string { return f.first })
	row("  at, messages/s", func(p plan, f result) string {
		if f.firstAt <= p.Rate {
			return "now"
		}
		return count(f.firstAt)
	})
	return t.Flush()
}

// count is a number to three digits.
func count(x float64) string {
	switch {
	case x >= 10_000:
		return fmt.Sprintf("%.0fk", x/1000)
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	default:
		return fmt.Sprintf("%.3g", x)
	}
}
