// Package config reads the worker's configuration: one YAML file, strictly.
package config

// Load reads, checks and compiles the configuration file at path. Its error
// is a *Faults that lists everything wrong at once.
func Load(path string) (*Config, error) {
	return nil, &Faults{List: []Fault{{File: path, Message: "the loader is on its way"}}}
}
