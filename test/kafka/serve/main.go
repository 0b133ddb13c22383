// Command serve runs a real Apache Kafka, made of its jars, until it is
// interrupted, and prints where it is: for trying things out by hand where
// there is no container engine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"engage-worker/test/kafka"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	brokers := flag.Int("brokers", 1, "how many")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	starting, cancel := context.WithTimeout(ctx, 5*time.Minute) // the first start fetches the jars
	defer cancel()
	c, err := kafka.Run(starting, kafka.Options{Brokers: *brokers})
	if err != nil {
		return err
	}
	fmt.Printf("export KAFKA_BROKERS=%s\n", strings.Join(c.Brokers(), ","))
	<-ctx.Done()
	return c.Close()
}
