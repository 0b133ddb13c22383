package config

import (
	"fmt"
	"os"
	"strings"

	"engage-worker/internal/config/form"
)

// ReadEnvFile reads lines of NAME=value, as docker's --env-file does: a value
// is taken as it is, but for quotes around all of it. Empty lines and those
// that begin with # are passed over.
func ReadEnvFile(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, form.Pathless(err))
	}
	env := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || !form.IsVariable(name) {
			return nil, fmt.Errorf("%s:%d: want NAME=value", path, i+1) // the line may hold a secret
		}
		if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		env[name] = value
	}
	return env, nil
}
