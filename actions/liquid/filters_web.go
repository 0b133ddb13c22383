package liquid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"engage-worker/actions/jsvalue"
)

// webFilter finds filters of HTML, URLs and encodings.
func webFilter(name string) filter {
	switch name {
	case "escape", "xml_escape":
		return simple(escapeHTML)
	case "escape_once":
		return simple(func(s string) string { return escapeHTML(unescapeHTML(s)) })
	case "newline_to_br":
		return simple(func(s string) string {
			return lineBreaker.Replace(s)
		})
	case "strip_html":
		return simple(stripHTML)
	case "url_encode":
		return simple(func(s string) string {
			return strings.ReplaceAll(percentEncode(s, componentMark), "%20", "+")
		})
	case "url_decode":
		return func(_ *state, in any, _ []any) (any, error) {
			return percentDecode(strings.ReplaceAll(text(in), "+", " "))
		}
	case "cgi_escape":
		return simple(func(s string) string {
			return strings.ReplaceAll(percentEncode(s, "-_.~"), "%20", "+")
		})
	case "uri_escape":
		return simple(func(s string) string { return percentEncode(s, componentMark+";,/?:@&=+$#[]") })
	case "slugify":
		return slugify
	case "base64_encode":
		return simple(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) })
	case "base64_decode":
		return func(_ *state, in any, _ []any) (any, error) { return decodeBase64(text(in)) }
	case "sha256":
		return simple(func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return hex.EncodeToString(sum[:])
		})
	case "hmac_sha256":
		return func(_ *state, in any, args []any) (any, error) {
			mac := hmac.New(sha256.New, []byte(text(arg(args, 0))))
			mac.Write([]byte(text(in)))
			return hex.EncodeToString(mac.Sum(nil)), nil
		}
	}
	return nil
}

func escapeHTML(s string) string {
	return htmlEscaper.Replace(s)
}

func unescapeHTML(s string) string {
	return htmlUnescaper.Replace(s)
}

// stripHTML drops scripts, styles, comments and tags. What isn't closed stays.
func stripHTML(s string) string {
	blocks := [...]struct {
		opening, closing string
		unclosed         bool
	}{{"<script", "</script>", false}, {"<style", "</style>", false}, {"<!--", "-->", false}, {"<", ">", false}}
	var b strings.Builder
	for {
		at := strings.IndexByte(s, '<')
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at])
		s = s[at:]
		end := 0
		for i := range blocks {
			block := &blocks[i]
			if block.unclosed || !strings.HasPrefix(s, block.opening) {
				continue
			}
			if n := strings.Index(s[len(block.opening):], block.closing); n >= 0 {
				end = len(block.opening) + n + len(block.closing)
				break
			}
			block.unclosed = true
		}
		if end == 0 {
			b.WriteString(s)
			return b.String()
		}
		s = s[end:]
	}
}

// componentMark are the punctuation marks that encodeURIComponent keeps.
const componentMark = "-_.!~*'()"

func percentEncode(s, keep string) string {
	const digits = "0123456789ABCDEF"
	s = strings.ToValidUTF8(s, "\uFFFD")
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < utf8.RuneSelf && (isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte(keep, c) >= 0) {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}

func percentDecode(s string) (any, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		n, used := digits(s[i+1:], 2, 16)
		if used != 2 {
			return nil, errors.New("% without two hexadecimal digits")
		}
		b.WriteByte(byte(n))
		i += 2
	}
	if !utf8.ValidString(b.String()) {
		return nil, errors.New("not UTF-8 behind the percent signs")
	}
	return b.String(), nil
}

// slugify joins what is left of a text with dashes.
func slugify(_ *state, in any, args []any) (any, error) {
	s := text(in)
	letters := func(r rune) bool { return unicode.In(r, unicode.M, unicode.L, unicode.Nd) }
	keep := letters
	mode := "default"
	if v := arg(args, 0); v != (jsvalue.Undefined{}) {
		mode = text(v)
	}
	switch mode {
	case "raw":
		keep = func(r rune) bool { return !jsvalue.IsSpace(r) }
	case "pretty":
		keep = func(r rune) bool { return letters(r) || strings.ContainsRune("._~!$&'()+,;=@", r) }
	case "ascii":
		keep = func(r rune) bool { return r < utf8.RuneSelf && letters(r) }
	case "latin":
		s = withoutAccents(s)
	case "default":
	default:
		keep = nil
	}
	if keep != nil {
		var b strings.Builder
		dash := false
		for _, r := range s {
			if keep(r) {
				b.WriteRune(r)
				dash = false
			} else if !dash {
				b.WriteByte('-')
				dash = true
			}
		}
		s = strings.TrimSuffix(strings.TrimPrefix(b.String(), "-"), "-")
	}
	if jsTruthy(arg(args, 1)) {
		return s, nil
	}
	return jsvalue.ToLower(s), nil
}

// withoutAccents writes Latin letters with the plain ones.
func withoutAccents(s string) string {
	return plainLetters.Replace(s)
}

// decodeBase64 takes white space inside and a missing padding.
func decodeBase64(s string) (any, error) {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("\t\n\f\r ", r) {
			return -1
		}
		return r
	}, s)
	if len(s)%4 == 0 {
		s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	return string([]rune(string(b))), nil // broken UTF-8 becomes U+FFFD
}

// htmlEscaper is made once: making it costs more than using it.
var htmlEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// htmlUnescaper is the way back.
var htmlUnescaper = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'")

// lineBreaker marks line breaks.
var lineBreaker = strings.NewReplacer("\r\n", "<br />\n", "\n", "<br />\n")

// plainLetters are for letters with accents.
var plainLetters = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ã", "a", "ä", "a", "å", "a", "æ", "ae", "ç", "c",
	"è", "e", "é", "e", "ê", "e", "ë", "e", "ì", "i", "í", "i", "î", "i", "ï", "i", "ð", "d", "ñ", "n",
	"ò", "o", "ó", "o", "ô", "o", "õ", "o", "ö", "o", "ø", "o", "ù", "u", "ú", "u", "û", "u", "ü", "u",
	"ý", "y", "ÿ", "y", "ß", "ss", "œ", "oe", "þ", "th", "ẞ", "SS", "Œ", "OE", "Þ", "TH",
)
