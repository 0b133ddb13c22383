package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"engage-worker/actions"
)

// maxFileSize bounds the configuration file and each ${file:...}.
const maxFileSize = 4 << 20

// Load reads, checks and compiles the configuration file at path. Its error
// is a *Faults that lists everything wrong at once.
func Load(path string) (*Config, error) {
	l := loader{lookupEnv: os.LookupEnv, compile: compileDefinition}
	return l.load(path)
}

// loader holds what Load takes from its process.
type loader struct {
	lookupEnv func(name string) (string, bool)
	skipEnv   bool // take references for values that aren't known
	compile   func(actions.Definition, actions.Options) ([]string, []actions.Fault)
}

// compileDefinition compiles only to see the faults, and the regions that
// deliveries may go through.
func compileDefinition(def actions.Definition, opts actions.Options) (regions []string, faults []actions.Fault) {
	d, faults := actions.New(def, opts)
	if d == nil {
		return nil, faults
	}
	defer d.Close()
	regions, _ = d.Regions()
	return regions, faults
}

func (l *loader) load(path string) (*Config, error) {
	source, err := readConfigFile(path)
	if err != nil {
		return nil, &Faults{List: []Fault{{File: path, Message: err.Error()}}}
	}
	return l.parse(path, source)
}

// parse is the way of a configuration: text, tree, values, compiled.
func (l *loader) parse(path string, source []byte) (*Config, error) {
	r := &reader{file: path, lookupEnv: l.lookupEnv, skipEnv: l.skipEnv, veiled: map[string]bool{}}
	cfg := Default()
	if root := r.tree(source); root != nil {
		shapeOf(cfg).read(r, root)
		r.checkWhole(root, cfg)
		r.compile(root, cfg, l.compile)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	cfg.file, cfg.veiled = path, r.veiled
	return cfg, nil
}

// readConfigFile says the way out with each of its errors.
func readConfigFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("there is no such file; name the configuration with --config or ENGAGE_CONFIG")
	case errors.Is(err, fs.ErrPermission):
		return nil, errors.New("the file can't be read: permission denied")
	case err != nil:
		return nil, fmt.Errorf("the file can't be opened: %w", pathless(err))
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("this is a folder; name the configuration file in it")
	}
	source, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("the file can't be read: %w", pathless(err))
	}
	if len(source) > maxFileSize {
		return nil, fmt.Errorf("the file is larger than %d MiB, which no configuration is", maxFileSize>>20)
	}
	return source, nil
}

// pathless is err without the path that an fs.PathError repeats.
func pathless(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}

// position is the line and column, from 1, of source[offset].
func position(source []byte, offset int) (line, column int) {
	before := source[:offset]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}
