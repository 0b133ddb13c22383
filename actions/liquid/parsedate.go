package liquid

import (
	"strconv"
	"strings"
	"time"
)

// parseDate reads a text as V8's Date does, in UTC: by the standard, ISO 8601 as
// ECMA-262 has it, or by the rules that browsers have grown, under which "Mar 14,
// 2026 10:00 PM GMT+0200" and "3/14/26" are dates. What the standard's reader has
// taken in before it gives up counts for the other one.
func parseDate(s string) (time.Time, bool) {
	p := dateParser{words: dateWords{rest: s}, month: unset, half: unset, zone: zone{hour: unset, minute: unset}}
	first, ok := p.readISO()
	if !ok || !p.readLoose(first) {
		return time.Time{}, false
	}
	return p.time()
}

// dateParser collects what a date is made of.
type dateParser struct {
	words dateWords
	day   []int // year, month and day, in the order of the text; three at most
	iso   bool  // in that order
	month int   // from 1, when it is named
	clock []int // hours, minutes, seconds, milliseconds
	half  int   // 0 is am, 12 pm
	zone  zone
}

// unset is a part that the text hasn't.
const unset = -1

// zone is an offset from UTC.
type zone struct {
	sign, hour, minute int
}

func (z *zone) set(hours int) {
	z.sign, z.hour, z.minute = 1, hours, 0
	if hours < 0 {
		z.sign, z.hour = -1, -hours
	}
}

// awaits reports whether n can be the minutes behind "+2:".
func (z *zone) awaits(n int) bool { return z.hour != unset && z.minute == unset && n < 60 }

// readISO reads by the standard. ok is false when the text is no date by any
// reader; else next is what the other reader goes on with, nothing at the end.
func (p *dateParser) readISO() (next dateWord, ok bool) {
	w := &p.words
	switch sign := w.peek(); {
	case sign.is('+') || sign.is('-'):
		w.next()
		year := w.peek()
		if !year.digits(6) || sign.is('-') && year.value == 0 {
			return sign, true
		}
		if w.next(); sign.is('-') {
			year.value = -year.value
		}
		p.day = append(p.day, year.value)
	case sign.digits(4):
		p.day = append(p.day, w.next().value)
	default:
		return w.next(), true
	}
	for _, most := range [...]int{12, 31} {
		if !w.skip('-') {
			break
		}
		if n := w.peek(); !n.digits(2) || n.value < 1 || n.value > most {
			return w.next(), true
		}
		p.day = append(p.day, w.next().value)
	}
	if w.peek().kind == wordT {
		w.next()
		if !p.readISOTime() || w.peek().kind != wordEnd {
			return dateWord{}, false
		}
	} else if w.peek().kind != wordEnd {
		return w.next(), true
	}
	p.iso = true
	return dateWord{}, true
}

// readISOTime reads hours and minutes, and seconds, their fraction and an offset,
// if they are there. An offset may lack its colon.
func (p *dateParser) readISOTime() bool {
	w := &p.words
	two := func(most int) (ok bool) {
		n := w.peek()
		if !n.digits(2) || n.value > most {
			return false
		}
		p.clock = append(p.clock, w.next().value)
		return true
	}
	if !two(24) || !w.skip(':') || !two(59) {
		return false
	}
	if w.skip(':') {
		if !two(59) {
			return false
		}
		if w.skip('.') {
			if w.peek().kind != wordNumber {
				return false
			}
			p.clock = append(p.clock, w.next().milliseconds())
		}
	}
	switch sign := w.peek(); {
	case sign.isZ():
		w.next()
	case sign.is('+') || sign.is('-'):
		w.next()
		p.zone.setSign(sign)
		hours := w.next()
		switch {
		case hours.digits(4):
			p.zone.hour, p.zone.minute = hours.value/100, hours.value%100
		case hours.digits(2) && w.skip(':') && w.peek().digits(2):
			p.zone.hour, p.zone.minute = hours.value, w.next().value
		default:
			return false
		}
		return p.zone.hour < 24 && p.zone.minute < 60
	}
	return true
}

func (z *zone) setSign(sign dateWord) {
	if z.sign = 1; sign.is('-') {
		z.sign = -1
	}
}

