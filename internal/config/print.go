package config

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"strings"

	"engage-worker/internal/config/form"
)

// Print writes c as the configuration file that it amounts to, with every
// default and the regions that a destination names, and then, as comments,
// the topics and groups that follow from it. Secrets and whatever holds a
// ${...} reference are ***.
func (c *Config) Print(w io.Writer) error {
	var out bytes.Buffer
	if err := form.Print(&out, shapeOf(c), c.veiled); err != nil {
		return fmt.Errorf("print the configuration: %w", err)
	}
	c.printNames(&out)
	_, err := w.Write(out.Bytes())
	return err
}

// regionPairs are the regions with an entry or named by a destination.
func (c *Config) regionPairs() any {
	var pairs []form.Pair
	for _, name := range c.RegionNames() {
		if _, entry := c.Regions[name]; !entry && c.regionVeiled(name) {
			continue // its name would show what the reference holds
		}
		r := c.Region(name)
		pairs = append(pairs, form.Pair{Key: name, Value: regionShape(&r).Get()})
	}
	return pairs
}

// regionVeiled reports whether a reference holds the region's name somewhere.
func (c *Config) regionVeiled(name string) bool {
	for i, d := range c.Destinations {
		if d.Settings.Region == name && c.veiled[form.Element("destinations", i)+".settings.region"] {
			return true
		}
	}
	return false
}

// shownBrokers are veiled all together: a reference may hold several, and
// items don't tell which.
func (c *Config) shownBrokers() any {
	for path := range c.veiled {
		if path == "kafka.brokers" || form.Below(path, "kafka.brokers") {
			return []string{form.Veil}
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
	return scheme + "//" + u.User.Username() + ":" + form.Veil + "@" + after
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
			*text = form.Veil
		}
	}
	for i, d := range c.Destinations {
		if c.veiled[form.Element("destinations", i)+".name"] {
			d.Name = form.Veil
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
