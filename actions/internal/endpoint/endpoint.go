// Package endpoint reads the hostname settings of a destination.
package endpoint

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Parse makes a base URL, scheme://host[:port] without a trailing slash, of a
// hostname setting: host, host:port or http(s)://host:port. The scheme is
// https where none is given. Anything that a host can't carry (a path, a
// query, credentials, blanks) is refused rather than dropped, since a request
// would silently go elsewhere than the setting says.
func Parse(hostname string) (string, error) {
	const form = "want host, host:port or http(s)://host:port"
	if strings.TrimSpace(hostname) == "" {
		return "", errors.New("hostname is empty: " + form)
	}
	raw := hostname
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		// url.Parse quotes its input, which may hold credentials.
		return "", errors.New("hostname is not a host: " + form)
	}
	switch {
	case u.User != nil:
		return "", errors.New("hostname holds credentials: " + form)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("hostname has the scheme %q: %s", u.Scheme, form)
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "", strings.Contains(raw, "#"):
		return "", errors.New("hostname holds more than a host: " + form)
	case !validHost(u.Hostname()):
		return "", fmt.Errorf("hostname %q is not a host: %s", u.Hostname(), form)
	case strings.HasSuffix(u.Host, ":"):
		return "", errors.New("hostname has an empty port: " + form)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("hostname has the port %q: want 1 to 65535", port)
		}
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// validHost reports whether host is an IP address or could be a DNS name.
// Underscores are let through: container networks use them.
func validHost(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Zone() == "" // a zone has no place in a URL of ours
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			switch {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return false
			}
		}
	}
	return true
}
