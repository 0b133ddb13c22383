package desk

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// groupView are the letters of one kind.
type groupView struct {
	Destination string                   `json:"destination"`
	Action      string                   `json:"action"`
	Reason      string                   `json:"reason"`
	Code        int                      `json:"twilio_code,omitempty"`
	Meaning     string                   `json:"meaning"`
	Count       int                      `json:"count"`
	Open        int                      `json:"open"`
	ByState     map[deadletter.State]int `json:"by_state"`
	Trend       []int                    `json:"trend"` // by hour, the last 24
	Newest      time.Time                `json:"newest"`
	Sample      string                   `json:"sample"` // an id
	Link        string                   `json:"-"`
	Spark       string                   `json:"-"`
}

// listView is the page Dead letters.
type listView struct {
	Query   *query            `json:"-"`
	Total   int               `json:"total"`
	Partly  string            `json:"partly,omitempty"` // what is missing
	Busy    bool              `json:"busy,omitempty"`   // a search goes on
	Page    int               `json:"page"`
	Limit   int               `json:"limit"`
	Pages   int               `json:"pages"`
	Groups  []groupView       `json:"groups"`
	Buckets []store.Bucket    `json:"histogram"`
	Chart   chart             `json:"-"`
	Letters []map[string]any  `json:"letters"`
	Rows    []rowView         `json:"-"`
	All     []letters.Column  `json:"-"`
	Choices map[string]choice `json:"-"`
	Open    int               `json:"-"`
}

// Shown are the largest groups, or all of them where that is asked for.
func (v listView) Shown() []groupView {
	const most = 10
	if v.Query.Get("groups") == "all" {
		return v.Groups
	}
	return v.Groups[:min(most, len(v.Groups))]
}

// rowView is a row of the table.
type rowView struct {
	ID    string
	State deadletter.State
	Cells []string
}

// list shows the dead letters that a query chooses.
func (d *Desk) list(r *http.Request) (page, error) {
	q, err := d.parseQuery(r.URL.Query(), "limit", "page", "columns", "groups")
	if err != nil {
		return page{}, err
	}
	if to := clean(r, q); to != "" {
		return page{}, &moved{to}
	}
	v := listView{Query: q, Page: q.Page, Limit: q.Limit, Groups: []groupView{}, Buckets: []store.Bucket{}, Letters: []map[string]any{}, All: letters.Columns(), Choices: d.choices(q)}
	found, err := d.store.Letters(r.Context(), q.Filter, q.Limit*(q.Page-1), q.Limit)
	if err != nil {
		return page{}, err
	}
	v.Total, v.Partly, v.Busy, v.Pages = found.Total, found.Partly, found.Busy, (found.Total+q.Limit-1)/q.Limit
	if found.Total == 0 && !found.Busy {
		if err := q.Options.Unknown("", d.o.Config); err != nil {
			return page{}, bad(err.Error())
		}
	}
	if q.Page > max(1, v.Pages) && !found.Busy {
		return page{}, bad("page " + strconv.Itoa(q.Page) + " is beyond the end: there are " + plural(v.Pages, "page") + ".")
	}
	for _, record := range found.Rows {
		row, letter := rowView{ID: record.ID(), State: record.State}, map[string]any{}
		for _, c := range q.Columns {
			text := d.cell(c, record)
			letter[c.Name] = text
			if n, err := strconv.Atoi(text); c.Number && err == nil {
				letter[c.Name] = n
			}
			if c.Name == "failed_at" {
				text = q.shownTime(record.FailedAt())
			}
			row.Cells = append(row.Cells, text)
		}
		v.Rows, v.Letters = append(v.Rows, row), append(v.Letters, letter)
	}
	if err := d.sums(r, &v); err != nil {
		return page{}, err
	}
	p := page{Title: "Dead letters", Section: "letters", Live: true, View: v}
	if v.Busy {
		p.Refresh = 2
	}
	return p, nil
}

