package weburl

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// normalHost is a host, serialised: a domain, an IPv4 address, or an IPv6
// address in brackets.
func normalHost(host string, special bool) (string, error) {
	if v6, ok := strings.CutPrefix(host, "["); ok {
		v6, ok = strings.CutSuffix(v6, "]")
		addr, err := netip.ParseAddr(v6)
		if !ok || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", errHost
		}
		return "[" + ipv6(addr) + "]", nil
	}
	if !special {
		if strings.ContainsAny(host, forbiddenHost) {
			return "", errHost
		}
		return escape(host, inOpaque), nil
	}
	domain, err := toASCII(validUTF8(unescape(host)))
	if err != nil || domain == "" || strings.ContainsAny(domain, forbiddenHost+"%\x7F") || hasControl(domain) {
		return "", errHost
	}
	if endsInNumber(domain) {
		return ipv4(domain)
	}
	return domain, nil
}

const forbiddenHost = "\x00\t\n\r #/:<>?@[\\]^|"

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
}

// toASCII is the standard's "domain to ASCII", not strict.
func toASCII(domain string) (string, error) {
	lower := strings.ToLower(domain)
	if isASCII(lower) && !strings.Contains(lower, "xn--") {
		return lower, nil
	}
	profile := idna.New(
		idna.MapForLookup(),
		idna.Transitional(false),
		idna.StrictDomainName(false),
		idna.CheckHyphens(false),
		idna.CheckJoiners(true),
		idna.BidiRule(),
		idna.VerifyDNSLength(false),
	)
	ascii, err := profile.ToASCII(validUTF8(domain))
	if err != nil || strings.Contains(domain, "\uFFFD") {
		return "", errHost
	}
	// What comes out must be acceptable itself.
	if _, err := profile.ToUnicode(ascii); err != nil {
		return "", errHost
	}
	return ascii, nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// ipv6 writes an address by the standard's serialiser: eight pieces in hex,
// the first longest run of two or more zeros compressed; an IPv4 address
// inside is not shown as one.
func ipv6(addr netip.Addr) string {
	raw := addr.As16()
	var pieces [8]uint16
	for i := range pieces {
		pieces[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
	}
	from, length := -1, 1
	for i := 0; i < len(pieces); i++ {
		n := 0
		for i+n < len(pieces) && pieces[i+n] == 0 {
			n++
		}
		if n > length {
			from, length = i, n
		}
		i += n
	}
	var b strings.Builder
	for i := 0; i < len(pieces); i++ {
		if i == from {
			b.WriteString("::")
			i += length - 1
			continue
		}
		if i > 0 && i != from+length {
			b.WriteByte(':')
		}
		b.WriteString(strconv.FormatUint(uint64(pieces[i]), 16))
	}
	return b.String()
}

// endsInNumber reports whether a domain is to be read as an IPv4 address.
func endsInNumber(domain string) bool {
	parts := strings.Split(strings.TrimSuffix(domain, "."), ".")
	last := parts[len(parts)-1]
	if last == "" {
		return false
	}
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	_, ok := ipv4Number(last)
	return ok
}

// ipv4 reads an address of one to four numbers, decimal, octal or hex, and
// writes it in dotted decimal.
func ipv4(domain string) (string, error) {
	parts := strings.Split(strings.TrimSuffix(domain, "."), ".")
	if len(parts) > 4 {
		return "", errHost
	}
	var address uint64
	for i, part := range parts {
		n, ok := ipv4Number(part)
		if !ok {
			return "", errHost
		}
		if i < len(parts)-1 {
			if n > 255 {
				return "", errHost
			}
			address |= n << (8 * (3 - i))
			continue
		}
		if n >= 1<<(8*(5-len(parts))) {
			return "", errHost
		}
		address |= n
	}
	a := [4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}
	return netip.AddrFrom4(a).String(), nil
}

// ipv4Number reads one number of an IPv4 address. One that is too large for
// any address reads as 2^40.
func ipv4Number(s string) (uint64, bool) {
	if s == "" {
		return 0, false
	}
	base := 10
	switch {
	case len(s) >= 2 && s[0] == '0' && s[1]|0x20 == 'x':
		s, base = s[2:], 16
	case len(s) >= 2 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" {
		return 0, true
	}
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil {
		if isRange(err) {
			return 1 << 40, true
		}
		return 0, false
	}
	return min(n, 1<<40), true
}
