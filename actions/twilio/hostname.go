package twilio

import (
	"errors"
	"fmt"
	"strings"

	"engage-worker/actions/internal/endpoint"
)

// BaseURL is scheme://host[:port] of a product of Twilio's, "api", "content" or
// "messaging". hostname, where set, is the whole answer (host, host:port or
// http(s)://host:port). Otherwise it is product.twilio.com, or with an edge and a
// processing region product.edge.region.twilio.com; Twilio no longer serves
// names with one of the two only, so it is both or neither.
func BaseURL(hostname, twilioRegion, twilioEdge, product string) (string, error) {
	if product != "api" && product != "content" && product != "messaging" {
		return "", fmt.Errorf("twilio product %q: want api, content or messaging", product)
	}
	if (twilioRegion == "") != (twilioEdge == "") {
		return "", errors.New("twilioRegion and twilioEdge go together: set both (ie1 and dublin, au1 and sydney, jp1 and tokyo) or neither")
	}
	if strings.TrimSpace(hostname) != "" {
		return endpoint.Parse(hostname)
	}
	if twilioRegion == "" {
		return "https://" + product + ".twilio.com", nil
	}
	for _, label := range []string{twilioRegion, twilioEdge} {
		if strings.Contains(label, ".") {
			return "", fmt.Errorf("%q is not a region or an edge of Twilio's: it holds a dot", label)
		}
	}
	return endpoint.Parse(product + "." + twilioEdge + "." + twilioRegion + ".twilio.com")
}
