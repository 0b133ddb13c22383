package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"engage-worker/test/chaos/evidence"
)

// replica is a process of engage-worker.
type replica struct {
	name   string
	log    string // its file
	ready  string // the message by which it says that it works, and where
	cmd    *exec.Cmd
	exited chan struct{}
	ended  time.Time // set when exited is closed
}

// startReplica runs the program as a worker with a configuration; its log goes to dir.
func startReplica(program, config, dir, name string, env ...string) (*replica, error) {
	return startProcess(dir, name, "started", env, program, "run", "--config", config)
}

// startProcess runs the program with arguments.
func startProcess(dir, name, ready string, env []string, program string, args ...string) (*replica, error) {
	r := &replica{name: name, log: filepath.Join(dir, name+".log"), ready: ready, exited: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.cmd = exec.Command(program, args...)
	r.cmd.Stdout, r.cmd.Stderr = log, log
	r.cmd.Env = append(os.Environ(), env...)
	r.cmd.SysProcAttr = attributes()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a replica: %w", err)
	}
	go func() { // ends with the process
		_ = r.cmd.Wait() // how it ended is in ProcessState
		r.ended = time.Now()
		close(r.exited)
	}()
	return r, nil
}

func (r *replica) running() bool {
	select {
	case <-r.exited:
		return false
	default:
		return true
	}
}

func (r *replica) signal(s syscall.Signal) error {
	if err := r.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%v to %s: %w", s, r.name, err)
	}
	return nil
}

// kill ends it at once.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // else it is gone already
	<-r.exited
}

// stop ends it in order and tells how that went.
func (r *replica) stop(within time.Duration) error {
	if err := r.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-r.exited:
	case <-time.After(within):
		r.kill()
		return fmt.Errorf("%s didn't end within %v of SIGTERM", r.name, within)
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %v; see %s", r.name, r.cmd.ProcessState, r.log)
	}
	return nil
}

// owned reads from its log which shards it had when.
func (r *replica) owned() ([]evidence.Owner, error) {
	f, err := os.Open(r.log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []evidence.Owner
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct {
			Time       time.Time
			Message    string
			Shards     []int
			Generation int32
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil {
			continue // a line cut off by a kill, or a stack
		}
		switch line.Message {
		case "shards assigned":
			for _, s := range line.Shards {
				all = append(all, evidence.Owner{Replica: r.name, Shard: s, Generation: line.Generation, From: line.Time})
			}
		case "shards given up":
			for i := range all {
				if all[i].Generation == line.Generation {
					all[i].Until = line.Time
				}
			}
		}
	}
	if !r.running() {
		for i := range all {
			if all[i].Until.IsZero() {
				all[i].Until = r.ended
			}
		}
	}
	return all, lines.Err()
}

// started reports whether the replica once worked. One that can't reach Kafka when it
// starts ends, and is to be started again, as orchestrators do.
func (r *replica) started() bool {
	text, err := os.ReadFile(r.log)
	return err == nil && bytes.Contains(text, []byte(`"message":"`+r.ready+`"`))
}

// address is where it serves, "" before it has started.
func (r *replica) address() string {
	text, err := os.ReadFile(r.log)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(text) {
		var started struct{ Message, HTTP string }
		if json.Unmarshal(line, &started) == nil && started.Message == r.ready {
			return started.HTTP
		}
	}
	return ""
}

// shards are those that it owns now, by its log.
func (r *replica) shards() []int {
	all, err := r.owned()
	if err != nil || len(all) == 0 {
		return nil
	}
	var now []int
	for _, o := range all {
		if o.Generation == all[len(all)-1].Generation && o.Until.IsZero() {
			now = append(now, o.Shard)
		}
	}
	return now
}
