package twiliosim

import (
	"encoding/json"
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
		s.writeFaults(w)
	case "PUT faults":
		s.putFaults(w, r)
	case "GET course":
		s.writeCourse(w)
	case "PUT course":
		s.putCourse(w, r)
	case "POST inbound":
		s.postInbound(w, r)
	case "PUT templates":
		s.putObject(w, r, segment(name), s.SetTemplate)
	case "PUT profiles":
		s.putObject(w, r, segment(name), s.SetProfile)
	case "POST reset":
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	case "GET healthz":
		_, _ = io.WriteString(w, "ok\n")
	default:
		http.Error(w, "no such thing; see the documentation of internal/twiliosim", http.StatusNotFound)
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

func (s *Sim) writeFaults(w http.ResponseWriter) {
	document, err := encode(s.Faults())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeDocument(w, document)
}

func (s *Sim) putFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	faults, err := ParseFaults(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if l := listenerOf(r); l.followsOutage() && newRules(faults).outage(l.Addr()) == Refused {
		http.Error(w, "this would close the listener that you are asking, for good: use another, such as the one of --admin", http.StatusConflict)
		return
	}
	if err := s.SetFaults(faults); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) putCourse(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDocument))
	if err == nil {
		var course Course
		if course, err = ParseCourse(body); err == nil {
			err = s.SetCourse(course)
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) postInbound(w http.ResponseWriter, r *http.Request) {
	var in Inbound
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument)).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sid, err := s.Receive(in)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	writeDocument(w, map[string]string{"sid": sid})
}

func (s *Sim) putObject(w http.ResponseWriter, r *http.Request, name string, set func(string, map[string]any)) {
	var object map[string]any
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxDocument)).Decode(&object); err != nil || object == nil || name == "" {
		http.Error(w, "a name in the path and a JSON object are wanted", http.StatusBadRequest)
		return
	}
	set(name, object)
	w.WriteHeader(http.StatusNoContent)
}

func writeDocument(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // the client may be gone
}
