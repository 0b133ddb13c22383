package liquid

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
)

// date is a time in the zone to show it in.
type date struct {
	time.Time
	zone string // by name, when a template asked for it
}

// strftime formats by LiquidJS's directives: %, flags out of -_0^#:, a width,
// E or O, and a letter. What is no directive stays as it is.
func (d date) strftime(st *state, format string) (string, error) {
	var b strings.Builder
	for {
		start := strings.IndexByte(format, '%')
		if start < 0 {
			b.WriteString(format)
			return b.String(), nil
		}
		b.WriteString(format[:start])
		format = format[start:]
		at := 1
		for at < len(format) && strings.IndexByte("-_0^#:", format[at]) >= 0 {
			at++
		}
		flags := format[1:at]
		digits := at
		for at < len(format) && isDigit(format[at]) {
			at++
		}
		width, err := strconv.Atoi(format[digits:at])
		if err != nil && at > digits || width > 1000 {
			return "", fmt.Errorf("%q is too wide", format[:at])
		}
		if at < len(format) && (format[at] == 'E' || format[at] == 'O') && at+1 < len(format) {
			at++
		}
		if at == len(format) {
			// Not a directive: the percent sign, and on behind it.
			b.WriteByte('%')
			format = format[1:]
			continue
		}
		_, size := utf8.DecodeRuneInString(format[at:])
		if err := st.spend(float64(16 + width)); err != nil {
			return "", err
		}
		b.WriteString(d.directive(format[:at+size], flags, width, format[at]))
		format = format[at+size:]
	}
}

func (d date) directive(source, flags string, width int, letter byte) string {
	s, ok := d.conversion(letter, flags, width)
	if !ok {
		return source
	}
	pad, to := padding(letter)
	if width > 0 {
		to = width
	}
	switch {
	case strings.Contains(flags, "^"):
		s = strings.ToUpper(s)
	case strings.Contains(flags, "#"):
		if strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }) {
			s = strings.ToUpper(s)
		} else {
			s = strings.ToLower(s)
		}
	}
	switch {
	case strings.Contains(flags, "_"):
		pad = " "
	case strings.Contains(flags, "0"):
		pad = "0"
	}
	if strings.Contains(flags, "-") {
		to = 0
	}
	if pad == "0" && strings.HasPrefix(s, "-") {
		return "-" + strings.Repeat(pad, max(0, to-jsvalue.StringLen(s))) + s[1:]
	}
	return strings.Repeat(pad, max(0, to-jsvalue.StringLen(s))) + s
}

// padding is what a directive is filled up with, and to which width.
func padding(letter byte) (pad string, width int) {
	switch letter {
	case 'd', 'H', 'I', 'm', 'M', 'S', 'U', 'W', 'y':
		return "0", 2
	case 'C':
		return " ", 2
	case 'Y':
		return "0", 4
	case 'j', 'L':
		return "0", 3
	case 'e', 'k', 'l':
		return " ", 2
	case 'a', 'A', 'b', 'B', 'c', 'p', 'P':
		return " ", 0
	}
	return "0", 0
}

func (d date) conversion(letter byte, flags string, width int) (string, bool) {
	number := func(n int) (string, bool) { return strconv.Itoa(n), true }
	switch letter {
	case 'a':
		return d.Format("Mon"), true
	case 'A':
		return d.Weekday().String(), true
	case 'b', 'h':
		return d.Format("Jan"), true
	case 'B':
		return d.Month().String(), true
	case 'c':
		return d.Format("1/2/2006, 3:04:05 PM"), true
	case 'C':
		return number(int(math.Floor(float64(d.Year()) / 100)))
	case 'd', 'e':
		return number(d.Day())
	case 'H', 'k':
		return number(d.Hour())
	case 'I', 'l':
		return number((d.Hour()+11)%12 + 1)
	case 'j':
		return number(d.YearDay())
	case 'L':
		return number(d.milliseconds())
	case 'm':
		return number(int(d.Month()))
	case 'M':
		return number(d.Minute())
	case 'N':
		if width == 0 {
			width = 9
		}
		s := fmt.Sprintf("%03d", d.milliseconds())
		s = s[:min(width, len(s))]
		return s + strings.Repeat("0", width-len(s)), true
	case 'p':
		return d.Format("PM"), true
	case 'P':
		return d.Format("pm"), true
	case 'q':
		return ordinal(d.Day()), true
	case 's':
		return strconv.FormatInt(d.Unix(), 10), true
	case 'S':
		return number(d.Second())
	case 'u':
		return number((int(d.Weekday())+6)%7 + 1)
	case 'U':
		return number(d.week(0))
	case 'w':
		return number(int(d.Weekday()))
	case 'W':
		return number(d.week(1))
	case 'x':
		return d.Format("1/2/2006"), true
	case 'X':
		return d.Format("3:04:05 PM"), true
	case 'y':
		return number((d.Year()%100 + 100) % 100)
	case 'Y':
		return number(d.Year())
	case 'z':
		return d.offset(strings.Contains(flags, ":")), true
	case 'Z':
		switch _, offset := d.Zone(); {
		case d.zone != "":
			return d.zone, true
		case offset != 0:
			return d.offset(strings.Contains(flags, ":")), true
		}
		return "UTC", true
	case 't':
		return "\t", true
	case 'n':
		return "\n", true
	case '%':
		return "%", true
	}
	return "", false
}

func (d date) milliseconds() int { return d.Nanosecond() / int(time.Millisecond) }

func (d date) offset(colon bool) string {
	if colon {
		return d.Format("-07:00")
	}
	return d.Format("-0700")
}

// week is the week of the year, weeks starting on the given weekday. Days
// before the first of these are in week 0.
func (d date) week(start int) int {
	sinceStart := (int(d.Weekday()) - start + 7) % 7
	return (d.YearDay() - 1 - sinceStart + 7) / 7
}

func ordinal(day int) string {
	if day >= 11 && day <= 13 {
		return "th"
	}
	switch day % 10 {
	case 1:
		return "st"
	case 2:
		return "nd"
	case 3:
		return "rd"
	}
	return "th"
}
