package profile

import (
	"strings"

	"engage-worker/actions/internal/endpoint"
)

// BaseURL is scheme://host[:port] of the Profile API. hostname, where set, is
// the whole answer (host, host:port or http(s)://host:port). Otherwise the
// region eu-west-1 has its own host and all others share one; an environment
// other than production has .build for .com.
func BaseURL(hostname, region, environment string) (string, error) {
	if strings.TrimSpace(hostname) != "" {
		return endpoint.Parse(hostname)
	}
	host, top := "profiles.segment", ".com"
	if region == "eu-west-1" {
		host = "profiles.euw1.segment"
	}
	if environment != "production" {
		top = ".build"
	}
	return "https://" + host + top, nil
}
