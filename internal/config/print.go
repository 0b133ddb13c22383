package config

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"engage-worker/actions/jsvalue"
)

// Print writes c as the configuration file that it amounts to, with every
// default and the regions that a destination names, and then, as comments,
// the topics and groups that follow from it. Secrets and whatever holds a
// ${...} reference are ***.
func (c *Config) Print(w io.Writer) error {
	p := printer{veiled: c.veiled}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(p.node("", shapeOf(c).get())); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	c.printNames(&out)
	_, err := w.Write(out.Bytes())
	return err
}

// pair is a key and its value, in the order of the documentation.
type pair struct {
	key   string
	value any // a scalar, time.Duration, Secret, []string, []any, []pair, or JSON-like
}

// regionPairs are the regions with an entry or named by a destination.
func (c *Config) regionPairs() any {
	var pairs []pair
	for _, name := range c.RegionNames() {
		if _, entry := c.Regions[name]; !entry && c.regionVeiled(name) {
			continue // its name would show what the reference holds
		}
		r := c.Region(name)
		pairs = append(pairs, pair{name, regionShape(&r).get()})
	}
	return pairs
}

// regionVeiled reports whether a reference holds the region's name somewhere.
func (c *Config) regionVeiled(name string) bool {
	for i, d := range c.Destinations {
		if d.Settings.Region == name && c.veiled[element("destinations", i)+".settings.region"] {
			return true
		}
	}
	return false
}

// shownBrokers are veiled all together: a reference may hold several, and
// items don't tell which.
func (c *Config) shownBrokers() any {
	for path := range c.veiled {
		if path == "kafka.brokers" || below(path, "kafka.brokers") {
			return []string{veil}
		}
	}
	return c.Kafka.Brokers
}

// withoutPassword veils the password of an address, if it has one.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if _, has := u.User.Password(); !has {
		return address
	}
	before, after, _ := strings.Cut(address, "@")
	scheme, _, _ := strings.Cut(before, "//")
	return scheme + "//" + u.User.Username() + ":" + veil + "@" + after
}

func (c *Config) shownDeadLetterTopic() any { return c.veiledNames().DeadLetterTopic() }

// veiledNames is c as far as names of topics and groups go, with *** for
// what a reference holds.
func (c *Config) veiledNames() *Config {
	v := &Config{Kafka: c.Kafka}
	for path, text := range map[string]*string{
		"kafka.topic":           &v.Kafka.Topic,
		"kafka.groupPrefix":     &v.Kafka.GroupPrefix,
		"kafka.deadLetterTopic": &v.Kafka.DeadLetter,
	} {
		if c.veiled[path] && *text != "" {
			*text = veil
		}
	}
	for i, d := range c.Destinations {
		if c.veiled[element("destinations", i)+".name"] {
			d.Name = veil
		}
		v.Destinations = append(v.Destinations, d)
	}
	return v
}

// printNames writes what follows from the configuration, as comments.
func (c *Config) printNames(out *bytes.Buffer) {
	v := c.veiledNames()
	fmt.Fprintf(out, "\n# Topics and consumer groups that follow from this\n")
	fmt.Fprintf(out, "#   source          %s\n", v.Kafka.Topic)
	fmt.Fprintf(out, "#   dead letters    %s\n", v.DeadLetterTopic())
	fmt.Fprintf(out, "#   rates           %s\n", v.RatesTopic())
	for i, d := range v.Destinations {
		fmt.Fprintf(out, "# %s\n", d.Name)
		fmt.Fprintf(out, "#   consumer group  %s\n", v.GroupID(d.Name))
		for _, topic := range v.RetryTopics(d.Name) {
			fmt.Fprintf(out, "#   retry           %s\n", topic)
		}
		fmt.Fprintf(out, "#   ledger          %s\n", v.LedgerTopic(d.Name))
		fmt.Fprintf(out, "#   status          %s\n", v.StatusTopic(d.Name))
		if c.CallsBack(c.Destinations[i].Name) {
			fmt.Fprintf(out, "#   callbacks       %s\n", v.CallbacksTopic(d.Name))
		}
	}
}

// printer makes YAML of values, veiling by path.
type printer struct{ veiled map[string]bool }

func (p printer) node(path string, value any) *yaml.Node {
	if p.veiled[path] {
		return scalarNode("!!str", veil)
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
		return scalarNode("!!str", durationText(v))
	case []pair:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, pair := range v {
			n.Content = append(n.Content, scalarNode("!!str", pair.key), p.node(child(path, pair.key), pair.value))
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, member := range sortedPairs(v) {
			n.Content = append(n.Content, scalarNode("!!str", member.key), p.node(child(path, member.key), member.value))
		}
		return n
	case *jsvalue.Object:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for key, value := range v.All() {
			n.Content = append(n.Content, scalarNode("!!str", key), p.node(child(path, key), value))
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

// printed is v in one line.
func printed(v any) string {
	n := printer{}.node("", v)
	n.Style = yaml.FlowStyle
	text, err := yaml.Marshal(n)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// sortedPairs are the members of an object whose order doesn't count.
func sortedPairs(object map[string]any) []pair {
	pairs := make([]pair, 0, len(object))
	for _, key := range slices.Sorted(maps.Keys(object)) {
		pairs = append(pairs, pair{key, object[key]})
	}
	return pairs
}

func printList[T any](p printer, path string, items []T) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for i, item := range items {
		n.Content = append(n.Content, p.node(element(path, i), item))
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
