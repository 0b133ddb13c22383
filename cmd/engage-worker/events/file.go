package events

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"engage-worker/cmd/engage-worker/cli"
)

// eventsFile is a file of events that is read.
type eventsFile struct {
	io.Reader
	io.Closer
}

// openEvents opens a file of events. A folder, a file with nothing in it and a
// table are refused, since none of them was meant.
func openEvents(name string) (*eventsFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, cli.BadInput(fmt.Errorf("%w; name a file of events, a JSON object a line", err))
	}
	first := make([]byte, 4<<10)
	n, _ := io.ReadFull(file, first) // what can't be read is told of later
	info, err := file.Stat()
	line, _, _ := bytes.Cut(first[:n], []byte("\n"))
	switch {
	case err == nil && info.IsDir():
		err = fmt.Errorf("%s is a folder; name a file of events in it", name)
	case err == nil && info.Mode().IsRegular() && len(bytes.TrimSpace(first[:n])) == 0 && n < len(first):
		err = fmt.Errorf("%s holds no events; they are JSON objects, a line each: {\"type\":\"track\",...}", name)
	case err == nil && looksLikeCSV(bytes.TrimSpace(line)):
		err = fmt.Errorf("%s: %w", name, errCSV)
	}
	if err != nil {
		file.Close()
		return nil, cli.BadInput(err)
	}
	return &eventsFile{io.MultiReader(bytes.NewReader(first[:n]), file), file}, nil
}
