package twiliosim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxDocument bounds what the simulator's own API reads.
const maxDocument = 1 << 20

// serveAdmin serves the simulator's own API.
func (s *Sim) serveAdmin(w http.ResponseWriter, r *http.Request) {
	resource, name, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), adminPrefix), "/")
	switch r.Method + " " + resource {
	case "GET messages":
		s.writeMessages(w, r)
	case "GET stats":
		writeDocument(w, s.Stats())
	case "GET seconds":
		writeDocument(w, s.Seconds())
	case "GET faults":
		writeSetting(w, s.Faults())
	case "PUT faults":
		s.putFaults(w, r)
	case "GET course":
		writeSetting(w, s.Course())
	case "PUT course":
		s.putCourse(w, r)
	case "POST inbound":
		s.postInbound(w, r)
	case "PUT templates":
		putObject(w, r, segment(name), s.SetTemplate)
	case "PUT profiles":
		putObject(w, r, segment(name), s.SetProfile)
	case "POST reset":
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	case "GET healthz":
		_, _ = io.WriteString(w, "ok\n")
	default:
		http.Error(w, "no such thing; see the documentation of internal/sim/twiliosim", http.StatusNotFound)
	}
}

func (s *Sim) writeMessages(w http.ResponseWriter, r *http.Request) {
	since := uint64(1)
	if text := r.URL.Query().Get("since"); text != "" {
		var err error
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			http.Error(w, "since: a message's seq is wanted", http.StatusBadRequest)
			return
		}
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	for m := range s.MessagesSince(since) {
		if encoder.Encode(m) != nil {
			return // the client is gone
		}
	}
}

// put has a document taken; its error tells what is wrong with it.
func put(w http.ResponseWriter, r *http.Request, take func(document []byte) error) {
	document, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if err == nil {
		err = take(document)
	}
	switch {
	case errors.Is(err, errClosesItself):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

var errClosesItself = errors.New("this would close the listener that you are asking, for good: use another, such as the one of --admin")

func (s *Sim) putFaults(w http.ResponseWriter, r *http.Request) {
	put(w, r, func(document []byte) error {
		faults, err := ParseFaults(document)
		if err != nil {
			return err
		}
		if l := listenerOf(r); l.followsOutage() && newRules(faults).outage(l.Addr()) == Refused {
			return errClosesItself
		}
		return s.SetFaults(faults)
	})
}

func (s *Sim) putCourse(w http.ResponseWriter, r *http.Request) {
	put(w, r, func(document []byte) error {
		course, err := ParseCourse(document)
		if err != nil {
			return err
		}
		return s.SetCourse(course)
	})
}

func putObject(w http.ResponseWriter, r *http.Request, name string, set func(string, map[string]any)) {
	put(w, r, func(document []byte) error {
		var object map[string]any
		if err := json.Unmarshal(document, &object); err != nil || object == nil || name == "" {
			return errors.New("a name in the path and a JSON object are wanted")
		}
		set(name, object)
		return nil
	})
}

func (s *Sim) postInbound(w http.ResponseWriter, r *http.Request) {
	var in Inbound
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument)).Decode(&in)
	sid := ""
	if err == nil {
		sid, err = s.Receive(in)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeDocument(w, map[string]string{"sid": sid})
}

// writeSetting writes what put takes.
func writeSetting(w http.ResponseWriter, setting any) {
	document, err := encode(setting)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeDocument(w, document)
}

func writeDocument(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client may be gone
}
