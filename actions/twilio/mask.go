package twilio

import (
	"strings"

	"engage-worker/actions/internal/lookup"
)

// Mask is recipient as it may be shown: +15***567, whatsapp:+15***567. What is
// no number, or has fewer than nine digits, is masked altogether.
func Mask(recipient string) string {
	channel, address := "", strings.TrimSpace(recipient)
	if before, after, ok := strings.Cut(address, ":"); ok && strings.EqualFold(before, "whatsapp") {
		channel, address = "whatsapp:", strings.TrimSpace(after)
	}
	if address == "" {
		return channel
	}
	digits, ok := numberDigits(address)
	if !ok {
		return channel + "***"
	}
	masked := lookup.MaskDigits(digits)
	if strings.HasPrefix(address, "+") && masked != "***" {
		masked = "+" + masked
	}
	return channel + masked
}

// numberDigits is the digits of a phone number as people write them, with an
// optional plus in front and separators between; ok is false for anything else.
func numberDigits(s string) (digits string, ok bool) {
	if plain := strings.TrimPrefix(s, "+"); plain != "" && strings.Trim(plain, "0123456789") == "" {
		return plain, true
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case '0' <= c && c <= '9':
			b.WriteRune(c)
		case c == '+' && i == 0:
		case strings.ContainsRune(" -.()/\u00a0", c):
		default:
			return "", false
		}
	}
	return b.String(), b.Len() > 0
}
