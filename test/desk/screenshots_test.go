package desk

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// mostColors is how many a picture of docs/desk.md has, and mostBytes how large one
// may be.
const (
	mostColors = 256
	mostBytes  = 150_000
)

// TestScreenshots takes the pictures of docs/desk.md, into the folder that
// DESK_SCREENSHOTS names (make screenshots). The people are made up.
func TestScreenshots(t *testing.T) {
	dir := os.Getenv("DESK_SCREENSHOTS")
	if dir == "" {
		t.Skip("needs DESK_SCREENSHOTS (make screenshots)")
	}
	d := demonstrate(t, "--events", "3000")
	p := newTab(t, d.origin)
	p.theme("light")
	p.size(1200, 800)
	take := func(name string) {
		t.Helper()
		picture, err := reduced(p.picture())
		if err != nil {
			t.Fatal(err)
		}
		if len(picture) > mostBytes {
			t.Errorf("%s has %d bytes, want %d at most", name, len(picture), mostBytes)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.open("/")
	p.until(`/9\d%/.test(document.querySelector("#funnel tbody tr").innerText)`) // nearly all is delivered
	take("overview")
	p.theme("dark")
	take("overview-dark")
	p.theme("light")
	p.open("/dead-letters")
	take("dead-letters")
	p.open("/dead-letters?reason=sender_rejected")
	id := evaluate[string](p, `document.querySelector("table.letters a[href^='/dead-letters/']").getAttribute("href")`)
	p.open(id)
	p.until(`document.querySelector("#history .step")`)
	take("letter")
	p.focus("Show the event")
	p.press(kb.Enter)
	p.until(`document.querySelector(".bubble")`)
	evaluate[bool](p, `(document.querySelector("#event-h").scrollIntoView(), true)`)
	take("event")
	event := evaluate[string](p, `document.querySelector("pre.event").innerText`)
	p.open("/replays?reason=sender_rejected")
	p.focus("Make a plan")
	p.leaves()
	p.until(`document.querySelector("input[name=word]")`)
	take("plan")
	p.focus("Type “replay”")
	p.press("replay")
	p.press(kb.Enter)
	p.until(`document.querySelectorAll("#became .pill.delivered").length >= 2 && document.querySelectorAll("#became .pill.replayed, #became .pill.sent").length === 0`)
	take("replay")
	p.open(id)
	p.until(`document.querySelector("#history .step.replayed")`)
	evaluate[bool](p, `(document.querySelector("#history").scrollIntoView(), true)`)
	take("history")
	p.open("/try")
	evaluate[bool](p, `(document.querySelector("textarea").value = `+strconv.Quote(event)+`, true)`)
	p.focus("Try it")
	p.leaves()
	p.until(`document.querySelector(".bubble")`)
	take("try")
	p.size(360, 720)
	p.open("/dead-letters/" + filepath.Base(id))
	take("narrow")
	d.end(t)
}

// reduced is a PNG with a palette: of its colours, those that most of it has.
func reduced(picture []byte) ([]byte, error) {
	whole, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		return nil, fmt.Errorf("read the picture: %w", err)
	}
	counts := map[color.RGBA]int{}
	bounds := whole.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[color.RGBAModel.Convert(whole.At(x, y)).(color.RGBA)]++
		}
	}
	var all []color.RGBA
	for c := range counts {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int { return counts[b] - counts[a] })
	var palette color.Palette
	for _, c := range all[:min(len(all), mostColors)] {
		palette = append(palette, c)
	}
	small := image.NewPaletted(bounds, palette)
	nearest := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := color.RGBAModel.Convert(whole.At(x, y)).(color.RGBA)
			i, ok := nearest[c]
			if !ok {
				i = uint8(palette.Index(c))
				nearest[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small); err != nil {
		return nil, fmt.Errorf("write the picture: %w", err)
	}
	return out.Bytes(), nil
}
