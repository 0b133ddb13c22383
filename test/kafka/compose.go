package kafka

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// composeBroker is what compose.yaml publishes.
const composeBroker = "127.0.0.1:19092"

// composeAnswers reports whether docker compose and its engine are there.
func composeAnswers(ctx context.Context) bool {
	return exec.CommandContext(ctx, "docker", "compose", "version").Run() == nil &&
		exec.CommandContext(ctx, "docker", "info").Run() == nil
}

func runCompose(ctx context.Context, opts Options) (*Cluster, error) {
	if err := needsOwn(opts); err != nil {
		return nil, fmt.Errorf("start Kafka with docker compose: %w", err)
	}
	home, err := home()
	if err != nil {
		return nil, err
	}
	compose := func(ctx context.Context, args ...string) error {
		args = append([]string{"compose", "--project-name", "engage-worker-test", "--file", filepath.Join(home, "compose.yaml")}, args...)
		if out, err := exec.CommandContext(ctx, "docker", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("docker compose: %w\n%s", err, tail(string(out)))
		}
		return nil
	}
	down := func() error { return compose(context.WithoutCancel(ctx), "down", "--volumes") }
	if err := compose(ctx, "up", "--detach", "--wait"); err != nil {
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	if err := ready(ctx, []string{composeBroker}, 1, func() error { return nil }); err != nil {
		_ = down() // the error to tell is the first
		return nil, fmt.Errorf("start Kafka: %w", err)
	}
	return &Cluster{brokers: []string{composeBroker}, close: down}, nil
}
