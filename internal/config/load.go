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

// Options are how the references of a file are looked up.
type Options struct {
	SkipEnv bool              // not at all: what their values would tell isn't checked
	Env     map[string]string // before the environment
}

// Load reads, checks and compiles the configuration file at path. Its error
// is a *Faults that lists everything wrong at once.
func Load(path string) (*Config, error) { return Options{}.Load(path) }

// Load is Load with the options.
func (o Options) Load(path string) (*Config, error) {
	l := loader{skipEnv: o.SkipEnv, compile: compileDefinition, lookupEnv: func(name string) (string, bool) {
		if value, ok := o.Env[name]; ok {
			return value, true
		}
		return os.LookupEnv(name)
	}}
	return l.load(path)
}

// loader holds what Load takes from its process.
type loader struct {
	lookupEnv func(name string) (string, bool)
	skipEnv   bool // take references for values that aren't known
	compile   compiler
}

// compiler compiles a definition only to see the regions that its deliveries
// may go through, and what is wrong or likely not meant.
type compiler func(actions.Definition, actions.Options) (regions []string, faults []actions.Fault, warnings []actions.Warning)

func compileDefinition(def actions.Definition, opts actions.Options) (regions []string, faults []actions.Fault, warnings []actions.Warning) {
	warnings = actions.Warnings(def)
	d, faults := actions.New(def, opts)
	if d == nil {
		return nil, faults, warnings
	}
	defer d.Close()
	regions = d.Regions()
	return regions, faults, warnings
}

func (l *loader) load(path string) (*Config, error) {
	source, mode, err := readConfigFile(path)
	if err != nil {
		return nil, &Faults{List: []Fault{{File: path, Message: err.Error()}}}
	}
	return l.parse(path, source, mode)
}

// parse is the way of a configuration: text, tree, values, compiled.
func (l *loader) parse(path string, source []byte, mode fs.FileMode) (*Config, error) {
	r := &reader{file: path, lookupEnv: l.lookupEnv, skipEnv: l.skipEnv, veiled: map[string]bool{}}
	cfg := Default()
	if root := r.tree(source); root != nil {
		shapeOf(cfg).read(r, root)
		r.checkWhole(root, cfg)
		r.compile(root, cfg, l.compile)
		r.warnOfRegions(root, cfg)
		r.warnOfSenders(root, cfg)
		r.warnOfSlips(root, cfg)
		r.warnOfReaders(cfg, mode)
	}
	if err := r.err(); err != nil {
		return nil, err
	}
	cfg.file, cfg.veiled, cfg.warnings = path, r.veiled, r.sortedWarnings()
	return cfg, nil
}

// readConfigFile says the way out with each of its errors.
func readConfigFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, 0, errors.New("there is no such file; name the configuration with --config or ENGAGE_CONFIG")
	case errors.Is(err, fs.ErrPermission):
		return nil, 0, errors.New("the file can't be read: permission denied")
	case err != nil:
		return nil, 0, fmt.Errorf("the file can't be opened: %w", pathless(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("the file can't be read: %w", pathless(err))
	case info.IsDir():
		return nil, 0, errors.New("this is a folder; name the configuration file in it")
	}
	source, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("the file can't be read: %w", pathless(err))
	}
	if len(source) > maxFileSize {
		return nil, 0, fmt.Errorf("the file is larger than %d MiB, which no configuration is", maxFileSize>>20)
	}
	return source, info.Mode(), nil
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
