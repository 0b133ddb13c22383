package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// errNoJava: Kafka's jars can't be had or run here at all.
var errNoJava = errors.New("needs Java 17 and Maven (make install-deps), or KAFKA_BROKERS=host:port of an Apache Kafka 4.x that runs")

// jars returns the folder with Kafka's jars, which Maven fills at first. It
// may be called by several processes at once.
func jars(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("java"); err != nil {
		return "", errNoJava
	}
	home, err := home()
	if err != nil {
		return "", err
	}
	target := filepath.Join(home, "target")
	if err := os.MkdirAll(target, 0o755); err != nil {
		return "", err
	}
	unlock, err := lock(filepath.Join(target, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	libs, pom, copied := filepath.Join(target, "libs"), filepath.Join(home, "pom.xml"), filepath.Join(target, "pom.copied")
	want, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	if have, err := os.ReadFile(copied); err == nil && string(have) == string(want) {
		return libs, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errNoJava
	}
	if err := os.RemoveAll(libs); err != nil { // of another pom
		return "", err
	}
	out, err := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", pom, "dependency:copy-dependencies").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("fetch Kafka's jars with Maven: %w\n%s", err, tail(string(out)))
	}
	return libs, os.WriteFile(copied, want, 0o644)
}

// home is this package's folder, found from wherever in the module a test
// or a command runs.
func home() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module engage-worker\n") {
			return filepath.Join(dir, "test", "kafka"), nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("run this from within the engage-worker module: Kafka's jars are kept under its test/kafka/target")
	}
}

// lock waits for the file's lock, which the system frees when the process
// ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
