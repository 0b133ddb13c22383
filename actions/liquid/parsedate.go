package liquid

import (
	"strconv"
	"strings"
	"time"
)

// parseDate reads a text as JavaScript's Date does: ISO 8601 by ECMA-262,
// then loosely, like "Mar 14, 2026 10:00 PM GMT+0200" or "3/14/2026".
func parseDate(s string) (time.Time, bool) {
	iso := isoDate{rest: s}
	if iso.readDay() {
		if iso.rest == "" {
			return iso.time()
		}
		if iso.rest[0]|0x20 == 't' { // V8 reads what follows by the standard or not at all
			iso.rest = iso.rest[1:]
			if !iso.readTime() || iso.rest != "" {
				return time.Time{}, false
			}
			return iso.time()
		}
	}
	p := looseDate{month: -1, offset: 0}
	if !p.read(s) {
		return time.Time{}, false
	}
	return p.time()
}

// isoDate reads a date by ECMA-262, as V8 does: an offset may lack its colon.
type isoDate struct {
	rest                                   string
	year, month, day, hour, minute, second int
	ms, offset                             int // milliseconds; minutes east of UTC
}

// digits reads so many digits, and no more, as a number from low to high.
func (d *isoDate) digits(n int, to *int, low, high int) bool {
	if len(d.rest) < n || strings.Trim(d.rest[:n], "0123456789") != "" || len(d.rest) > n && isDigit(d.rest[n]) {
		return false
	}
	value, err := strconv.Atoi(d.rest[:n])
	if err != nil || value < low || value > high {
		return false
	}
	*to, d.rest = value, d.rest[n:]
	return true
}

func (d *isoDate) skip(symbol string) bool {
	rest, ok := strings.CutPrefix(d.rest, symbol)
	d.rest = rest
	return ok
}

// readDay reads a year, of four digits or a sign and six, a month and a day,
// the latter two if they are there.
func (d *isoDate) readDay() bool {
	d.month, d.day = 1, 1
	switch minus := strings.HasPrefix(d.rest, "-"); {
	case minus || strings.HasPrefix(d.rest, "+"):
		d.rest = d.rest[1:]
		if !d.digits(6, &d.year, 0, 999999) || minus && d.year == 0 {
			return false
		}
		if minus {
			d.year = -d.year
		}
	case !d.digits(4, &d.year, 0, 9999):
		return false
	}
	if !d.skip("-") {
		return true
	}
	return d.digits(2, &d.month, 1, 12) && (!d.skip("-") || d.digits(2, &d.day, 1, 31))
}

// readTime reads hours and minutes, and seconds, their fraction and an offset,
// if they are there.
func (d *isoDate) readTime() bool {
	if !d.digits(2, &d.hour, 0, 24) || !d.skip(":") || !d.digits(2, &d.minute, 0, 59) {
		return false
	}
	if d.skip(":") {
		if !d.digits(2, &d.second, 0, 59) || !d.readFraction() {
			return false
		}
	}
	if d.hour == 24 && d.minute+d.second+d.ms > 0 {
		return false
	}
	return d.readOffset()
}

func (d *isoDate) readFraction() bool {
	if !d.skip(".") {
		return true
	}
	n := 0
	for n < len(d.rest) && isDigit(d.rest[n]) {
		n++
	}
	if n == 0 {
		return false
	}
	d.ms, _ = strconv.Atoi((d.rest[:n] + "00")[:3]) // digits all
	d.rest = d.rest[n:]
	return true
}

func (d *isoDate) readOffset() bool {
	if d.rest != "" && d.rest[0]|0x20 == 'z' {
		d.rest = d.rest[1:]
		return true
	}
	minus := strings.HasPrefix(d.rest, "-")
	if !minus && !strings.HasPrefix(d.rest, "+") {
		return true
	}
	d.rest = d.rest[1:]
	var hours, minutes int
	if d.digits(4, &hours, 0, 2359) {
		hours, minutes = hours/100, hours%100
	} else if !d.digits(2, &hours, 0, 23) || !d.skip(":") || !d.digits(2, &minutes, 0, 59) {
		return false
	}
	d.offset = hours*60 + minutes
	if minus {
		d.offset = -d.offset
	}
	return minutes < 60
}

// time is what was read, if JavaScript has it.
func (d *isoDate) time() (time.Time, bool) {
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute-d.offset, d.second, d.ms*int(time.Millisecond), time.UTC)
	return dateAt(float64(t.UnixMilli()))
}

// looseDate collects what a date in words is made of.
type looseDate struct {
	numbers []int // the day, month and year, in the order of the text
	digits  []int // how many digits each has
	month   int   // from 0, when named
	clock   []int // hours, minutes, seconds, milliseconds
	half    string
	offset  int // seconds east of UTC
}