// readLoose reads the rest, which begins with word.
func (p *dateParser) readLoose(word dateWord) bool {
	w := &p.words
	numbers := len(p.day) > 0
	for ; word.kind != wordEnd; word = w.next() {
		switch sign := word.is('+') || word.is('-'); {
		case word.kind == wordNumber:
			numbers = true
			if !p.readNumber(word.value) {
				return false
			}
		case word.kind == wordHalf && len(p.clock) > 0:
			p.half = word.value
		case word.kind == wordMonth:
			p.month = word.value
			w.skip('-')
		case word.kind == wordZone && numbers:
			p.zone.set(word.value)
		case word.isWord():
			// Words that mean nothing stand before the first number, and apart from it.
			if numbers || w.peek().kind == wordNumber {
				return false
			}
		case sign && (p.zone.hour == 0 && p.zone.minute == 0 || len(p.clock) > 0):
			numbers = true
			if !p.readOffset(word) {
				return false
			}
		case (sign || word.is(')')) && numbers:
			return false
		}
	}
	return true
}

// readNumber takes a number by what stands behind it and what is awaited.
func (p *dateParser) readNumber(n int) bool {
	w := &p.words
	clockAwaits := func() bool {
		return len(p.clock) == 1 && n < 60 || len(p.clock) == 2 && n < 60 || len(p.clock) == 3 && n < 1000
	}
	switch {
	case w.skip(':'):
		if w.skip(':') {
			if len(p.clock) > 0 {
				return false
			}
			p.clock = append(p.clock, n, 0)
			return true
		}
		if len(p.clock) == 4 {
			return false
		}
		p.clock = append(p.clock, n)
		w.skip('.')
	case w.skip('.') && clockAwaits():
		p.clock = append(p.clock, n)
		if w.peek().kind != wordNumber {
			return false
		}
		p.finishClock(w.next().milliseconds())
	case p.zone.awaits(n):
		p.zone.minute = n
	case clockAwaits():
		p.finishClock(n)
		next := w.peek()
		return next.kind == wordEnd || next.kind == wordSpace || next.isZ() || next.is('+') || next.is('-')
	default:
		if len(p.day) == 3 {
			return false
		}
		p.day = append(p.day, n)
		w.skip('-')
	}
	return true
}

// finishClock takes the last number of a time; what is left is zero.
func (p *dateParser) finishClock(n int) {
	for p.clock = append(p.clock, n); len(p.clock) < 4; {
		p.clock = append(p.clock, 0)
	}
	p.clock = p.clock[:4]
}

// readOffset reads what follows a sign: hours, or hours and minutes.
func (p *dateParser) readOffset(sign dateWord) bool {
	w := &p.words
	p.zone.setSign(sign)
	var n dateWord
	if w.peek().kind == wordNumber {
		n = w.next()
	}
	switch {
	case w.peek().is(':'):
		p.zone.hour, p.zone.minute = n.value, unset
	case n.length == 1 || n.length == 2:
		p.zone.hour, p.zone.minute = n.value, 0
	case n.length == 3 || n.length == 4:
		p.zone.hour, p.zone.minute = n.value/100, n.value%100
	default:
		return false
	}
	return true
}

// time puts the parts together.
func (p *dateParser) time() (time.Time, bool) {
	year, month, day, ok := p.calendar()
	if !ok || month < 1 || month > 12 || day < 1 || day > 31 || year > 1e9 {
		return time.Time{}, false
	}
	clock := append(p.clock, 0, 0, 0, 0)[:4]
	hour := clock[0]
	if p.half != unset {
		if hour > 12 {
			return time.Time{}, false
		}
		hour = hour%12 + p.half
	}
	rest := clock[1] + clock[2] + clock[3]
	if hour > 24 || hour == 24 && rest > 0 || clock[1] > 59 || clock[2] > 59 || clock[3] > 999 {
		return time.Time{}, false
	}
	offset := p.zone.sign * (max(p.zone.hour, 0)*60 + max(p.zone.minute, 0))
	if offset > 1e9 || offset < -1e9 {
		return time.Time{}, false
	}
	t := time.Date(year, time.Month(month), day, hour, clock[1], clock[2], clock[3]*int(time.Millisecond), time.UTC)
	return dateAt(float64(t.UnixMilli()) - float64(offset)*60_000)
}

// calendar tells which number is the year, the month and the day: the year comes
// first where the first can't be a day, else the month as in the United States.
// What is missing is 1, a year therefore 2001.
func (p *dateParser) calendar() (year, month, day int, ok bool) {
	if len(p.day) == 0 {
		return 0, 0, 0, false
	}
	n := append(p.day, 1, 1)[:3]
	aDay := n[0] >= 1 && n[0] <= 31
	switch {
	case p.month != unset && aDay:
		year, month, day = n[1], p.month, n[0]
	case p.month != unset:
		year, month, day = n[0], p.month, n[1]
	case p.iso || !aDay:
		year, month, day = n[0], n[1], n[2]
	default:
		year, month, day = n[2], n[0], n[1]
	}
	switch {
	case p.iso:
	case year >= 0 && year < 50:
		year += 2000
	case year >= 50 && year < 100:
		year += 1900
	}
	return year, month, day, true
}

