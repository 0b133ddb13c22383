package liquid

import (
	"fmt"
	"math"
	"strings"
	"time"

	"engage-worker/actions/jsvalue"
)

// defaultDateFormat is LiquidJS's.
const defaultDateFormat = "%A, %B %-e, %Y at %-l:%M %P %z"

// dateFilter finds filters of dates. The hosted destination's time zone is
// UTC; so is that of dates here, unless a template says otherwise.
func dateFilter(name string) filter {
	format := ""
	switch name {
	case "date":
		return func(st *state, in any, args []any) (any, error) {
			format := defaultDateFormat
			if v := arg(args, 0); !jsvalue.Nullish(v) {
				format = text(v)
			}
			return formatDate(st, in, format, arg(args, 1))
		}
	case "date_to_xmlschema":
		format = "%Y-%m-%dT%H:%M:%S%:z"
	case "date_to_rfc822":
		format = "%a, %d %b %Y %H:%M:%S %z"
	case "date_to_string":
		return writtenDate("%b")
	case "date_to_long_string":
		return writtenDate("%B")
	default:
		return nil
	}
	return func(st *state, in any, _ []any) (any, error) {
		return formatDate(st, in, format, jsvalue.Undefined{})
	}
}

// writtenDate is a day as people write it, "ordinal" like 7th Nov 2008, or in
// the "US" Nov 7th, 2008.
func writtenDate(month string) filter {
	return func(st *state, in any, args []any) (any, error) {
		format := "%d " + month + " %Y"
		if textArg(args, 0) == "ordinal" {
			format = "%-d%q " + month + " %Y"
			if textArg(args, 1) == "US" {
				format = month + " %-d%q, %Y"
			}
		}
		return formatDate(st, in, format, jsvalue.Undefined{})
	}
}

// zoneCost is what reading a time zone's file costs.
const zoneCost = 4096

// formatDate formats what is a date, and returns as it is what is none.
func formatDate(st *state, in any, format string, zone any) (any, error) {
	v := plain(in)
	if err := st.spend(64); err != nil {
		return nil, err
	}
	t, ok := dateOf(st, v)
	if !ok {
		return v, nil
	}
	d := date{Time: t}
	switch zone := zone.(type) {
	case jsvalue.Undefined, nil:
	case string:
		if err := st.spend(zoneCost); err != nil {
			return nil, err
		}
		location, err := time.LoadLocation(zone)
		if err != nil {
			return nil, fmt.Errorf("there is no time zone %q", zone)
		}
		d.Time, d.zone = t.In(location), zone
	default:
		// JavaScript counts minutes to UTC, not from it.
		minutes := jsvalue.Number(zone)
		if minutes != minutes {
			return v, nil
		}
		if math.Abs(minutes) > 24*60 {
			return nil, fmt.Errorf("a time zone is a name or an offset in minutes")
		}
		d.Time = t.In(time.FixedZone("", -int(minutes)*60))
	}
	return d.strftime(st, format)
}

// dateOf reads a date: "now", "today", seconds since 1970 as a number or
// digits, or what JavaScript would read as one.
func dateOf(st *state, v any) (time.Time, bool) {
	switch v := v.(type) {
	case float64:
		return dateAt(v * 1000)
	case string:
		if v == "now" || v == "today" {
			return st.now().UTC().Truncate(time.Millisecond), true
		}
		if v != "" && strings.Trim(v, "0123456789") == "" {
			return dateAt(jsvalue.Number(v) * 1000)
		}
		return parseDate(v)
	case bool:
		return dateAt(jsvalue.Number(v))
	case []any:
		return parseDate(jsvalue.String(v))
	}
	return time.Time{}, false
}

// dateAt is the time so many milliseconds after 1970, within JavaScript's
// range.
func dateAt(ms float64) (time.Time, bool) {
	if !(math.Abs(ms) <= 8.64e15) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(ms)).UTC(), true
}
