package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// listener is an index into a node's ports.
type listener int

const (
	plain listener = iota
	controller
	saslPlain
	saslTLS
	onlyTLS
	listeners // how many
)

// clusterID is fixed: a Kafka cluster's is 16 bytes in base64url.
const clusterID = "ZW5nYWdlLXRlc3QtMDAwMQ"

// Node is one broker of a Cluster, which is a controller as well. It keeps
// its ports and its data over Stop, Kill and Start. Its methods must not be
// called concurrently.
type Node struct {
	ID int // 1 and up

	libs    string
	dir     string
	ports   []int
	secured *secured

	cmd    *exec.Cmd
	guard  *guard
	exited chan struct{} // closed when cmd ended; nil when it never ran
}

// Addr is the node's address without security.
func (n *Node) Addr() string { return n.addr(plain) }

func (n *Node) addr(l listener) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(n.ports[l]))
}

// Rack is where a node is.
func Rack(id int) string { return "rack-" + strconv.Itoa(id) }

// configure writes server.properties.
func (n *Node) configure(voters []string, extra map[string]string) error {
	replicas := min(len(voters), 3)
	inSync := max(replicas-1, 1)
	listen := []string{"PLAINTEXT://" + n.addr(plain)}
	if n.secured != nil {
		listen = append(listen, "SASL_PLAINTEXT://"+n.addr(saslPlain), "SASL_SSL://"+n.addr(saslTLS), "SSL://"+n.addr(onlyTLS))
	}
	p := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(n.ID),
		"broker.rack":                    Rack(n.ID),
		"controller.quorum.voters":       strings.Join(voters, ","),
		"controller.listener.names":      "CONTROLLER",
		"inter.broker.listener.name":     "PLAINTEXT",
		"listeners":                      strings.Join(append(slices.Clone(listen), "CONTROLLER://"+n.addr(controller)), ","),
		"advertised.listeners":           strings.Join(listen, ","),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
		"log.dirs":                       filepath.Join(n.dir, "data"),

		"auto.create.topics.enable":  "false",
		"default.replication.factor": strconv.Itoa(replicas),
		"min.insync.replicas":        strconv.Itoa(inSync),

		"offsets.topic.num.partitions":                     "4",
		"offsets.topic.replication.factor":                 strconv.Itoa(replicas),
		"transaction.state.log.num.partitions":             "4",
		"transaction.state.log.replication.factor":         strconv.Itoa(replicas),
		"transaction.state.log.min.isr":                    strconv.Itoa(inSync),
		"share.coordinator.state.topic.num.partitions":     "4",
		"share.coordinator.state.topic.replication.factor": strconv.Itoa(replicas),
		"share.coordinator.state.topic.min.isr":            strconv.Itoa(inSync),

		// Tests don't wait for members that may come, nor 6 s for one that died.
		"group.initial.rebalance.delay.ms": "0",
		"group.min.session.timeout.ms":     "500",

		"log.cleaner.dedupe.buffer.size": "4194304",
		"num.network.threads":            "2",
		"num.io.threads":                 "4",
	}
	if n.secured != nil {
		maps.Copy(p, n.secured.properties)
	}
	maps.Copy(p, extra)

	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "%s=%s\n", key, strings.ReplaceAll(p[key], `\`, `\\`))
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(n.properties(), []byte(text.String()), 0o600)
}

func (n *Node) properties() string { return filepath.Join(n.dir, "server.properties") }

// LogFile is where the broker writes what it has to say.
func (n *Node) LogFile() string { return filepath.Join(n.dir, "server.log") }

func (n *Node) java(main string, args ...string) []string {
	return append([]string{
		"-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
		"-Djava.awt.headless=true",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-cp", filepath.Join(n.libs, "*"), main,
	}, args...)
}

// format prepares the data folder, with the SCRAM user if there is one.
// Formatted before, it is left as it is.
func (n *Node) format(ctx context.Context) error {
	args := []string{"format", "--cluster-id", clusterID, "--config", n.properties(), "--ignore-formatted"}
	if n.secured != nil {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, Username, Password))
		}
	}
	out, err := exec.CommandContext(ctx, "java", n.java("kafka.tools.StorageTool", args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("format the data of broker %d: %w\n%s", n.ID, err, tail(string(out)))
	}
	return nil
}

// launch starts the process without waiting for it to take requests.
func (n *Node) launch() error {
	if n.running() {
		return fmt.Errorf("start broker %d: it runs already", n.ID)
	}
	log, err := os.OpenFile(n.LogFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("java", n.java("kafka.Kafka", n.properties())...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is the test's, not the broker's
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start broker %d: %w", n.ID, err)
	}
	n.cmd, n.exited = cmd, make(chan struct{})
	exited := n.exited
	go func() { // ends with the process
		_ = cmd.Wait() // how it ended is in ProcessState
		close(exited)
	}()
	n.guard, err = watch(cmd.Process.Pid)
	if err != nil {
		return errors.Join(fmt.Errorf("start broker %d: %w", n.ID, err), n.Kill())
	}
	return nil
}

func (n *Node) running() bool {
	if n.exited == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// alive is an error with the end of the log when the process ended.
func (n *Node) alive() error {
	if n.running() {
		return nil
	}
	return fmt.Errorf("broker %d ended (%v):\n%s", n.ID, n.cmd.ProcessState, n.LogTail())
}

// LogTail is the end of the broker's log.
func (n *Node) LogTail() string {
	text, err := os.ReadFile(n.LogFile())
	if err != nil {
		return err.Error()
	}
	return tail(string(text))
}

// tail is the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// Start starts the broker again after Stop or Kill, on the same ports and
// data, and returns when it takes requests.
func (n *Node) Start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return err
	}
	return ready(ctx, []string{n.Addr()}, 1, n.alive)
}

// Stop ends the broker in order (SIGTERM): it hands over its partitions, and
// leaves clean logs. One that takes over half a minute is killed.
func (n *Node) Stop() error {
	if n.running() {
		if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop broker %d: %w", n.ID, err)
		}
		select {
		case <-n.exited:
		case <-time.After(30 * time.Second):
		}
	}
	return n.Kill()
}

// Kill ends the broker at once (SIGKILL). Killing one that doesn't run does
// nothing.
func (n *Node) Kill() error {
	if n.exited == nil {
		return nil
	}
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill broker %d: %w", n.ID, err)
	}
	<-n.exited
	if n.guard != nil {
		n.guard.dismiss()
		n.guard = nil
	}
	return nil
}

// Restart is Stop and Start.
func (n *Node) Restart(ctx context.Context) error {
	if err := n.Stop(); err != nil {
		return err
	}
	return n.Start(ctx)
}

// Pause freezes the broker (SIGSTOP): connections stay and nobody answers.
func (n *Node) Pause() error { return n.signal("pause", syscall.SIGSTOP) }

// Resume ends a Pause.
func (n *Node) Resume() error { return n.signal("resume", syscall.SIGCONT) }

func (n *Node) signal(what string, s syscall.Signal) error {
	if !n.running() {
		return fmt.Errorf("%s broker %d: it doesn't run", what, n.ID)
	}
	if err := n.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("%s broker %d: %w", what, n.ID, err)
	}
	return nil
}

// guard kills a broker whose test process died without closing it (a test's
// timeout, kill -9): a shell that waits for the end of its standard input,
// which only this process holds open.
type guard struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

func watch(pid int) (*guard, error) {
	cmd := exec.Command("sh", "-c", `cat >/dev/null; kill -9 "$1" 2>/dev/null`, "guard", strconv.Itoa(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &guard{cmd: cmd, stdin: stdin}, nil
}

// dismiss ends the guard once its broker is gone, before another process
// can have got the broker's id.
func (g *guard) dismiss() {
	_ = syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL) // the shell and its cat
	_ = g.stdin.Close()
	_ = g.cmd.Wait() // killed, as told
}
