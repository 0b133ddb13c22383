package mapping

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"engage-worker/actions/jsvalue"
	"engage-worker/actions/liquid"
)

// compiler collects the faults of one Compile.
type compiler struct {
	faults   []Fault
	trusting bool // an event's text may be a template
}

// fault notes a fault and returns a node to go on with.
func (c *compiler) fault(path, format string, args ...any) node {
	c.faults = append(c.faults, Fault{path, fmt.Sprintf(format, args...)})
	return constant{}
}

// settled is a node whose value no event has a part in, resolved now; or n.
func (c *compiler) settled(n node, inputs ...node) node {
	if len(c.faults) > 0 {
		return n // it may not bear to be resolved
	}
	for _, input := range inputs {
		if _, ok := input.(constant); !ok {
			return n
		}
	}
	v, err := n.resolve(&run{budget: maxWork, work: liquid.NewBudget(context.Background())}, nil)
	if err != nil || v == (jsvalue.Undefined{}) {
		return n
	}
	return newConstant(v)
}

// compile compiles a value of any kind.
func (c *compiler) compile(v any, path string, depth int) node {
	if depth > maxNesting {
		return c.fault(path, "nested more than %d deep", maxNesting)
	}
	switch v := jsvalue.Of(v).(type) {
	case nil, bool, float64, string:
		return newConstant(v)
	case []any:
		return c.array(v, path, depth)
	case *jsvalue.Object, map[string]any:
		directives, others := keysOf(v)
		switch {
		case len(directives) == 0:
			return c.object(v, path, depth)
		case len(directives) > 1:
			return c.fault(path, "an object can hold one directive, this has %s", strings.Join(directives, ", "))
		case len(others) > 0:
			return c.fault(path, "a directive stands alone in its object, %s has %s beside it", directives[0], quoted(others))
		}
		name := directives[0]
		options, _ := jsvalue.Get(v, name)
		return c.directive(name, jsvalue.Of(options), path+"."+name, depth+1)
	default:
		return c.fault(path, "should be a JSON value, is a %T", v)
	}
}

func (c *compiler) array(items []any, path string, depth int) node {
	nodes := make([]node, len(items))
	for i, item := range items {
		nodes[i] = c.compile(item, path+"["+strconv.Itoa(i)+"]", depth+1)
	}
	values, ok := constants(nodes)
	if ok {
		return newConstant(values)
	}
	return array(nodes)
}

func (c *compiler) object(v any, path string, depth int) node {
	keys := make([]string, 0, jsvalue.Len(v))
	nodes := make([]node, 0, jsvalue.Len(v))
	for key, value := range jsvalue.All(v) {
		keys = append(keys, key)
		nodes = append(nodes, c.compile(value, path+"."+key, depth+1))
	}
	if values, ok := constants(nodes); ok {
		o := jsvalue.NewObject(len(keys))
		for i, key := range keys {
			o.Set(key, values[i])
		}
		return newConstant(o)
	}
	return object{keys, nodes}
}

// constants are the values of nodes, if all are constant and defined.
func constants(nodes []node) ([]any, bool) {
	values := make([]any, len(nodes))
	for i, n := range nodes {
		c, ok := n.(constant)
		if !ok || c.value == (jsvalue.Undefined{}) {
			return nil, false
		}
		values[i] = c.value
	}
	return values, true
}

// keysOf splits an object's keys into directives and others; the hosted
// kit's notes to itself under _metadata are neither.
func keysOf(v any) (directives, others []string) {
	for key := range jsvalue.All(v) {
		switch {
		case strings.HasPrefix(key, "@"):
			directives = append(directives, key)
		case key != "_metadata":
			others = append(others, key)
		}
	}
	return directives, others
}

func isDirective(v any) bool {
	directives, _ := keysOf(v)
	return len(directives) > 0
}

func quoted(keys []string) string {
	q := make([]string, len(keys))
	for i, key := range keys {
		q[i] = strconv.Quote(key)
	}
	return strings.Join(q, ", ")
}

// names are the directives there are.
func names() []string {
	return []string{"@arrayPath", "@case", "@excludeWhenNull", "@flatten", "@if", "@json", "@liquid", "@literal",
		"@merge", "@path", "@replace", "@template", "@transform"}
}

