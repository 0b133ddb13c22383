package actions

import "strings"

// gsmBasic and gsmExtended are the GSM 03.38 alphabet; a character of the
// second takes two places.
const (
	gsmBasic = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
		"¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmExtended = "\f^{}\\[~]|€"
)

// Segments is how an SMS is cut up and paid for.
type Segments struct {
	Encoding string `json:"encoding"` // GSM-7 or UCS-2
	Units    int    `json:"units"`    // places of the alphabet
	Segments int    `json:"segments"`
}

// countSegments counts body's segments: of 160 units GSM-7 or 70 UCS-2, or
// when there are several of 153 or 67, no character being cut in two.
func countSegments(body string) Segments {
	widths := make([]int, 0, len(body))
	for _, r := range body {
		switch {
		case strings.ContainsRune(gsmBasic, r):
			widths = append(widths, 1)
		case strings.ContainsRune(gsmExtended, r):
			widths = append(widths, 2)
		default:
			return cut("UCS-2", utf16Widths(body), 70, 67)
		}
	}
	return cut("GSM-7", widths, 160, 153)
}

func utf16Widths(body string) []int {
	widths := make([]int, 0, len(body))
	for _, r := range body {
		if r > 0xFFFF {
			widths = append(widths, 2)
		} else {
			widths = append(widths, 1)
		}
	}
	return widths
}

func cut(encoding string, widths []int, single, several int) Segments {
	s := Segments{Encoding: encoding}
	used, count := several, 0
	for _, width := range widths {
		s.Units += width
		if used+width > several {
			count, used = count+1, 0
		}
		used += width
	}
	s.Segments = count
	if s.Units <= single {
		s.Segments = min(s.Units, 1)
	}
	return s
}
