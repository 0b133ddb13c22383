package jsvalue

// What parts of a text cost in memory once they are decoded, in bytes, as
// measured: at least what objects and lists of any kind take.
const (
	perBracket = 40 // an object or a list
	perComma   = 32 // one more item, or member
	perColon   = 72 // a member: its name, its value and where it is
)

// Footprint is about how many bytes text takes once it is decoded, which may
// be twenty times its own. It counts, and neither decodes nor allocates. Text
// that is no JSON has a footprint as well.
func Footprint(text []byte) int {
	n := len(text) // Decode's strings share a copy of it
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			n += perBracket
		case ',':
			n += perComma
		case ':':
			n += perColon
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}
