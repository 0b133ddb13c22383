package mapping

import (
	"errors"
	"fmt"

	"engage-worker/actions/jsvalue"
)

// Value is a compiled mapping: a JSON value with directives in it. It is
// immutable and safe for concurrent use.
type Value struct {
	root node
}

// Fault is something wrong with a mapping.
type Fault struct {
	// Path leads to the place from the value that Compile was given: "" is
	// the value itself, "[0].@if.exists" something inside of it.
	Path    string
	Message string
}

// Compile compiles v: nil, bool, a number, string, []any, map[string]any or
// *jsvalue.Object. Only the last keeps the order in which an object's keys
// were written. It reports all faults, in the order of the text; with any,
// the Value is nil.
func Compile(v any) (*Value, []Fault) {
	var c compiler
	root := c.compile(v, "", 0)
	if len(c.faults) > 0 {
		return nil, c.faults
	}
	return &Value{root}, nil
}

// ResolveError is a directive that failed on an event. It holds no part of the
// event.
type ResolveError struct {
	Path string // as in Fault
	Err  error
}

func (e *ResolveError) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *ResolveError) Unwrap() error { return e.Err }

// Resolve applies the mapping to an event, an object. What it returns shares
// the event's values and must not be changed. Objects that it makes are
// *jsvalue.Object; one taken from the event by a path is what it was there.
// Not defined is JavaScript's undefined: the field counts as absent, and value
// is nil. An error is a *ResolveError.
func (v *Value) Resolve(event any) (value any, defined bool, err error) {
	if value, ok := v.Static(); ok {
		return value, true, nil
	}
	value, err = v.root.resolve(&run{budget: maxWork}, event)
	if err != nil {
		var known *ResolveError
		if !errors.As(err, &known) {
			err = &ResolveError{Err: err}
		}
		return nil, false, err
	}
	if value = withoutUndefined(value, 0); value == (jsvalue.Undefined{}) {
		return nil, false, nil
	}
	return value, true, nil
}

// Static is the value, if the event has no part in it.
func (v *Value) Static() (value any, ok bool) {
	c, ok := v.root.(constant)
	if !ok || c.value == (jsvalue.Undefined{}) {
		return nil, false
	}
	return c.value, true
}

// node is a part of a compiled mapping.
type node interface {
	resolve(r *run, payload any) (any, error)
}

// maxWork bounds what one Resolve makes, in bytes of text and members of
// arrays and objects: a mapping can multiply what an event holds.
const maxWork = 8 << 20

// maxNesting bounds how deep directives and values nest.
const maxNesting = 100

// run is one Resolve.
type run struct {
	budget int
}

// spend takes n from what the run may still make.
func (r *run) spend(n int) error {
	if r.budget -= n; r.budget < 0 {
		return fmt.Errorf("makes more than %d MiB of values", maxWork>>20)
	}
	return nil
}

// withoutUndefined is v without the members of objects that are undefined, at
// any depth; v itself where there are none.
func withoutUndefined(v any, depth int) any {
	if !hasUndefined(v, depth) {
		return v
	}
	switch v := v.(type) {
	case []any:
		items := make([]any, len(v))
		for i, item := range v {
			items[i] = withoutUndefined(item, depth+1)
		}
		return items
	case *jsvalue.Object, map[string]any:
		o := jsvalue.NewObject(jsvalue.Len(v))
		for key, value := range jsvalue.All(v) {
			if value != (jsvalue.Undefined{}) {
				o.Set(key, withoutUndefined(value, depth+1))
			}
		}
		return o
	default:
		return v
	}
}
