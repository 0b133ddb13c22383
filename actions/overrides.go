package actions

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// defaultOverrides is what Twilio is told about calling the webhook when a
// destination says nothing.
const defaultOverrides = "rp=all&rc=5"

// checkOverrides checks connection overrides by Twilio's rules
// (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides) and
// returns everything wrong with them.
func checkOverrides(overrides string) []string {
	overrides = strings.TrimPrefix(overrides, "#")
	if overrides == "" {
		return nil
	}
	var faults []string
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(overrides, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || value == "" {
			faults = append(faults, fmt.Sprintf("%q: want name=value pairs joined by &, such as rp=all&rc=5", pair))
			continue
		}
		if seen[name] {
			faults = append(faults, fmt.Sprintf("%s is there twice", name))
		}
		seen[name] = true
		if fault := checkOverride(name, value); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults
}

func checkOverride(name, value string) string {
	between := func(low, high int, unit string) string {
		if n, err := strconv.Atoi(value); err != nil || n < low || n > high {
			return fmt.Sprintf("%s=%s: want a number from %d to %d%s", name, value, low, high, unit)
		}
		return ""
	}
	switch name {
	case "ct":
		return between(100, 10_000, " (milliseconds to connect)")
	case "rt":
		return between(100, 15_000, " (milliseconds to the answer's first byte)")
	case "tt":
		return between(100, 15_000, " (milliseconds in all)")
	case "rc":
		return between(0, 5, " (retries)")
	case "rp":
		policies := []string{"4xx", "5xx", "ct", "rt", "all"}
		for policy := range strings.SplitSeq(value, ",") {
			if !slices.Contains(policies, policy) {
				return fmt.Sprintf("rp=%s: want one or more of %s, joined by commas", value, strings.Join(policies, ", "))
			}
		}
	case "sni":
		if value != "y" && value != "n" {
			return fmt.Sprintf("sni=%s: want y or n", value)
		}
	case "e":
		for edge := range strings.SplitSeq(value, ",") {
			if edge == "" || strings.Trim(edge, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
				return fmt.Sprintf("e=%s: want one or more of Twilio's edges, joined by commas, such as ashburn,dublin", value)
			}
		}
	default:
		return fmt.Sprintf("%s is no connection override; there are ct, rt, tt, rc, rp, sni and e", name)
	}
	return ""
}
