package mapping

import (
	"errors"
	"fmt"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
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
func Compile(v any) (*Value, []Fault) { return compile(v, false) }

// CompileTrusting is Compile for mappings that take templates out of events: a
// placeholder of @template in an event's text stands for what it leads to.
func CompileTrusting(v any) (*Value, []Fault) { return compile(v, true) }

func compile(v any, trusting bool) (*Value, []Fault) {
	c := compiler{trusting: trusting}
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
// is nil. An error is a *ResolveError. What @liquid renders is at the expense
// of work.
func (v *Value) Resolve(work *liquid.Budget, event any) (value any, defined bool, err error) {
	return v.resolve(&run{budget: maxWork, work: work}, event)
}

// ResolveTemplate is Resolve for values whose texts are templates. It tells
// what the mapping fixes from what the event says: a text is a *liquid.Source
// if any of it is fixed, and a string if all of it is data.
func (v *Value) ResolveTemplate(work *liquid.Budget, event any) (value any, defined bool, err error) {
	return v.resolve(&run{budget: maxWork, work: work, tracking: true}, event)
}

func (v *Value) resolve(r *run, event any) (value any, defined bool, err error) {
	if at, ok := v.root.(fixedPath); ok {
		value = at.path.get(event) // makes nothing, so there is nothing to weigh
	} else if value, err = v.root.resolve(r, event); err == nil {
		value, err = r.settle(value)
	}
	if err != nil {
		if _, known := errors.AsType[*ResolveError](err); !known {
			err = &ResolveError{Err: err}
		}
		return nil, false, err
	}
	if value == (jsvalue.Undefined{}) {
		return nil, false, nil
	}
	return value, true, nil
}

// Text is what Resolve returns if that is a string and the mapping a mere path,
// as the usual field's is. It tells nothing about other values and mappings.
func (v *Value) Text(event any) (string, bool) {
	if root, ok := v.root.(fixedPath); ok {
		if m := root.path.text(event); m != nil {
			return m.Text()
		}
	}
	return "", false
}

// Static is the value, if the event has no part in it, and the same value as
// ResolveTemplate has it.
func (v *Value) Static() (value, template any, ok bool) {
	c, ok := v.root.(constant)
	if !ok || c.value == (jsvalue.Undefined{}) {
		return nil, nil, false
	}
	return c.value, c.fixed, true
}

// node is a part of a compiled mapping.
type node interface {
	resolve(r *run, payload any) (any, error)
}

// maxWork bounds what one Resolve makes, in bytes of memory and of what it would
// be as JSON: a mapping can multiply what an event holds.
const maxWork = 8 << 20

// maxNesting bounds how deep a mapping nests, maxDepth what it makes.
const (
	maxNesting = 100
	maxDepth   = jsvalue.MaxDepth + maxNesting
)

// run is one Resolve.
type run struct {
	budget   int
	work     *liquid.Budget // of @liquid
	tracking bool           // what is fixed is told from data
}

// plain resolves n where it doesn't matter what is fixed and what is data.
func (r *run) plain(n node, payload any) (any, error) { return r.track(false, n, payload) }

func (r *run) track(on bool, n node, payload any) (any, error) {
	defer func(before bool) { r.tracking = before }(r.tracking)
	r.tracking = on
	return n.resolve(r, payload)
}

// spend takes n from what the run may still make.
func (r *run) spend(n int) error {
	if r.budget -= n; r.budget < 0 {
		return fmt.Errorf("makes more than %d MiB of values", maxWork>>20)
	}
	return nil
}

// settle ends the resolving of a value: it is weighed, and members of objects
// that are undefined are dropped, at any depth.
//
// A value can hold another many times over, and that one others, so that what
// takes little memory would be endless to write out. Weighing counts each time.
func (r *run) settle(v any) (any, error) {
	undefined, err := r.weigh(v, 0)
	if err != nil || !undefined {
		return v, err
	}
	return r.withoutUndefined(v)
}

// weigh spends for all that is in v, and tells whether something in it is
// undefined.
func (r *run) weigh(v any, depth int) (undefined bool, err error) {
	if depth > maxDepth {
		return false, fmt.Errorf("makes values nested more than %d deep", maxDepth)
	}
	switch v := v.(type) {
	case jsvalue.Undefined:
		return true, nil
	case string:
		return false, r.spend(1 + len(v))
	case *liquid.Source:
		return false, r.spend(1 + len(v.String()))
	case []any:
		for _, item := range v {
			u, err := r.weigh(item, depth+1)
			if err != nil {
				return false, err
			}
			undefined = undefined || u
		}
	case *jsvalue.Object, map[string]any:
		members := jsvalue.Members(v)
		for i := range members {
			m := &members[i]
			if text, ok := m.Text(); ok {
				if err := r.spend(len(m.Key()) + 1 + len(text)); err != nil {
					return false, err
				}
				continue
			}
			if err := r.spend(len(m.Key())); err != nil {
				return false, err
			}
			u, err := r.weigh(m.Value(), depth+1)
			if err != nil {
				return false, err
			}
			undefined = undefined || u
		}
	}
	return undefined, r.spend(1)
}

// withoutUndefined is a weighed value without what is undefined in objects.
func (r *run) withoutUndefined(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		if err := r.spend(jsvalue.ListFootprint(len(v))); err != nil {
			return nil, err
		}
		items := make([]any, len(v))
		for i, item := range v {
			var err error
			if items[i], err = r.withoutUndefined(item); err != nil {
				return nil, err
			}
		}
		return items, nil
	case *jsvalue.Object, map[string]any:
		if err := r.spend(jsvalue.ObjectFootprint(jsvalue.Len(v))); err != nil {
			return nil, err
		}
		o := jsvalue.NewObject(jsvalue.Len(v))
		for key, value := range jsvalue.All(v) {
			if value == (jsvalue.Undefined{}) {
				continue
			}
			kept, err := r.withoutUndefined(value)
			if err != nil {
				return nil, err
			}
			o.Set(key, kept)
		}
		return o, nil
	default:
		return v, nil
	}
}
