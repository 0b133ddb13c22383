package jsvalue

import "bytes"

// What parts of a text cost in memory once they are decoded, in bytes, as
// measured: at least what objects and lists of any kind take.
const (
	perBracket = 40 // an object or a list
	perComma   = 32 // one more item, or member
	perColon   = 72 // a member: its name, its value and where it is
)

// ListFootprint is about how many bytes a list takes beside its items.
func ListFootprint(items int) int { return perBracket + perComma*items }

// ObjectFootprint is about how many bytes an object takes beside the texts of
// its members' names and beside what their values hold.
func ObjectFootprint(members int) int { return perBracket + (perComma+perColon)*members }

// Footprint is about how many bytes text takes once it is decoded, which may
// be twenty times its own. A string that is JSON again counts as if it were
// decoded as well, at any depth, since a mapping can do that. Footprint counts, and
// neither decodes nor allocates. Text that is no JSON has a footprint as well.
func Footprint[Text string | []byte](text Text) int {
	n := len(text) // Decode's strings share a copy of it
	for i := 0; i < len(text); i++ {
		if text[i] != '"' {
			n += cost(text[i])
			continue
		}
		i++
		for within := opens(text, i); i < len(text) && text[i] != '"'; i++ {
			switch {
			case text[i] == '\\':
				i++
				if within && i < len(text) && text[i] == 'u' {
					n += perColon // whatever it stands for
				}
			case within:
				n += cost(text[i])
			}
		}
	}
	return n
}

// FootprintBeyond is how much of text's Footprint is beyond limit. Usual texts are
// so far below what matters that counting bytes, wherever they are, tells.
func FootprintBeyond(text []byte, limit int) int {
	most := len(text)
	for _, c := range []byte(`{[,:`) {
		most += cost(c) * bytes.Count(text, []byte{c})
	}
	if most += perColon * bytes.Count(text, []byte{'\\'}); most <= limit {
		return 0
	}
	return max(0, Footprint(text)-limit)
}

func cost(c byte) int {
	switch c {
	case '{', '[':
		return perBracket
	case ',':
		return perComma
	case ':':
		return perColon
	}
	return 0
}

// opens reports whether a string's text, from i on, may begin an object or a
// list: by a bracket behind white space, whatever of these is escaped.
func opens[Text string | []byte](text Text, i int) bool {
	for ; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			return true
		case ' ':
			continue
		case '\\':
			i++
			if i < len(text) && (text[i] == 'n' || text[i] == 'r' || text[i] == 't') {
				continue
			}
			return i+3 < len(text) && string(text[i:i+3]) == "u00" // ASCII, which nobody has to escape
		}
		return false
	}
	return false
}
