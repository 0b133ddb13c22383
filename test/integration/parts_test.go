package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"

	"engage-worker/internal/config"
	"engage-worker/internal/kafka/connect"
	"engage-worker/internal/worker"
)

// asPart makes this test's binary be one part of a benchmark: a process of its
// own, so that the processor time and the memory that it tells of are its alone.
const asPart = "ENGAGE_BENCH_PART"

// profiles is the environment variable for where parts leave their profiles: PATH.PART.cpu and PATH.PART.heap
// are those of the last part of a kind.
const profiles = "BENCH_PROFILE"

// part is such a process, seen from the benchmark.
type part struct {
	b   *testing.B
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// usage is what a part tells of itself.
type usage struct {
	Read    int           // records, so far
	CPU     time.Duration // so far
	PeakKiB int           // resident memory
}

// startPart starts what runPart makes of what.
func startPart(b *testing.B, what string, args ...string) *part {
	b.Helper()
	p := &part{b: b, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), asPart+"="+strings.Join(append([]string{what}, args...), "\n"))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(p.stop)
	return p
}

// look asks the part what it has used.
func (p *part) look() (u usage) {
	p.b.Helper()
	if _, err := io.WriteString(p.in, "\n"); err != nil {
		p.b.Fatal(err)
	}
	if !p.out.Scan() {
		p.b.Fatal("a part of the benchmark has ended: ", p.out.Err())
	}
	if err := json.Unmarshal(p.out.Bytes(), &u); err != nil {
		p.b.Fatal(err)
	}
	return u
}

// stop ends the part; to call it again does nothing.
func (p *part) stop() {
	if p.cmd.ProcessState != nil {
		return
	}
	_ = p.in.Close() // which tells it to end
	if err := p.cmd.Wait(); err != nil {
		p.b.Error(err)
	}
}

// runPart is the part's own process.
func runPart(what string, args ...string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if path := os.Getenv(profiles); path != "" {
		stop, err := profile(path + "." + what)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer stop()
	}
	start := map[string]func(context.Context, []string) (read func() int, wait func() error, err error){
		"worker": workerPart, "worker-without-ledger": withoutLedgerPart, "loop": loopPart, "post": postPart,
	}[what]
	read, wait, err := start(ctx, args)
	if err == nil {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			told, _ := json.Marshal(usage{Read: read(), CPU: cpuTime(), PeakKiB: peakMemory()})
			fmt.Println(string(told))
		}
		cancel()
		err = wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// profile follows the process until stop.
func profile(path string) (stop func(), err error) {
	cpu, err := os.Create(path + ".cpu")
	if err != nil {
		return nil, err
	}
	heap, err := os.Create(path + ".heap")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		_ = pprof.Lookup("heap").WriteTo(heap, 0)
		_ = heap.Close()
	}, nil
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMemory is this process's VmHWM in KiB, where the system tells it: unlike
// Rusage's it doesn't count what the process had when it was forked.
func peakMemory() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, _ := strconv.Atoi(strings.Fields(after + " 0")[0])
	return kib
}

// workerPart is the worker of a configuration's file.
func workerPart(ctx context.Context, args []string) (read func() int, wait func() error, err error) {
	zerolog.SetGlobalLevel(zerolog.WarnLevel)
	cfg, err := config.Load(args[0])
	if err != nil {
		return nil, nil, err
	}
	w, err := worker.New(cfg, zerolog.New(os.Stderr), "bench", nil)
	if err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	read = func() int {
		families, err := w.Registry().Gather()
		if err != nil {
			return 0
		}
		sum := 0.0
		for _, f := range families {
			if f.GetName() == "engage_records_read_total" {
				for _, m := range f.GetMetric() {
					sum += number(m)
				}
			}
		}
		return int(sum)
	}
	return read, func() error { defer w.Close(); return <-done }, nil
}

// withoutLedgerPart is workerPart without the ledger.
func withoutLedgerPart(ctx context.Context, args []string) (read func() int, wait func() error, err error) {
	if err := os.Setenv("ENGAGE_UNSAFE_WITHOUT_LEDGER", "1"); err != nil {
		return nil, nil, err
	}
	return workerPart(ctx, args)
}

// loopPart is the fastest loop that kafka-go allows, which does nothing with
// the records: a ConsumerGroup, and a Conn.ReadBatch for each partition.
func loopPart(ctx context.Context, args []string) (read func() int, wait func() error, err error) {
	cfg, err := config.Load(args[0])
	if err != nil {
		return nil, nil, err
	}
	dialer, err := connect.Dialer(cfg.Kafka)
	if err != nil {
		return nil, nil, err
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: cfg.Kafka.GroupPrefix, Brokers: cfg.Kafka.Brokers, Dialer: dialer, Topics: []string{cfg.Kafka.Topic}, StartOffset: kafka.FirstOffset,
	})
	if err != nil {
		return nil, nil, err
	}
	gen, err := group.Next(ctx)
	if err != nil {
		return nil, nil, err
	}
	var n atomic.Int64
	for _, p := range gen.Assignments[cfg.Kafka.Topic] {
		gen.Start(func(ctx context.Context) {
			conn, err := dialer.DialLeader(ctx, "tcp", cfg.Kafka.Brokers[0], cfg.Kafka.Topic, p.ID)
			if err != nil {
				return
			}
			defer conn.Close()
			if _, err := conn.Seek(0, kafka.SeekStart); err != nil {
				return
			}
			for ctx.Err() == nil {
				conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				batch := conn.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: 1 << 20, MaxWait: 500 * time.Millisecond})
				for {
					if _, err := batch.ReadMessage(); err != nil {
						break
					}
					n.Add(1)
				}
				batch.Close()
			}
		})
	}
	return func() int { return int(n.Load()) }, group.Close, nil
}

// postPart posts a form from a file again and again, as one would by hand.
func postPart(ctx context.Context, args []string) (read func() int, wait func() error, err error) {
	url := args[0]
	inFlight, err := strconv.Atoi(args[1])
	if err != nil {
		return nil, nil, err
	}
	form, err := os.ReadFile(args[2])
	if err != nil {
		return nil, nil, err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: inFlight}}
	post := func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(form))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.SetBasicAuth("SK1", "s")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusCreated {
			return fmt.Errorf("HTTP %d", resp.StatusCode)
		}
		return nil
	}
	var posts sync.WaitGroup
	failed := make(chan error, inFlight)
	for range inFlight {
		posts.Go(func() {
			for ctx.Err() == nil {
				if err := post(); err != nil && ctx.Err() == nil {
					failed <- err
					return
				}
			}
		})
	}
	wait = func() error {
		posts.Wait()
		client.CloseIdleConnections()
		select {
		case err := <-failed:
			return err
		default:
			return nil
		}
	}
	return func() int { return 0 }, wait, nil
}