func (p *looseDate) read(s string) bool {
	for s != "" {
		c := s[0]
		switch {
		case isDigit(c):
			n := 0
			for n < len(s) && isDigit(s[n]) {
				n++
			}
			value, err := strconv.Atoi(s[:n])
			if err != nil {
				return false
			}
			if n < len(s) && s[n] == ':' && p.clock == nil {
				rest, ok := p.readClock(s)
				if !ok {
					return false
				}
				s = rest
				continue
			}
			p.numbers, p.digits = append(p.numbers, value), append(p.digits, n)
			s = s[n:]
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 0
			for n < len(s) && (s[n] >= 'a' && s[n] <= 'z' || s[n] >= 'A' && s[n] <= 'Z') {
				n++
			}
			if !p.readWord(strings.ToLower(s[:n])) {
				return false
			}
			s = s[n:]
		case (c == '+' || c == '-') && p.clock != nil:
			rest, ok := p.readOffset(s)
			if !ok {
				return false
			}
			s = rest
		case c == '(': // a comment
			end := strings.IndexByte(s, ')')
			if end < 0 {
				return true
			}
			s = s[end+1:]
		case strings.IndexByte(" ,/-.\t\n", c) >= 0:
			s = s[1:]
		default:
			return false
		}
	}
	return true
}

func (p *looseDate) readClock(s string) (rest string, ok bool) {
	for len(p.clock) < 3 {
		n := 0
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		value, err := strconv.Atoi(s[:n])
		if err != nil {
			return "", false
		}
		p.clock = append(p.clock, value)
		s = s[n:]
		if !strings.HasPrefix(s, ":") {
			break
		}
		s = s[1:]
	}
	if strings.HasPrefix(s, ".") {
		n := 1
		for n < len(s) && isDigit(s[n]) {
			n++
		}
		ms, err := strconv.Atoi((s[1:n] + "000")[:3])
		if err != nil || len(p.clock) < 3 {
			return "", false
		}
		p.clock = append(p.clock, ms)
		s = s[n:]
	}
	return s, true
}

func (p *looseDate) readWord(word string) bool {
	const months = "janfebmaraprmayjunjulaugsepoctnovdec"
	const days = "sunmontuewedthufrisat"
	if len(word) >= 3 {
		if i := strings.Index(months, word[:3]); i >= 0 && i%3 == 0 {
			p.month = i / 3
			return true
		}
		if i := strings.Index(days, word[:3]); i >= 0 && i%3 == 0 {
			return true
		}
	}
	switch word {
	case "am", "pm":
		p.half = word
		return p.clock != nil
	case "z", "gmt", "utc", "ut":
		return true
	}
	hours, ok := map[string]int{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}[word]
	p.offset = hours * 3600
	// V8 takes any word in front of the date.
	return ok || len(p.numbers) == 0 && p.month < 0 && p.clock == nil
}

func (p *looseDate) readOffset(s string) (rest string, ok bool) {
	n := 1
	for n < len(s) && (isDigit(s[n]) || s[n] == ':') {
		n++
	}
	digits := strings.ReplaceAll(s[1:n], ":", "")
	value, err := strconv.Atoi(digits)
	if err != nil || len(digits) > 4 {
		return "", false
	}
	if len(digits) <= 2 {
		value *= 100
	}
	if value%100 > 59 {
		return "", false
	}
	p.offset = (value/100*60 + value%100) * 60
	if s[0] == '-' {
		p.offset = -p.offset
	}
	return s[n:], true
}

// time puts the parts together: year first when it has three digits or more,
// month before day otherwise, as in the United States.
func (p *looseDate) time() (time.Time, bool) {
	year, month, day := 2001, p.month, 1 // V8's year for dates without one
	n := p.numbers
	switch {
	case p.month >= 0 && len(n) == 2:
		day, year = n[0], p.year(1)
		if p.digits[0] > 2 {
			day, year = n[1], p.year(0)
		}
	case p.month >= 0 && len(n) == 1:
		if p.digits[0] > 2 {
			year = p.year(0)
		} else {
			day = n[0]
		}
	case p.month < 0 && len(n) == 1 && p.digits[0] == 4 && p.clock != nil:
		year, month = n[0], 0
	case p.month < 0 && len(n) == 3 && p.digits[0] > 2:
		year, month, day = n[0], n[1]-1, n[2]
	case p.month < 0 && len(n) == 3:
		month, day, year = n[0]-1, n[1], p.year(2)
	case p.month < 0 && len(n) == 2:
		if p.digits[0] > 2 {
			year, month = n[0], n[1]-1
		} else {
			month, day = n[0]-1, n[1]
		}
	default:
		return time.Time{}, false
	}
	clock := append(p.clock, 0, 0, 0, 0)
	hour := clock[0]
	if p.half != "" {
		if hour < 1 || hour > 12 {
			return time.Time{}, false
		}
		hour %= 12
		if p.half == "pm" {
			hour += 12
		}
	}
	if month < 0 || month > 11 || day < 1 || day > 31 || hour > 24 || clock[1] > 59 || clock[2] > 59 || year > 275759 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month+1), day, hour, clock[1], clock[2], clock[3]*int(time.Millisecond), time.UTC)
	return t.Add(-time.Duration(p.offset) * time.Second), true
}

// year is the i-th number as a year: of two digits, it is one from 1950 to 2049.
func (p *looseDate) year(i int) int {
	year := p.numbers[i]
	switch {
	case p.digits[i] > 2:
		return year
	case year < 50:
		return 2000 + year
	default:
		return 1900 + year
	}
}
