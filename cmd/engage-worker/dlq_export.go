package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"engage-worker/deadletter"
)

type dlqExportCmd struct {
	dlqFilter
	File   string `arg:"" optional:"" help:"Where to write; standard output without it. An existing file is not replaced without --force." placeholder:"FILE"`
	Format string `help:"${enum}: auto goes by the file's ending, and is jsonl if that tells nothing." enum:"auto,jsonl,csv,parquet" default:"auto"`
	Force  bool   `help:"Replace an existing file."`
}

// Validate is kong's hook for flags.
func (c *dlqExportCmd) Validate() error { return c.dlqFilter.Validate() }

// format is the one asked for, or the one of the file's ending.
func (c *dlqExportCmd) format() string {
	if c.Format != "auto" {
		return c.Format
	}
	switch strings.ToLower(filepath.Ext(c.File)) {
	case ".csv":
		return "csv"
	case ".parquet":
		return "parquet"
	}
	return "jsonl"
}

// rowWriter writes dead letters in a format. Close ends the document, not
// what it is written to.
type rowWriter interface {
	Write(*deadletter.Record) error
	Close() error
}

func newRowWriter(format string, w io.Writer) rowWriter {
	switch format {
	case "csv":
		return newCSVRows(w)
	case "parquet":
		return newParquetRows(w)
	}
	return newJSONRows(w)
}

// Run exports.
func (c *dlqExportCmd) Run(ctx context.Context, app *app) error {
	desk, err := openDLQ(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	out, err := c.open(app)
	if err != nil {
		return badInput(err)
	}
	defer out.discard()
	buffered := bufio.NewWriterSize(out, 1<<16)
	rows := newRowWriter(c.format(), buffered)
	n := 0
	left, err := desk.read(ctx, app, c.filter(), func(r *deadletter.Record) error {
		n++
		if err := rows.Write(r); err != nil {
			return &dlqError{fmt.Errorf("write %s: %w", out.name, err)}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := errors.Join(rows.Close(), buffered.Flush()); err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	if err := out.keep(); err != nil {
		return err
	}
	left.note(app, desk.reader.Topic)
	if out.file != nil {
		_, err = fmt.Fprintf(app.stderr, "engage-worker: %s written to %s\n", plural(n, "dead letter"), c.File)
	}
	return err
}

// output is where an export goes. A file has a name of its own until it is
// whole, and only its owner may read it: it holds personal data.
type output struct {
	io.Writer
	name string
	file *os.File // nil: standard output

	replaces bool // another file of its name
	kept     bool
}

func (c *dlqExportCmd) open(app *app) (*output, error) {
	if c.File == "" || c.File == "-" {
		if c.format() == "parquet" && screenOf(app.stdout).width > 0 {
			return nil, errors.New("parquet is nothing for a terminal: name a file")
		}
		return &output{Writer: app.stdout, name: "standard output"}, nil
	}
	// Of a symbolic link, the link itself is what a file would replace.
	switch info, err := os.Lstat(c.File); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: name a file", c.File)
	case !c.Force:
		return nil, fmt.Errorf("%s exists: name another file, or replace it with --force", c.File)
	}
	f, err := os.CreateTemp(filepath.Dir(c.File), "."+filepath.Base(c.File)+".*.partial")
	if err != nil {
		if path := (*fs.PathError)(nil); errors.As(err, &path) { // it names another file
			err = path.Err
		}
		return nil, fmt.Errorf("create %s: %w", c.File, err)
	}
	return &output{Writer: f, name: c.File, file: f, replaces: c.Force}, nil
}

// keep makes the file whole under its name.
func (o *output) keep() error {
	o.kept = true
	if o.file == nil {
		return nil
	}
	err := errors.Join(o.file.Sync(), o.file.Close())
	if err == nil {
		err = o.rename()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", o.name, err), os.Remove(o.file.Name()))
	}
	return nil
}

// rename gives the file its name. A link never replaces what has come there
// meanwhile, as a rename would; not every file system has links.
func (o *output) rename() error {
	if !o.replaces {
		switch err := os.Link(o.file.Name(), o.name); {
		case err == nil:
			return os.Remove(o.file.Name())
		case errors.Is(err, fs.ErrExist):
			return errors.New("the name is taken meanwhile: name another file, or replace it with --force")
		}
		if _, err := os.Lstat(o.name); err == nil {
			return fs.ErrExist
		}
	}
	return os.Rename(o.file.Name(), o.name)
}

// discard removes the file unless it was kept.
func (o *output) discard() {
	if o.kept || o.file == nil {
		return
	}
	o.file.Close()
	os.Remove(o.file.Name())
}
