package dlq

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"engage-worker/cmd/engage-worker/cli"
	"engage-worker/deadletter"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

type Export struct {
	choosing
	File   string `arg:"" optional:"" help:"Where to write; standard output without it. An existing file is not replaced without --force." placeholder:"FILE"`
	Format string `help:"${enum}: auto goes by the file's ending, and is jsonl if that tells nothing." enum:"auto,jsonl,csv,parquet" default:"auto" aliases:"output" short:"o"`
	Force  bool   `help:"Replace an existing file."`

	Columns []string `help:"Which columns, in this order; not in parquet." placeholder:"NAME,..."`
	Mask    bool     `help:"Veil phone numbers and mail in every column, and users."`
	Follow  bool     `help:"Go on with those that come, until interrupted; on standard output, and not in parquet." short:"f"`
}

// Validate is kong's hook for flags.
func (c *Export) Validate() error {
	if c.File != "" && c.File != "-" && c.Format == "auto" && filepath.Ext(c.File) != "" && c.ending() == "" {
		return fmt.Errorf("the ending of %q names no format: end it in .jsonl, .csv or .parquet, the first two also with .gz, or choose with --format", c.File)
	}
	if _, err := letters.Known("--columns", c.Columns, exportColumns()); err != nil {
		return err
	}
	parquet := c.format() == "parquet"
	switch {
	case parquet && c.gzipped():
		return errors.New("parquet is compressed in itself: leave .gz out")
	case parquet && len(c.Columns) > 0:
		return errors.New("--columns is for jsonl and csv: whoever reads parquet takes the columns that are wanted")
	case c.Follow && (parquet || c.File != "" && c.File != "-"):
		return errors.New("--follow is for jsonl and csv on standard output")
	}
	return c.choosing.Validate()
}

// gzipped reports whether the file's ending asks for compression.
func (c *Export) gzipped() bool { return strings.EqualFold(filepath.Ext(c.File), ".gz") }

// ending is the format that the file's ending names, or "".
func (c *Export) ending() string {
	name := strings.ToLower(c.File)
	if c.gzipped() {
		name = strings.TrimSuffix(name, ".gz")
	}
	switch filepath.Ext(name) {
	case ".csv":
		return "csv"
	case ".parquet":
		return "parquet"
	case ".jsonl", ".ndjson", ".json":
		return "jsonl"
	}
	return ""
}

// format is the one asked for, or the one of the file's ending.
func (c *Export) format() string {
	if c.Format != "auto" {
		return c.Format
	}
	return cmp.Or(c.ending(), "jsonl")
}

// recordWriter writes dead letters in a format. Close ends the document, not
// what it is written to.
type recordWriter interface {
	Write(*deadletter.Record) error
	Close() error
}

func (c *Export) records(w io.Writer) recordWriter {
	columns := c.Columns
	if len(columns) == 0 {
		columns = exportColumns()
	}
	switch c.format() {
	case "csv":
		return newTextRows(newCSVRows(w, columns), columns)
	case "parquet":
		return newParquetRows(w)
	}
	return newTextRows(jsonRows{terminal.JSON{To: w}}, columns)
}

// Run exports.
func (c *Export) Run(ctx context.Context, app *cli.App) error {
	desk, err := open(app)
	if err != nil {
		return err
	}
	defer desk.Close()
	out, err := c.output(app)
	if err != nil {
		return cli.BadInput(err)
	}
	defer out.discard()
	buffered := bufio.NewWriterSize(out, 1<<16)
	end := func() error { return nil }
	var to io.Writer = buffered
	if c.gzipped() {
		packed := gzip.NewWriter(buffered)
		to, end = packed, packed.Close
	}
	rows := c.records(to)
	n := 0
	write := func(r *deadletter.Record) error {
		n++
		if c.Mask {
			r = letters.MaskedRecord(r)
		}
		if err := rows.Write(r); err != nil {
			return cli.Own(fmt.Errorf("write %s: %w", out.name, err))
		}
		return nil
	}
	left, err := desk.readStates(ctx, app, c.filter, write)
	if err != nil {
		return err
	}
	if c.Follow {
		return c.follow(ctx, desk, rows, buffered, write)
	}
	if n == 0 {
		if err := c.unknown(desk.Config); err != nil {
			return err
		}
	}
	if err := errors.Join(rows.Close(), end(), buffered.Flush()); err != nil {
		return fmt.Errorf("write %s: %w", out.name, err)
	}
	if err := out.keep(); err != nil {
		return err
	}
	left.note(app, desk.Reader.Topic)
	if out.file != nil {
		_, err = fmt.Fprintf(app.Stderr, "engage-worker: %s written to %s\n", terminal.Plural(n, "dead letter"), c.File)
	}
	return err
}

// follow writes what comes, each at once.
func (c *Export) follow(ctx context.Context, desk *reading, rows recordWriter, buffered *bufio.Writer, write func(*deadletter.Record) error) error {
	flush := func() error {
		if err := errors.Join(rows.Close(), buffered.Flush()); err != nil {
			return fmt.Errorf("write standard output: %w", err)
		}
		return nil
	}
	if err := flush(); err != nil {
		return err
	}
	return desk.follow(ctx, c.filter, func(r *deadletter.Record) error {
		if err := write(r); err != nil {
			return err
		}
		return flush()
	})
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

func (c *Export) output(app *cli.App) (*output, error) {
	if c.File == "" || c.File == "-" {
		if c.format() == "parquet" && terminal.ScreenOf(app.Stdout).Width > 0 {
			return nil, errors.New("parquet is nothing for a terminal: name a file")
		}
		return &output{Writer: app.Stdout, name: "standard output"}, nil
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
