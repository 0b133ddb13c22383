package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"engage-worker/actions"
	"engage-worker/internal/config/form"
)

// What a configuration's reading ends in; see package form.
type (
	Fault   = form.Fault
	Faults  = form.Faults
	Warning = form.Warning
	Secret  = form.Secret
)

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
	r := l.reader(path)
	cfg := Default()
	if root := r.Tree(source); root != nil {
		shapeOf(cfg).Read(r.Reader, root)
		r.checkWhole(root, cfg)
		r.compile(root, cfg, l.compile)
		r.warnOfRegions(root, cfg)
		r.warnOfSenders(root, cfg)
		r.warnOfSlips(root, cfg)
		r.warnOfReaders(cfg, mode)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	cfg.file, cfg.veiled, cfg.warnings = path, r.Veiled(), r.Warnings()
	return cfg, nil
}

// reader reads a configuration, and checks what lies between its keys.
type reader struct{ *form.Reader }

func (l *loader) reader(path string) *reader {
	r := &reader{&form.Reader{
		File: path, LookupEnv: l.lookupEnv, SkipEnv: l.skipEnv, Example: "docs/engage.example.yaml", Keys: "kafka: ..., destinations: ...",
	}}
	r.Comment = r.warnOfComment
	return r
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
		return nil, 0, fmt.Errorf("the file can't be opened: %w", form.Pathless(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("the file can't be read: %w", form.Pathless(err))
	case info.IsDir():
		return nil, 0, errors.New("this is a folder; name the configuration file in it")
	}
	source, err := io.ReadAll(io.LimitReader(f, form.MaxFileSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("the file can't be read: %w", form.Pathless(err))
	}
	if len(source) > form.MaxFileSize {
		return nil, 0, fmt.Errorf("the file is larger than %d MiB, which no configuration is", form.MaxFileSize>>20)
	}
	return source, info.Mode(), nil
}
