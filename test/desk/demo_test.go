package desk

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// demonstration is a running demo --desk.
type demonstration struct {
	cmd    *exec.Cmd
	origin string
	output *lines
	read   chan struct{} // closed once all of its output is
}

// demonstrate builds the program and runs its demo as a user does.
func demonstrate(t *testing.T, args ...string) *demonstration {
	t.Helper()
	wanted(t)
	program := filepath.Join(t.TempDir(), "engage-worker")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/engage-worker").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := &demonstration{cmd: exec.Command(program, append([]string{"demo", "--desk", "--no-color"}, args...)...), output: &lines{}, read: make(chan struct{})}
	d.cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	d.cmd.Stderr = d.output
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.cmd.Process.Kill() // where it runs still
		d.cmd.Wait()
	})
	said := bufio.NewReader(io.TeeReader(stdout, d.output))
	for d.origin == "" {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("it ended, and said no address: %v\n%s", err, d.output)
		}
		_, d.origin, _ = strings.Cut(strings.TrimSpace(line), "The desk is at ")
	}
	go func() {
		defer close(d.read)
		io.Copy(io.Discard, said)
	}()
	return d
}

// end interrupts it, as Ctrl-C does. It fails where anything was lost or sent twice.
func (d *demonstration) end(t *testing.T) {
	t.Helper()
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-d.read
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("the demo: %v\n%s", err, d.output)
	}
}

// From a fresh clone: events become messages while one looks; a failure is found,
// understood, sent again, and seen to be delivered. Nothing is sent twice.
func TestDemo(t *testing.T) {
	d := demonstrate(t, "--events", "800")
	p := newTab(t, d.origin)
	p.open("/")
	const accepted = `Number(document.querySelector("#funnel tbody td:nth-of-type(3)")?.innerText.replace(/\D/g, "") ?? 0)`
	p.until(accepted + " > 0")
	first := evaluate[int](p, accepted)
	p.until(accepted + " > " + strconv.Itoa(first+50)) // on the page as it is open
	for !strings.Contains(d.output.String(), "knows its sender again") {
		p.until("true")
	}
	p.focus("Dead letters")
	p.leaves()
	p.until(`document.querySelector("#groups").innerText.includes("sender rejected")`)
	p.focus("sender rejected")
	p.leaves()
	const rows = `document.querySelectorAll("table.letters tbody tr").length`
	n := evaluate[int](p, rows)
	if n < refused {
		t.Errorf("%d messages were refused, want %d at least", n, refused)
	}
	p.focus(evaluate[string](p, `document.querySelector("table.letters a[href^='/dead-letters/']").innerText`))
	p.leaves()
	p.says("What mends it", "21606")
	p.wellBehaved()
	evaluate[chromedp.Void](p, `history.back()`)
	p.until(rows + " === " + strconv.Itoa(n))
	p.focus("Replay…")
	p.leaves()
	p.focus("Make a plan")
	p.leaves()
	p.until(`document.querySelector("input[name=word]")`)
	p.focus("Type “replay”")
	p.press("replay")
	p.press(kb.Enter)
	// Some people have opted out or are away: theirs fail again.
	const ended = `document.querySelectorAll("#became .pill.delivered, #became .pill.failed_again").length`
	p.until(ended + " === " + strconv.Itoa(n))
	if delivered := evaluate[int](p, `document.querySelectorAll("#became .pill.delivered").length`); delivered < n/2 {
		t.Errorf("%d of %d are delivered", delivered, n)
	}
	p.wellBehaved()
	d.end(t)
	if want := "sent twice                     0 "; !strings.Contains(d.output.String(), want) {
		t.Errorf("it doesn't end with %q:\n%s", want, d.output)
	}
}
