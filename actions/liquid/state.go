package liquid

import (
	"fmt"
	"slices"
	"time"

	"engage-worker/actions/jsvalue"
)

// maxOutput is how many bytes one rendering makes at most. A message has 1,600
// characters at most; what is beyond is a mistake or an attack.
const maxOutput = 256 << 10

// state is one rendering. It is used by one goroutine.
type state struct {
	vars     any      // what the caller gave
	assigned []entry  // by assign and capture
	counters []entry  // by increment and decrement
	scopes   []*scope // of the loops around
	cycles   map[string]int
	offsets  map[string]float64 // where a loop with offset:continue goes on
	out      []byte
	budget   *Budget
	data     []string // for the holes
	now      func() time.Time
	halves   bool      // some text may hold half a character
	empty    *[]string // outputs that came out empty; nil: nobody asks
}

type entry struct {
	name  string
	value any
}

// scope is what a loop defines inside.
type scope struct {
	loopName string // forloop or tablerowloop
	loop     *forloop
	name     string // of the item
	value    any
}

// mend puts halves of characters together that have come side by side.
func (st *state) mend(s string) string {
	if !st.halves {
		return s
	}
	return jsvalue.JoinHalves(s)
}

// spend takes from what the rendering may still do.
func (st *state) spend(work float64) error { return st.budget.Spend(work) }

// weigh spends for all that is in v. A value can hold another many times over,
// and that one others, so that what takes little memory would be endless to
// write out: v is weighed before it is looked into.
func (st *state) weigh(v any) error { return st.weighAt(v, 0) }

func (st *state) weighAt(v any, depth int) error {
	if depth > jsvalue.MaxDepth {
		return fmt.Errorf("a value nests more than %d deep", jsvalue.MaxDepth)
	}
	switch v := v.(type) {
	case string:
		return st.spend(float64(len(v)))
	case float64:
		return st.spend(4) // it may be printed
	case *forloop:
		return st.spend(64)
	case named:
		return st.weighAt(v.value, depth)
	case []any:
		if err := st.spend(float64(1 + len(v))); err != nil {
			return err
		}
		for _, item := range v {
			if err := st.weighAt(item, depth+1); err != nil {
				return err
			}
		}
	case *jsvalue.Object, map[string]any:
		if err := st.spend(float64(1 + jsvalue.Len(v))); err != nil {
			return err
		}
		members := jsvalue.Members(v)
		for i := range members {
			var err error
			if text, ok := members[i].Text(); ok {
				err = st.spend(float64(len(text)))
			} else {
				err = st.weighAt(members[i].Value(), depth+1)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// weighAll weighs several values.
func (st *state) weighAll(values ...any) error {
	for _, v := range values {
		if err := st.weigh(v); err != nil {
			return err
		}
	}
	return nil
}

func (st *state) write(s string) error {
	if len(st.out)+len(s) > maxOutput {
		return fmt.Errorf("the template makes more than %d bytes", maxOutput)
	}
	st.out = append(st.out, s...)
	return st.spend(float64(len(s)) / 32)
}

// print writes a value as it prints.
func (st *state) print(v any) error {
	switch v := v.(type) {
	case string:
		return st.write(v)
	case nil, jsvalue.Undefined:
		return nil
	case float64:
		if len(st.out) < maxOutput {
			st.out = jsvalue.AppendNumber(st.out, v)
		}
		return st.spend(8)
	}
	if err := st.weigh(v); err != nil {
		return err
	}
	return st.write(text(v))
}

// variable looks a name up: in the loops around, inner first, among what was
// assigned, then among what the caller gave.
func (st *state) variable(name string) (any, error) {
	names := len(st.scopes) + len(st.assigned) + len(st.counters)
	return st.lookUp(name), st.spend(1 + float64(names)/4 + float64(len(name)*(1+names))/64)
}

func (st *state) lookUp(name string) any {
	for _, s := range slices.Backward(st.scopes) {
		switch name {
		case s.name:
			return s.value
		case s.loopName:
			return s.loop
		}
	}
	for i := range st.assigned {
		if st.assigned[i].name == name {
			return st.assigned[i].value
		}
	}
	for i := range st.counters {
		if st.counters[i].name == name {
			return st.counters[i].value
		}
	}
	if v, ok := jsvalue.Get(st.vars, name); ok {
		return v
	}
	return jsvalue.Undefined{}
}

func (st *state) assign(name string, v any) {
	st.assigned = set(st.assigned, name, v)
}

// named pays for a look among what was assigned or counted.
func (st *state) named(name string) error {
	names := len(st.assigned) + len(st.counters)
	return st.spend(1 + float64(names)/4 + float64(len(name)*(1+names))/64)
}

// count adds to a counter of the caller's scope, which starts at 0 unless the
// caller gave a number, and returns what it was and what it is.
func (st *state) count(name string, by float64) (before, after float64) {
	current := any(nil)
	if v, ok := jsvalue.Get(st.vars, name); ok {
		current = jsvalue.Of(v)
	}
	for i := range st.counters {
		if st.counters[i].name == name {
			current = st.counters[i].value
		}
	}
	before, _ = current.(float64)
	after = before + by
	st.counters = set(st.counters, name, after)
	return before, after
}

func set(entries []entry, name string, v any) []entry {
	for i := range entries {
		if entries[i].name == name {
			entries[i].value = v
			return entries
		}
	}
	return append(entries, entry{name, v})
}

// captured renders a body and returns what it wrote.
func (st *state) captured(body sequence) (string, error) {
	start := len(st.out)
	err := body.render(st)
	s := string(st.out[start:])
	st.out = st.out[:start]
	return s, err
}
