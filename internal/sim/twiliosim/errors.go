package twiliosim

import (
	"fmt"
	"net/http"
	"strconv"
)

// apiError is an error as Twilio tells it: codes and statuses are those of
// its error dictionary. The zero value is no error.
type apiError struct {
	Status  int
	Code    int
	Message string
}

var (
	errAuthenticate = apiError{http.StatusUnauthorized, 20003, "Authenticate"}
	errNotOwned     = apiError{http.StatusBadRequest, 21606, "The 'From' phone number is not a valid, message-capable Twilio phone number for this destination."}
	errThrottled    = apiError{http.StatusTooManyRequests, 20429, "Too Many Requests"}
	errInternal     = apiError{http.StatusInternalServerError, 20500, "Internal Server Error"}
	errUnavailable  = apiError{http.StatusServiceUnavailable, 20503, "Service Unavailable"}
)

func notFound(path string) apiError {
	return apiError{http.StatusNotFound, 20404, "The requested resource " + path + " was not found"}
}

func badRequest(code int, format string, args ...any) apiError {
	return apiError{http.StatusBadRequest, code, fmt.Sprintf(format, args...)}
}

// refuse answers with an error.
func (s *Sim) refuse(w http.ResponseWriter, _ *http.Request, e apiError) {
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("Www-Authenticate", `Basic realm="Twilio API"`)
	}
	s.mu.Lock()
	s.counters.codes[e.Code]++
	s.mu.Unlock()
	s.answer(w, e.Status, struct {
		Code     int    `json:"code"`
		Message  string `json:"message"`
		MoreInfo string `json:"more_info"`
		Status   int    `json:"status"`
	}{e.Code, e.Message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(e.Code), e.Status})
}