// dateWord is a piece of a date's text.
type dateWord struct {
	kind   wordKind
	value  int // of a number, a month from 1, a zone in hours; 0 for am, 12 for pm
	length int
	symbol byte
}

type wordKind int

const (
	wordEnd wordKind = iota
	wordSpace
	wordSymbol // one of :+-.) or anything else that means nothing
	wordNumber
	wordMonth
	wordHalf // am, pm
	wordZone
	wordT
	wordOther
)

func (w dateWord) is(symbol byte) bool { return w.kind == wordSymbol && w.symbol == symbol }
func (w dateWord) isWord() bool        { return w.kind >= wordMonth }
func (w dateWord) isZ() bool           { return w.kind == wordZone && w.length == 1 }
func (w dateWord) digits(n int) bool   { return w.kind == wordNumber && w.length == n }

// milliseconds is a number as the fraction of a second.
func (w dateWord) milliseconds() int {
	n := w.value
	for length := w.length; length < 3; length++ {
		n *= 10
	}
	for length := min(w.length, significant); length > 3; length-- {
		n /= 10
	}
	return n
}

// significant is how many digits of a number count, beside leading zeros.
const significant = 9

// jsSpace is what JavaScript takes for white space.
const jsSpace = " \t\n\v\f\r\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

// dateWords cuts a text into pieces.
type dateWords struct {
	rest   string
	ahead  dateWord
	peeked bool
}

func (w *dateWords) peek() dateWord {
	if !w.peeked {
		w.ahead, w.peeked = w.cut(), true
	}
	return w.ahead
}

func (w *dateWords) next() dateWord {
	next := w.peek()
	w.peeked = false
	return next
}

func (w *dateWords) skip(symbol byte) bool {
	if !w.peek().is(symbol) {
		return false
	}
	w.next()
	return true
}

func (w *dateWords) cut() dateWord {
	if w.rest == "" {
		return dateWord{}
	}
	if space := len(w.rest) - len(strings.TrimLeft(w.rest, jsSpace)); space > 0 {
		w.rest = w.rest[space:]
		return dateWord{kind: wordSpace}
	}
	n := 1
	switch c := w.rest[0]; {
	case isDigit(c):
		return w.cutNumber()
	case c >= 'A':
		n = strings.IndexFunc(w.rest, func(r rune) bool { return r < 'A' || strings.ContainsRune(jsSpace, r) })
		if n < 0 {
			n = len(w.rest)
		}
		word := dateKeyword(strings.ToLower(w.rest[:n]))
		word.length = n
		w.rest = w.rest[n:]
		return word
	case c == '(': // a comment
		for open := 1; n < len(w.rest) && open > 0; n++ {
			switch w.rest[n] {
			case '(':
				open++
			case ')':
				open--
			}
		}
		w.rest = w.rest[n:]
		return dateWord{kind: wordSymbol}
	default:
		w.rest = w.rest[1:]
		return dateWord{kind: wordSymbol, symbol: c}
	}
}

func (w *dateWords) cutNumber() dateWord {
	length := len(w.rest) - len(strings.TrimLeft(w.rest, "0123456789"))
	digits := strings.TrimLeft(w.rest[:length], "0")
	n, _ := strconv.Atoi(digits[:min(len(digits), significant)]) // none is 0
	w.rest = w.rest[length:]
	return dateWord{kind: wordNumber, value: n, length: length}
}

// dateKeyword is what a word in lower case means. A month's first three letters
// are enough.
func dateKeyword(word string) dateWord {
	const months = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(word) >= 3 {
		if i := strings.Index(months, word[:3]); i >= 0 && i%3 == 0 {
			return dateWord{kind: wordMonth, value: i/3 + 1}
		}
	}
	switch word {
	case "t":
		return dateWord{kind: wordT}
	case "am":
		return dateWord{kind: wordHalf}
	case "pm":
		return dateWord{kind: wordHalf, value: 12}
	case "z", "ut", "utc", "gmt":
		return dateWord{kind: wordZone}
	}
	for i, hours := range [...]string{"edt", "est cdt", "cst mdt", "mst pdt", "pst"} {
		if len(word) == 3 && strings.Contains(hours, word) {
			return dateWord{kind: wordZone, value: -4 - i}
		}
	}
	return dateWord{kind: wordOther}
}