// directive compiles one directive's options. path leads to them.
func (c *compiler) directive(name string, options any, path string, depth int) node {
	switch name {
	case "@arrayPath":
		return c.arrayPath(options, path, depth)
	case "@case":
		return c.changeCase(options, path, depth)
	case "@excludeWhenNull":
		return excludeWhenNull{c.compile(options, path, depth)}
	case "@flatten":
		return c.flatten(options, path, depth)
	case "@if":
		return c.condition(options, path, depth)
	case "@json":
		return c.json(options, path, depth)
	case "@liquid":
		return c.liquid(options, path)
	case "@literal":
		return c.compile(options, path, depth)
	case "@merge":
		return c.merge(options, path, depth)
	case "@path":
		return c.path(options, path, depth)
	case "@replace":
		return c.replace(options, path, depth)
	case "@template":
		return c.template(options, path, depth)
	case "@transform":
		return c.transform(options, path, depth)
	}
	return c.fault(strings.TrimSuffix(path, "."+name), "unknown directive %q; there are %s", name, strings.Join(names(), ", "))
}

// options are a directive's options by name.
type options struct {
	c     *compiler
	path  string
	depth int
	value any // an object, or nil after a fault
}

// options reads v as a directive's options; known are those it has. Others
// are ignored, as the hosted kit ignores them.
func (c *compiler) options(v any, path string, depth int, known ...string) options {
	o := options{c: c, path: path, depth: depth}
	switch {
	case !jsvalue.IsObject(v):
		c.fault(path, "should be an object with %s, is %s", strings.Join(known, ", "), kind(v))
	case isDirective(v):
		c.fault(path, "should be an object with %s, is a directive", strings.Join(known, ", "))
	default:
		o.value = v
	}
	return o
}

// ok tells whether there are options at all.
func (o options) ok() bool { return o.value != nil }

func (o options) get(name string) (any, bool) {
	v, ok := jsvalue.Get(o.value, name)
	return jsvalue.Of(v), ok
}

func (o options) at(name string) string { return o.path + "." + name }

// node compiles an option; a missing one is nil.
func (o options) node(name string) node {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	return o.c.compile(v, o.at(name), o.depth+1)
}

// required compiles an option that must be there.
func (o options) required(name string) node {
	if n := o.node(name); n != nil {
		return n
	}
	return o.c.fault(o.path, "needs %q", name)
}

// text compiles an option that is a string or a directive; a missing one is
// nil.
func (o options) text(name string) node {
	v, ok := o.get(name)
	if !ok {
		return nil
	}
	if _, isString := v.(string); !isString && !isDirective(v) {
		return o.c.fault(o.at(name), "should be a string or a directive, is %s", kind(v))
	}
	return o.node(name)
}

// fixed is an option that is a string of the mapping itself.
func (o options) fixed(name string) (s string, there bool) {
	v, ok := o.get(name)
	if !ok {
		return "", false
	}
	if s, ok = v.(string); !ok {
		o.c.fault(o.at(name), "should be a string, is %s", kind(v))
	}
	return s, true
}

// oneOf is a required option with few values.
func (o options) oneOf(name string, allowed ...string) string {
	s, ok := o.fixed(name)
	if !ok {
		o.c.fault(o.path, "needs %q, one of %s", name, strings.Join(allowed, ", "))
	} else if v, _ := o.get(name); v == s && !slices.Contains(allowed, s) {
		o.c.fault(o.at(name), "should be one of %s, is %q", strings.Join(allowed, ", "), s)
	}
	return s
}

// flag is an optional boolean.
func (o options) flag(name string, fallback bool) bool {
	v, ok := o.get(name)
	if !ok {
		return fallback
	}
	b, ok := v.(bool)
	if !ok {
		o.c.fault(o.at(name), "should be true or false, is %s", kind(v))
	}
	return b
}

// kind names a value's type for people.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case jsvalue.Undefined:
		return "undefined"
	case bool:
		return "a boolean"
	case float64:
		return "a number"
	case string, *liquid.Source:
		return "a string"
	case []any:
		return "an array"
	case *jsvalue.Object, map[string]any:
		if isDirective(v) {
			return "a directive"
		}
		return "an object"
	}
	return fmt.Sprintf("a %T", v)
}
