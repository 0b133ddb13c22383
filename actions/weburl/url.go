// Package weburl reads and writes URLs as browsers and Node.js do: by the URL
// Standard of the WHATWG (https://url.spec.whatwg.org), which normalises more
// than net/url and accepts other things. The hosted destination builds its
// callback URLs with it.
//
// There is no base URL here, so every URL is absolute. Of the standard's
// setters there are those that are needed: Split and AppendParam add to the
// query, SetHash replaces the fragment.
package weburl

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// URL is a parsed URL. The zero URL is of no use; a copy is independent.
type URL struct {
	scheme   string
	userinfo string // serialised, with the @, or ""
	host     string // serialised
	hasHost  bool
	port     string // with the colon, or ""
	path     string // serialised, from the first slash on; opaque without one
	query    string // serialised, without the ?
	hasQuery bool
	hash     string // serialised, without the #
	hasHash  bool
}

var (
	errNoScheme    = errors.New("no scheme: it must begin with https:// or the like")
	errNoHost      = errors.New("no host")
	errHost        = errors.New("the host is invalid")
	errPort        = errors.New("the port is invalid")
	errCredentials = errors.New("credentials without a host")
)

// defaultPorts are the special schemes; file has no port.
var defaultPorts = map[string]string{"http": ":80", "https": ":443", "ws": ":80", "wss": ":443", "ftp": ":21", "file": ""}

