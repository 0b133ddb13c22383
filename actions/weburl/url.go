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

	faults "github.com/nlnwa/whatwg-url/errors"
	whatwg "github.com/nlnwa/whatwg-url/url"
)

// URL is a parsed URL. The zero URL is of no use.
type URL struct{ url *whatwg.Url }

var (
	errNoScheme    = errors.New("no scheme: it must begin with https:// or the like")
	errNoHost      = errors.New("no host")
	errHost        = errors.New("the host is invalid")
	errPort        = errors.New("the port is invalid")
	errCredentials = errors.New("credentials without a host")
)

// Parse reads an absolute URL. Its errors don't repeat the input, which may
// hold credentials.
func Parse(input string) (*URL, error) {
	u, err := whatwg.Parse(validUTF8(input))
	if err != nil {
		return nil, withoutInput(err)
	}
	return &URL{u}, nil
}

// withoutInput says what is wrong in words of our own: the parser's hold the URL.
func withoutInput(err error) error {
	switch faults.Type(err) {
	case faults.MissingSchemeNonRelativeURL:
		return errNoScheme
	case faults.HostMissing:
		return errNoHost
	case faults.PortInvalid, faults.PortOutOfRange, faults.PortMissing:
		return errPort
	case faults.InvalidCredentials:
		return errCredentials
	}
	return errHost
}

// SetHash replaces the fragment; "" removes it.
func (u *URL) SetHash(hash string) { u.url.SetHash(strings.TrimPrefix(validUTF8(hash), "#")) }

// String is the URL, serialised.
func (u *URL) String() string { return u.url.Href(false) }
