package twilio

import (
	"net"
	"net/http"
	"time"

	"engage-worker/actions/internal/wire"
)

// NewHTTPClient makes the client to share between everything that talks to
// Twilio and Segment from this process. maxConnsHint is how many requests will
// be in flight at most, as far as is known.
//
// It keeps as many idle connections to a host as are used at once: the
// default transport keeps two, and opens one for nearly every request above
// that. It speaks HTTP/1.1 only, so that a broken connection leaves one message's
// outcome unknown rather than that of every message on its way. It follows no
// redirect, asks for no compression (the answers are small) and takes a proxy
// from the environment only, as net/http does.
func NewHTTPClient(maxConnsHint int) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		CheckRedirect: noRedirect,
		Transport: wire.New(&http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    10 * time.Second,
			Protocols:              protocols,
			MaxIdleConnsPerHost:    max(maxConnsHint, 512),
			IdleConnTimeout:        50 * time.Second, // below the 60 s after which load balancers commonly hang up
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
			WriteBufferSize:        8 << 10, // a whole request in one write
		}),
	}
}

// noRedirect hands a redirect to the caller: a POST must not be repeated
// elsewhere, nor credentials shown to another host.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
