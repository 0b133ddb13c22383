package jsvalue

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
)

func footprintCases() map[string]string {
	rep := func(open, one, end string) string {
		n := 300_000 / len(one)
		return open + strings.TrimSuffix(strings.Repeat(one, n), ",") + end
	}
	var many strings.Builder
	many.WriteString("{")
	for i := 0; many.Len() < 300_000; i++ {
		fmt.Fprintf(&many, `"k%d":%d,`, i, i)
	}
	var nums strings.Builder
	nums.WriteString("{")
	for i := 0; nums.Len() < 300_000; i++ {
		fmt.Fprintf(&nums, `"%d":0,`, i)
	}
	return map[string]string{
		"objects": `{"a":` + rep("[", "{},", "]") + "}",
		"arrays":  `{"a":` + rep("[", "[],", "]") + "}",
		"numbers": `{"a":` + rep("[", "0,", "]") + "}",
		"big":     `{"a":` + rep("[", "12345,", "]") + "}",
		"texts":   `{"a":` + rep("[", `"",`, "]") + "}",
		"escaped": `{"a":` + rep("[", `"\n",`, "]") + "}",
		"members": strings.TrimSuffix(many.String(), ",") + "}",
		"indices": strings.TrimSuffix(nums.String(), ",") + "}",
		"small":   `{"a":` + rep("[", `{"a":0},`, "]") + "}",
		"nested":  `{"a":` + rep("[", `[[[[[[[[0]]]]]]]],`, "]") + "}",
		"onetext": `{"a":"` + strings.Repeat("x", 300_000) + `"}`,
		"five":    `{"a":` + rep("[", `{"a":0,"b":0,"c":0,"d":0,"e":0},`, "]") + "}",
	}
}

// rounding is what an event's own overhead covers: a large block is rounded up
// to a page of 8 KiB, and there are two of them at most, a text and a list.
const rounding = 16 << 10

// TestFootprint: nothing takes more than is foretold, and that is no multiple
// of what it takes.
func TestFootprint(t *testing.T) {
	for name, text := range footprintCases() {
		took, told := taken(t, name, text), int64(Footprint([]byte(text)))
		if told+rounding < took || told > 3*took {
			t.Errorf("%s takes %d bytes, %d are foretold", name, took, told)
		}
	}
	for text, want := range map[string]int{
		"": 0, `"a{[,:\\\"{"`: 12, `"{[,:\\\"{"`: 11 + 3*perBracket + perComma + perColon, `" \n\t[\"[\\\"[{"`: 17 + 4*perBracket,
		`"\u005b\u007b\u007d]"`: 21 + 3*perColon, `"\u5f20\u4e09,"`: 15, `"\`: 2, `"\n`: 3, `"\u0`: 4, `"2026-01-01T10:00:00Z"`: 22, `{"a":[1,2]}`: 11 + 2*perBracket + perComma + perColon, `"`: 1,
	} {
		if got := Footprint([]byte(text)); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
		for limit := range want + 2 {
			if got := FootprintBeyond([]byte(text), limit); got != max(0, want-limit) {
				t.Errorf("%q: %d beyond %d, want %d", text, got, limit, max(0, want-limit))
			}
		}
	}
}

// taken returns the bytes that a decoded text holds, the text included. The heap
// is the whole process's, and others take from it meanwhile: the least of three
// measurements has the least of theirs.
func taken(t *testing.T, name, text string) int64 {
	least := int64(math.MaxInt64)
	for range 3 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		v, err := Decode(text)
		if err != nil {
			t.Fatal(name, err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(v)
		least = min(least, int64(after.HeapAlloc)-int64(before.HeapAlloc)+int64(len(text)))
	}
	return least
}
