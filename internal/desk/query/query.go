// Package query is what an address or a form asks of dead letters, in the words of `dlq
// list`, and the addresses that ask something else from there. Pages show what it asks.
package query

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/letters"
)

// Query is what an address asks of dead letters: the options of `dlq list`, by
// their names and with their meaning. A form's empty fields ask nothing.
type Query struct {
	letters.Options
	IDs     []string // of replays and dismissals only
	Filter  deadletter.Filter
	TZ      string
	Limit   int
	Page    int
	Columns []letters.Column

	values url.Values
}

const (
	// MostRows is how many letters a page shows at most.
	MostRows = 1000

	mostPaged  = 100_000
	mostValues = 1000 // of one option
)

// options are the names that choose dead letters, and whether commas divide values.
var options = map[string]bool{
	"state": true, "reason": true, "disposition": true, "destination": true, "action": true, "region": true, "code": true,
	"user": false, "message-id": false, "since": false, "until": false, "contains": false, "tz": false,
}

// Parse reads what an address, or a form, asks at a time. Names that mean something
// else to a page are others. The error says what is wrong, in a sentence.
func Parse(values url.Values, now time.Time, others ...string) (*Query, error) {
	q := &Query{Limit: 50, Page: 1, values: url.Values{}}
	for name, given := range values {
		commas, known := options[name]
		if !known && !slices.Contains(others, name) {
			return nil, fmt.Errorf("There is no option %q.", name)
		}
		if name == "columns" || name == "id" {
			commas = true
		}
		for _, value := range given {
			parts := []string{value}
			if commas {
				parts = strings.Split(value, ",")
			}
			for _, part := range parts {
				if part != "" {
					q.values.Add(name, part)
				}
			}
		}
		if len(q.values[name]) > mostValues {
			return nil, fmt.Errorf("%s has too many values: %d at most.", name, mostValues)
		}
	}
	v := q.values
	q.Options = letters.Options{
		State: v["state"], Reason: v["reason"], Disposition: v["disposition"], Destination: v["destination"], Action: v["action"], Region: v["region"],
		User: v["user"], MessageID: v["message-id"],
	}
	q.IDs = v["id"]
	for name, into := range map[string]*string{"since": &q.Since, "until": &q.Until, "contains": &q.Contains, "tz": &q.TZ} {
		if len(v[name]) > 1 {
			return nil, fmt.Errorf("%s stands there twice.", name)
		}
		*into = v.Get(name)
	}
	for _, text := range v["code"] {
		code, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("code %q is no number.", text)
		}
		q.Code = append(q.Code, code)
	}
	var err error
	if q.TZ != "" {
		if q.Zone, err = letters.ParseZone(q.TZ); err != nil {
			return nil, fmt.Errorf("tz: %w", err)
		}
	}
	if q.Filter, err = q.Options.Filter("", now); err != nil {
		return nil, err
	}
	q.Filter.IDs = q.IDs
	return q, q.parseTable()
}

// parseTable reads which rows and columns are asked for.
func (q *Query) parseTable() error {
	for name, into := range map[string]*int{"limit": &q.Limit, "page": &q.Page} {
		if text := q.values.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("%s %q is no number.", name, text)
			}
			*into = n
		}
	}
	switch {
	case q.Limit < 1 || q.Limit > MostRows:
		return fmt.Errorf("limit must be from 1 to %d; an export has any number.", MostRows)
	case q.Page < 1 || q.Page > mostPaged/q.Limit:
		return fmt.Errorf("page must be from 1 to %d at this limit; choose fewer, or export.", mostPaged/q.Limit)
	}
	names := q.values["columns"]
	if len(names) == 0 {
		names = strings.Split("failed_at,id,state,reason,destination,action,twilio_code,recipient,twilio_meaning", ",")
	}
	all := letters.Columns()
	for _, name := range names {
		i := slices.IndexFunc(all, func(c letters.Column) bool { return c.Name == name })
		if i < 0 {
			var known []string
			for _, c := range all {
				known = append(known, c.Name)
			}
			return fmt.Errorf("columns: %q is unknown; known are %s.", name, strings.Join(known, ", "))
		}
		q.Columns = append(q.Columns, all[i])
	}
	return nil
}

// Clean is the query's address where a form's empty fields stand in the one that was
// asked, else "".
func (q *Query) Clean(asked *url.URL) string {
	for _, given := range asked.Query() {
		if slices.Contains(given, "") {
			return Address(asked.Path, q.values)
		}
	}
	return ""
}

// Address is a path with values, if there are any.
func Address(path string, values url.Values) string {
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// Within is an address of this desk, and its first page in place of any other.
func Within(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(address, "\\\r\n\t") {
		return "/"
	}
	return u.RequestURI()
}

// With is the address of a page with the query changed: pairs of names and values,
// where "" takes the option out. What goes on from there begins at its first page.
func (q *Query) With(path string, pairs ...string) string {
	values := url.Values{}
	for name, v := range q.values {
		if name != "page" {
			values[name] = v
		}
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Del(pairs[i])
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return Address(path, values)
}

// Get is what an option was given, with commas between several values.
func (q *Query) Get(name string) string { return strings.Join(q.values[name], ",") }

// Chosen reports whether the query chooses among the letters.
func (q *Query) Chosen() bool {
	for name := range q.values {
		if _, ok := options[name]; ok && name != "tz" {
			return true
		}
	}
	return len(q.IDs) > 0
}

// Hidden are the query's pairs for a form that goes on with it, but for some.
func (q *Query) Hidden(without ...string) (pairs [][2]string) {
	for name, values := range q.values {
		if slices.Contains(without, name) {
			continue
		}
		for _, value := range values {
			pairs = append(pairs, [2]string{name, value})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	return pairs
}

// Time is a time in the query's zone, to the second.
func (q *Query) Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if q.Zone != nil {
		t = t.In(q.Zone)
	} else {
		t = t.UTC()
	}
	return t.Format(time.DateTime)
}