// sums fills in the groups and the histogram.
func (d *Desk) sums(r *http.Request, v *listView) error {
	groups, err := d.store.Groups(r.Context(), v.Query.Filter)
	if err != nil {
		return err
	}
	v.Partly = cmp.Or(v.Partly, groups.Partly)
	for _, g := range groups.List {
		v.Open += g.Open
		v.Groups = append(v.Groups, groupOf(v.Query, g))
	}
	step := stepOf(v.Query.Filter, d.now())
	histogram, err := d.store.Histogram(r.Context(), v.Query.Filter, step)
	if few := 3; err == nil && step == time.Hour && len(histogram.Buckets) <= few {
		step = 5 * time.Minute
		histogram, err = d.store.Histogram(r.Context(), v.Query.Filter, step)
	}
	if err != nil {
		return err
	}
	v.Partly = cmp.Or(v.Partly, histogram.Partly)
	var from []time.Time
	var counts [][]int
	if n := len(histogram.Buckets); n > 1 {
		step = histogram.Buckets[1].From.Sub(histogram.Buckets[0].From)
	}
	for i, b := range histogram.Buckets {
		for n := leastBars - len(histogram.Buckets); i == 0 && n > 0; n-- { // one bar alone says nothing
			from, counts = append(from, b.From.Add(-step*time.Duration(n))), append(counts, []int{0, 0})
		}
		v.Buckets = append(v.Buckets, b)
		from, counts = append(from, b.From), append(counts, []int{b.N - b.Open, b.Open})
	}
	v.Chart = newChart(from, step, []string{"closed", "open"}, counts)
	return nil
}

const leastBars = 24

// stepOf is how long the histogram's steps are: hours, but for what is chosen of
// less than a day.
func stepOf(f deadletter.Filter, now time.Time) time.Duration {
	if f.Since.IsZero() {
		return time.Hour
	}
	if f.Until.IsZero() {
		f.Until = now
	}
	switch long := f.Until.Sub(f.Since); {
	case long <= 40*time.Minute:
		return time.Minute
	case long <= 3*time.Hour:
		return 5 * time.Minute
	case long <= 12*time.Hour:
		return 15 * time.Minute
	default:
		return time.Hour
	}
}

func groupOf(q *query, g store.Group) groupView {
	means, _, _ := letters.Reason(g.Reason)
	v := groupView{
		Destination: g.Destination, Action: g.Action, Reason: g.Reason, Code: g.Code, Meaning: cmp.Or(letters.CodeMeaning(g.Code), means),
		Count: g.Count, Open: g.Open, ByState: g.ByState, Trend: g.Trend, Newest: g.Newest, Sample: g.SampleID, Spark: spark(g.Trend),
	}
	v.Link = q.With("/dead-letters", "destination", g.Destination, "action", g.Action, "reason", g.Reason, "code", letters.Number(g.Code))
	return v
}

// cell is a column's text of a letter, for whom may see it.
func (d *Desk) cell(c letters.Column, r *deadletter.Record) string {
	return d.veiled(c.Text(r))
}

// veiled masks numbers and mail, unless they are shown.
func (d *Desk) veiled(text string) string {
	if d.o.Unmask {
		return text
	}
	return letters.Masked(text)
}

// choice is a field of the filter with what may be chosen.
type choice struct {
	Name, Label string
	Value       string
	Values      []string
}

