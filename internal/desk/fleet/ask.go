package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// What a replica may say, and for how long it may think about it.
const (
	maxReplicas  = 200
	maxMetrics   = 8 << 20
	maxReadiness = 4 << 10
	atOnce       = 16
	askFor       = 5 * time.Second // one answer; /readyz asks Kafka first
)

// answer is what one address said.
type answer struct {
	address string
	scrape  *scrape // nil: away
	ready   bool
	why     string
}

// newClient asks replicas directly: through no proxy, and nobody to whom an answer
// points.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: askFor}).DialContext,
			MaxIdleConnsPerHost: 1, MaxConnsPerHost: 2, IdleConnTimeout: time.Minute,
			ResponseHeaderTimeout: askFor, MaxResponseHeaderBytes: 32 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// resolve makes addresses of what was told, each once. away are the names that
// lead nowhere.
func resolve(ctx context.Context, told []string) (addresses []string, away []answer) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for _, t := range told {
		host, port, err := net.SplitHostPort(t)
		if err != nil {
			away = append(away, answer{address: t, why: "isn't host:port"})
			continue
		}
		if _, err := netip.ParseAddr(host); err == nil {
			addresses = append(addresses, t)
			continue
		}
		ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			away = append(away, answer{address: t, why: "its name can't be resolved: " + dnsTrouble(err)})
			continue
		}
		for _, ip := range oneFamily(ips) {
			addresses = append(addresses, net.JoinHostPort(ip.String(), port))
		}
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), away
}

// oneFamily are the addresses of IPv4, where there are some: the others lead
// to the same processes.
func oneFamily(ips []netip.Addr) []netip.Addr {
	for i, ip := range ips {
		ips[i] = ip.Unmap()
	}
	if four := slices.DeleteFunc(slices.Clone(ips), func(ip netip.Addr) bool { return !ip.Is4() }); len(four) > 0 {
		return four
	}
	return ips
}

func dnsTrouble(err error) string {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		if dns.IsNotFound {
			return "there is no such name"
		}
		return dns.Err
	}
	return err.Error()
}

// ask asks one replica.
func ask(ctx context.Context, client *http.Client, address string) answer {
	a := answer{address: address}
	body, status, err := get(ctx, client, address, "/metrics", maxMetrics)
	switch {
	case err != nil:
		a.why = err.Error()
		return a
	case status != http.StatusOK:
		a.why = fmt.Sprintf("answers %d at /metrics: is it a worker's http.listen?", status)
		return a
	}
	if a.scrape, err = parse(strings.NewReader(body)); err != nil {
		a.why = plain(err.Error())
		return a
	}
	body, status, err = get(ctx, client, address, "/readyz", maxReadiness)
	switch {
	case err != nil:
		a.why = "can't say whether it is ready: " + err.Error()
	case status == http.StatusOK:
		a.ready = true
	default:
		a.why = plain(body)
	}
	return a
}

// get is a body and its status. A body that is too long is an error.
func get(ctx context.Context, client *http.Client, address, path string, most int64) (body string, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, http.NoBody)
	if err != nil {
		return "", 0, fmt.Errorf("isn't an address: %w", err)
	}
	r.Header.Set("Accept", "text/plain;version=0.0.4")
	answered, err := client.Do(r)
	if err != nil {
		return "", 0, trouble(ctx, err)
	}
	defer answered.Body.Close()
	read, err := io.ReadAll(io.LimitReader(answered.Body, most+1))
	if err != nil {
		return "", 0, trouble(ctx, err)
	}
	if int64(len(read)) > most {
		return "", 0, fmt.Errorf("answers with more than %d KiB at %s", most>>10, path)
	}
	return string(read), answered.StatusCode, nil
}

// trouble says in words why there is no answer.
func trouble(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("doesn't answer within %v", askFor)
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("refuses connections: nothing listens there")
	}
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		err = asked.Err // the address is said already
	}
	return errors.New(plain(err.Error()))
}

// plain is a text of others in lines, without what a terminal or a browser
// would take for more than text.
func plain(text string) string {
	if len(text) > maxReadiness {
		text = text[:maxReadiness]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsGraphic(r) {
			return r
		}
		return -1
	}, strings.ToValidUTF8(text, "")))
}