// Parse reads an absolute URL. Its errors don't repeat the input, which may
// hold credentials.
func Parse(input string) (*URL, error) {
	input = strings.TrimFunc(input, func(r rune) bool { return r <= ' ' })
	input = dropNewlines(validUTF8(input))
	scheme, rest, ok := splitScheme(input)
	if !ok {
		return nil, errNoScheme
	}
	u := &URL{scheme: scheme}
	if before, hash, ok := strings.Cut(rest, "#"); ok {
		u.hash, u.hasHash = escape(hash, inFragment), true
		rest = before
	}
	query := inQuery
	defaultPort, special := defaultPorts[scheme]
	if special {
		query = inSpecialQuery
	}
	if before, q, ok := strings.Cut(rest, "?"); ok {
		u.query, u.hasQuery = escape(q, query), true
		rest = before
	}
	if special {
		rest = strings.ReplaceAll(rest, `\`, "/")
	}
	switch {
	case scheme == "file":
		return u, u.parseFile(rest)
	case special:
		return u, u.parseAuthority(strings.TrimLeft(rest, "/"), defaultPort, true)
	case strings.HasPrefix(rest, "//"):
		return u, u.parseAuthority(rest[2:], "", false)
	case strings.HasPrefix(rest, "/"):
		u.path = normalPath(rest, false)
		return u, nil
	default:
		u.path = escape(rest, inOpaque)
		return u, nil
	}
}

// dropNewlines removes tabs and line ends, which the standard ignores.
func dropNewlines(s string) string {
	if !strings.ContainsAny(s, "\t\r\n") {
		return s
	}
	return strings.NewReplacer("\t", "", "\r", "", "\n", "").Replace(s)
}

func splitScheme(s string) (scheme, rest string, ok bool) {
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case s[i] == ':' && i > 0:
			return strings.ToLower(s[:i]), s[i+1:], true
		case c >= 'a' && c <= 'z':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		default:
			return "", "", false
		}
	}
	return "", "", false
}

// parseAuthority reads rest, what follows the slashes of the authority.
func (u *URL) parseAuthority(rest, defaultPort string, special bool) error {
	authority, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	host := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		host = authority[i+1:]
		if host == "" {
			return errCredentials
		}
		user, password, _ := strings.Cut(authority[:i], ":")
		u.userinfo = escape(user, inUserinfo)
		if password != "" {
			u.userinfo += ":" + escape(password, inUserinfo)
		}
		if u.userinfo != "" {
			u.userinfo += "@"
		}
	}
	host, port, hasPort := cutPort(host)
	if hasPort && host == "" || special && host == "" {
		return errNoHost
	}
	var err error
	if u.port, err = normalPort(port, defaultPort); err != nil {
		return err
	}
	if u.host, err = normalHost(host, special); err != nil {
		return err
	}
	u.hasHost = true
	u.path = normalPath(path, special)
	return nil
}

// parseFile reads what follows file:.
func (u *URL) parseFile(rest string) error {
	u.hasHost = true
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		host, path := authority, ""
		if i := strings.IndexByte(authority, '/'); i >= 0 {
			host, path = authority[:i], authority[i:]
		}
		if host != "" {
			var err error
			if u.host, err = normalHost(host, true); err != nil {
				return err
			}
			if u.host == "localhost" {
				u.host = ""
			}
		}
		rest = path
	}
	u.path = normalPath(rest, true)
	return nil
}

// cutPort splits host:port; a colon inside brackets is the host's.
func cutPort(s string) (host, port string, ok bool) {
	inside := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ':':
			if !inside {
				return s[:i], s[i+1:], true
			}
		}
	}
	return s, "", false
}

// normalPort is the port with its colon, or "" for the scheme's default.
func normalPort(port, defaultPort string) (string, error) {
	n := 0
	for i := range len(port) {
		c := port[i]
		if c < '0' || c > '9' {
			return "", errPort
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return "", errPort
		}
	}
	if port == "" {
		return "", nil
	}
	if p := ":" + itoa(n); p != defaultPort {
		return p, nil
	}
	return "", nil
}

func itoa(n int) string {
	var buf [8]byte
	i := len(buf)
	for {
		i--
		buf[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(buf[i:])
		}
	}
}

// normalPath resolves the dots of a path and escapes its segments. A special
// URL's path is never empty.
func normalPath(path string, special bool) string {
	if path == "" && !special {
		return ""
	}
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	out := segments[:0:0]
	for i, segment := range segments {
		last := i == len(segments)-1
		switch dots(segment) {
		case 1:
			if last {
				out = append(out, "")
			}
		case 2:
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, escape(segment, inPath))
		}
	}
	return "/" + strings.Join(out, "/")
}

// dots is how many dots a segment consists of, as such or escaped; 0 if it
// has anything else or more than two.
func dots(segment string) int {
	n := 0
	for segment != "" {
		switch {
		case segment[0] == '.':
			segment = segment[1:]
		case len(segment) >= 3 && segment[:2] == "%2" && segment[2]|0x20 == 'e':
			segment = segment[3:]
		default:
			return 0
		}
		if n++; n > 2 {
			return 0
		}
	}
	return n
}

// SetHash replaces the fragment; "" removes it.
func (u *URL) SetHash(hash string) {
	u.hasHash = hash != ""
	hash = validUTF8(strings.TrimPrefix(hash, "#"))
	u.hash = escape(dropNewlines(hash), inFragment)
}

// String is the URL, serialised.
func (u *URL) String() string {
	b := make([]byte, 0, len(u.scheme)+len(u.userinfo)+len(u.host)+len(u.port)+len(u.path)+len(u.query)+len(u.hash)+8)
	b = append(append(b, u.scheme...), ':')
	switch {
	case u.hasHost:
		b = append(b, "//"...)
		b = append(b, u.userinfo...)
		b = append(b, u.host...)
		b = append(b, u.port...)
	case strings.HasPrefix(u.path, "//"):
		b = append(b, "/."...) // or the path would read as a host
	}
	b = append(b, u.path...)
	if u.hasQuery {
		b = append(append(b, '?'), u.query...)
	}
	if u.hasHash {
		b = append(append(b, '#'), u.hash...)
	}
	return string(b)
}

// The sets of what is escaped where, beyond control characters and what isn't
// ASCII.
const (
	inOpaque       = ""
	inFragment     = " \"<>`"
	inQuery        = " \"#<>"
	inSpecialQuery = inQuery + "'"
	inPath         = inQuery + "?`{}"
	inUserinfo     = inPath + "/:;=@[\\]^|"
)

// escape percent-encodes the bytes of s that are in set.
func escape(s, set string) string {
	plain := true
	for i := range len(s) {
		if escaped(s[i], set) {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for i := range len(s) {
		if escaped(s[i], set) {
			b = append(b, '%', upperHex[s[i]>>4], upperHex[s[i]&15])
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

const upperHex = "0123456789ABCDEF"

func escaped(c byte, set string) bool {
	return c < ' ' || c >= 0x7F && (c == 0x7F || c >= utf8.RuneSelf) || strings.IndexByte(set, c) >= 0
}