// choices are the fields that have a list to choose from. What is asked for and
// isn't in the list, as several at a time, is one more.
func (d *Desk) choices(q *query) map[string]choice {
	states, dispositions := []string{}, []string{}
	for _, s := range deadletter.AllStates() {
		states = append(states, string(s))
	}
	for _, s := range deadletter.Dispositions() {
		dispositions = append(dispositions, string(s))
	}
	var destinations, actions []string
	for _, to := range d.o.Config.Destinations {
		destinations = append(destinations, to.Name)
		for _, a := range to.Actions {
			actions = append(actions, a.Name)
		}
	}
	all := map[string]choice{}
	for _, c := range []choice{
		{Name: "state", Label: "State", Values: states}, {Name: "reason", Label: "Reason", Values: letters.Reasons()},
		{Name: "destination", Label: "Destination", Values: destinations}, {Name: "action", Label: "Action", Values: actions},
		{Name: "disposition", Label: "Kind of end", Values: dispositions}, {Name: "region", Label: "Region", Values: d.o.Config.RegionNames()},
	} {
		c.Value = q.Get(c.Name)
		seen := map[string]bool{"": true, c.Value: true}
		var once []string
		if c.Value != "" {
			once = append(once, c.Value)
		}
		for _, value := range c.Values {
			if !seen[value] {
				seen[value], once = true, append(once, value)
			}
		}
		c.Values = once
		all[c.Name] = c
	}
	return all
}

// export writes the columns that are shown, of all letters that are chosen.
func (d *Desk) export(w http.ResponseWriter, r *http.Request) {
	q, err := d.parseQuery(r.URL.Query(), "limit", "page", "columns", "groups")
	if err == nil && !d.store.Progress().Loaded {
		err = busy("The topics are still being read.")
	}
	if err != nil {
		d.fail(w, r, err)
		return
	}
	select {
	case d.exports <- struct{}{}:
		defer func() { <-d.exports }()
	default:
		d.fail(w, r, busy("Others are exporting."))
		return
	}
	ending := strings.TrimPrefix(r.URL.Path, "/dead-letters")
	w.Header().Set("Content-Disposition", `attachment; filename="dead-letters-`+d.now().UTC().Format("20060102-150405")+ending+`"`)
	write, flush := d.asLines(w, q), func() error { return nil }
	if ending == ".csv" {
		write, flush = d.asCSV(w, q)
	} else {
		w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	}
	out := http.NewResponseController(w)
	rows := 0
	err = d.store.Export(r.Context(), q.Filter, func(record *deadletter.Record) error {
		if rows++; rows%1000 == 1 { // whoever reads slowly may, and whoever doesn't is left
			if err := out.SetWriteDeadline(time.Now().Add(pageTime)); err != nil {
				return err
			}
		}
		return write(record)
	})
	if err == nil {
		err = flush()
	}
	// What was chosen is told without what it may say of people.
	d.o.Log.Info().Str("who", who(r)).Str("chosen", letters.Choice{Filter: q.Filter}.Asked()).Int("rows", rows).Bool("whole", err == nil).Msg("dead letters were exported")
	if err != nil {
		d.o.Log.Warn().Err(err).Msg("an export was cut off")
		panic(http.ErrAbortHandler) // a part must not look like the whole
	}
}

func (d *Desk) asLines(w http.ResponseWriter, q *query) func(*deadletter.Record) error {
	enc := json.NewEncoder(terminal.JSON{To: w})
	enc.SetEscapeHTML(false)
	return func(record *deadletter.Record) error {
		line := map[string]any{}
		for _, c := range q.Columns {
			text := d.cell(c, record)
			line[c.Name] = text
			if n, err := strconv.Atoi(text); c.Number && err == nil {
				line[c.Name] = n
			}
		}
		return enc.Encode(line)
	}
}

func (d *Desk) asCSV(w http.ResponseWriter, q *query) (write func(*deadletter.Record) error, flush func() error) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rows := csv.NewWriter(w)
	var cells []string
	for _, c := range q.Columns {
		cells = append(cells, c.Name)
	}
	head := rows.Write(cells)
	return func(record *deadletter.Record) error {
			for i, c := range q.Columns {
				cells[i] = terminal.Cell(d.cell(c, record))
			}
			return rows.Write(cells)
		}, func() error {
			rows.Flush()
			return cmp.Or(head, rows.Error())
		}
}
