package form

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"engage-worker/actions/jsvalue"
)

// Pair is a key and its value, in the order of the documentation.
type Pair struct {
	Key   string
	Value any // a scalar, time.Duration, Secret, []string, []any, []Pair, or JSON-like
}

// Print writes what a shape holds as a YAML file. Secrets and the scalars at veiled
// paths are ***.
func Print(w io.Writer, s Shape, veiled map[string]bool) error {
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	return errors.Join(encoder.Encode(printer{veiled}.node("", s.Get())), encoder.Close())
}

// printer makes YAML of values, veiling by path.
type printer struct{ veiled map[string]bool }

func (p printer) node(path string, value any) *yaml.Node {
	if p.veiled[path] {
		return scalarNode("!!str", Veil)
	}
	switch v := value.(type) {
	case nil:
		return scalarNode("!!null", "null")
	case string:
		return scalarNode("!!str", v)
	case Secret:
		return scalarNode("!!str", v.String())
	case bool:
		return scalarNode("!!bool", strconv.FormatBool(v))
	case int:
		return scalarNode("!!int", strconv.Itoa(v))
	case float64:
		return numberNode(v)
	case time.Duration:
		return scalarNode("!!str", DurationText(v))
	case []Pair:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, pair := range v {
			n.Content = append(n.Content, scalarNode("!!str", pair.Key), p.node(Child(path, pair.Key), pair.Value))
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, member := range SortedPairs(v) {
			n.Content = append(n.Content, scalarNode("!!str", member.Key), p.node(Child(path, member.Key), member.Value))
		}
		return n
	case *jsvalue.Object:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for key, value := range v.All() {
			n.Content = append(n.Content, scalarNode("!!str", key), p.node(Child(path, key), value))
		}
		return n
	case []string:
		return printList(p, path, v)
	case []any:
		return printList(p, path, v)
	default:
		return scalarNode("!!str", fmt.Sprint(v)) // a text of a type of its own
	}
}

// Printed is v in one line.
func Printed(v any) string {
	n := printer{}.node("", v)
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(n)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// SortedPairs are the members of an object whose order doesn't count.
func SortedPairs(object map[string]any) []Pair {
	pairs := make([]Pair, 0, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		pairs = append(pairs, Pair{key, object[key]})
	}
	return pairs
}

func printList[T any](p printer, path string, items []T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i, item := range items {
		n.Content = append(n.Content, p.node(Element(path, i), item))
	}
	return n
}

func scalarNode(tag, text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: text}
}

func numberNode(f float64) *yaml.Node {
	tag, text := "!!float", strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		tag = "!!int"
	}
	return scalarNode(tag, text)
}
