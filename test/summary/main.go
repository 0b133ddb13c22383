// Command summary reads the output of go test -json from standard input,
// prints it as go test -v would, and then what passed, failed and was skipped
// in each package. It fails when a test failed, when a package has no test
// that passed, and when a test was skipped for another reason than that
// it is about the embedded broker: a suite that was asked for must run.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// embeddedOnly is what a test says that only makes sense on the embedded
// broker.
const embeddedOnly = "the embedded broker"

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "summary:", err)
		os.Exit(1)
	}
}

// event is a line of go test -json (see go doc test2json).
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// result is what became of a package.
type result struct {
	passed, failed int
	excused        int      // skipped as embeddedOnly
	skipped        []string // for another reason
	broken         bool     // failed as a whole: didn't build, timed out
}

func run(in io.Reader, out io.Writer) error {
	results := map[string]*result{}
	said := map[string]string{} // by package and test
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(out, lines.Text()) // of the go command itself
			continue
		}
		if e.Output != "" {
			fmt.Fprint(out, e.Output)
		}
		if e.Package == "" {
			continue
		}
		r := results[e.Package]
		if r == nil {
			r = &result{}
			results[e.Package] = r
		}
		r.take(e, said)
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return conclude(results, out)
}

// take counts the event; said collects what each test printed.
func (r *result) take(e event, said map[string]string) {
	test := e.Package + " " + e.Test
	switch {
	case e.Action == "output":
		said[test] += e.Output
		return
	case e.Test == "":
		r.broken = r.broken || e.Action == "fail"
	case e.Action == "pass":
		r.passed++
	case e.Action == "fail":
		r.failed++
	case e.Action == "skip" && strings.Contains(said[test], embeddedOnly):
		r.excused++
	case e.Action == "skip":
		r.skipped = append(r.skipped, e.Test)
	default:
		return
	}
	delete(said, test)
}

func conclude(results map[string]*result, out io.Writer) error {
	var bad []string
	fmt.Fprintln(out)
	for _, name := range slices.Sorted(maps.Keys(results)) {
		r := results[name]
		fmt.Fprintf(out, "%s: %d passed, %d failed, %d skipped, %d for the embedded broker only\n", name, r.passed, r.failed, len(r.skipped), r.excused)
		switch {
		case r.failed > 0 || r.broken:
			bad = append(bad, name+" failed")
		case len(r.skipped) > 0:
			bad = append(bad, name+" skipped "+strings.Join(r.skipped, ", "))
		case r.passed == 0:
			bad = append(bad, name+" ran no test")
		}
	}
	if len(results) == 0 {
		bad = append(bad, "no package was tested")
	}
	if bad != nil {
		return fmt.Errorf("%s", strings.Join(bad, "; "))
	}
	return nil
}
