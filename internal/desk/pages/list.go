package pages

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"engage-worker/deadletter"
	"engage-worker/internal/desk/query"
	"engage-worker/internal/desk/store"
	"engage-worker/internal/desk/words"
	"engage-worker/internal/letters"
	"engage-worker/internal/terminal"
)

// groupView are the letters of one kind.
type groupView struct {
	store.Group
	Link  string `json:"-"` // to them
	Spark string `json:"-"`
}

// listView is the page Dead letters.
type listView struct {
	Query   *query.Query            `json:"-"`
	Total   int                     `json:"total"`
	Partly  string                  `json:"partly,omitempty"` // what is missing
	Busy    bool                    `json:"busy,omitempty"`   // a search goes on
	Page    int                     `json:"page"`
	Limit   int                     `json:"limit"`
	Pages   int                     `json:"pages"`
	Groups  []groupView             `json:"groups"`
	Buckets []store.Bucket          `json:"histogram"`
	Chart   chart                   `json:"-"`
	Letters []map[string]any        `json:"letters"`
	Rows    []rowView               `json:"-"`
	All     []letters.Column        `json:"-"`
	Choices map[string]query.Choice `json:"-"`
	Open    int                     `json:"-"`
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

// List shows the dead letters that a query chooses.
func (p *Pages) List(r *http.Request) (Page, error) {
	q, err := p.parse(r.URL.Query(), "limit", "page", "columns", "groups")
	if err != nil {
		return Page{}, err
	}
	if to := q.Clean(r.URL); to != "" {
		return Page{}, &Moved{to}
	}
	v := listView{Query: q, Page: q.Page, Limit: q.Limit, Groups: []groupView{}, Buckets: []store.Bucket{}, Letters: []map[string]any{}, All: letters.Columns(), Choices: q.Choices(p.cfg)}
	found, err := p.store.Letters(r.Context(), q.Filter, q.Limit*(q.Page-1), q.Limit)
	if err != nil {
		return Page{}, err
	}
	v.Total, v.Partly, v.Busy, v.Pages = found.Total, found.Partly, found.Busy, (found.Total+q.Limit-1)/q.Limit
	if found.Total == 0 && !found.Busy {
		if err := q.Options.Unknown("", p.cfg); err != nil {
			return Page{}, bad(err.Error())
		}
	}
	if q.Page > max(1, v.Pages) && !found.Busy {
		return Page{}, bad("page " + strconv.Itoa(q.Page) + " is beyond the end: there are " + words.Plural(v.Pages, "page") + ".")
	}
	for _, record := range found.Rows {
		row := rowView{ID: record.ID(), State: record.State}
		for _, c := range q.Columns {
			text := p.cell(c, record)
			if c.Name == "failed_at" {
				text = q.Time(record.FailedAt())
			}
			row.Cells = append(row.Cells, text)
		}
		v.Rows, v.Letters = append(v.Rows, row), append(v.Letters, p.object(q, record))
	}
	if err := p.sums(r, &v); err != nil {
		return Page{}, err
	}
	shown := Page{Title: "Dead letters", Section: "letters", Live: true, View: v}
	if v.Busy {
		shown.Refresh = 2
	}
	return shown, nil
}

// sums fills in the groups and the histogram.
func (p *Pages) sums(r *http.Request, v *listView) error {
	groups, err := p.store.Groups(r.Context(), v.Query.Filter)
	if err != nil {
		return err
	}
	v.Partly = cmp.Or(v.Partly, groups.Partly)
	for _, g := range groups.List {
		v.Open += g.Open
		link := v.Query.With("/dead-letters", "destination", g.Destination, "action", g.Action, "reason", g.Reason, "code", letters.Number(g.Code))
		v.Groups = append(v.Groups, groupView{g, link, spark(g.Trend)})
	}
	step := stepOf(v.Query.Filter, p.now())
	histogram, err := p.store.Histogram(r.Context(), v.Query.Filter, step)
	if few := 3; err == nil && step == time.Hour && len(histogram.Buckets) <= few {
		step = 5 * time.Minute
		histogram, err = p.store.Histogram(r.Context(), v.Query.Filter, step)
	}
	if err != nil {
		return err
	}
	v.Partly = cmp.Or(v.Partly, histogram.Partly)
	var from []time.Time
	var counts [][]int
	step = histogram.Step
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

// cell is a column's text of a letter, for whom may see it.
func (p *Pages) cell(c letters.Column, r *deadletter.Record) string {
	return p.veiled(c.Text(r))
}

// object is a letter as JSON has it: its columns by their names.
func (p *Pages) object(q *query.Query, r *deadletter.Record) map[string]any {
	all := map[string]any{}
	for _, c := range q.Columns {
		text := p.cell(c, r)
		all[c.Name] = text
		if n, err := strconv.Atoi(text); c.Number && err == nil {
			all[c.Name] = n
		}
	}
	return all
}

// Export writes the columns that are shown, of all letters that are chosen.
func (p *Pages) Export(w http.ResponseWriter, r *http.Request) error {
	q, err := p.parse(r.URL.Query(), "limit", "page", "columns", "groups")
	if err == nil && !p.store.Progress().Loaded {
		err = Busy("The topics are still being read.")
	}
	if err != nil {
		return err
	}
	if !p.exports.TryAcquire(1) {
		return Busy("Others are exporting.")
	}
	defer p.exports.Release(1)
	ending := strings.TrimPrefix(r.URL.Path, "/dead-letters")
	w.Header().Set("Content-Disposition", `attachment; filename="dead-letters-`+p.now().UTC().Format("20060102-150405")+ending+`"`)
	write, flush := p.asLines(w, q), func() error { return nil }
	if ending == ".csv" {
		write, flush = p.asCSV(w, q)
	} else {
		w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	}
	out := http.NewResponseController(w)
	rows := 0
	err = p.store.Export(r.Context(), q.Filter, func(record *deadletter.Record) error {
		if rows++; rows%1000 == 1 { // whoever reads slowly may, and whoever doesn't is left
			if err := out.SetWriteDeadline(time.Now().Add(Time)); err != nil {
				return err
			}
		}
		return write(record)
	})
	if err == nil {
		err = flush()
	}
	// What was chosen is told without what it may say of people.
	p.log.Info().Str("who", who(r)).Str("chosen", letters.Choice{Filter: q.Filter}.Asked()).Int("rows", rows).Bool("whole", err == nil).Msg("dead letters were exported")
	if err != nil {
		p.log.Warn().Err(err).Msg("an export was cut off")
		panic(http.ErrAbortHandler) // a part must not look like the whole
	}
	return nil
}

func (p *Pages) asLines(w http.ResponseWriter, q *query.Query) func(*deadletter.Record) error {
	enc := json.NewEncoder(terminal.JSON{To: w})
	enc.SetEscapeHTML(false)
	return func(record *deadletter.Record) error { return enc.Encode(p.object(q, record)) }
}

func (p *Pages) asCSV(w http.ResponseWriter, q *query.Query) (write func(*deadletter.Record) error, flush func() error) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	rows := csv.NewWriter(w)
	var cells []string
	for _, c := range q.Columns {
		cells = append(cells, c.Name)
	}
	head := rows.Write(cells)
	return func(record *deadletter.Record) error {
			for i, c := range q.Columns {
				cells[i] = terminal.Cell(p.cell(c, record))
			}
			return rows.Write(cells)
		}, func() error {
			rows.Flush()
			return cmp.Or(head, rows.Error())
		}
}
