package desk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// focused is the name of what has the focus, as a screen reader would say it.
const focused = `(() => {
	const e = document.activeElement;
	if (!e || e === document.body) return "";
	const labels = e.labels ? [...e.labels].map(l => l.innerText).join(" ") : "";
	return e.getAttribute("aria-label") || labels || e.innerText || e.value || e.name || e.tagName;
})()`

// focus goes on with the Tab key until something is reached whose name begins with
// a text. What has the focus shows it.
func (p *tab) focus(name string) {
	p.t.Helper()
	var passed []string
	for range 400 {
		p.press(kb.Tab)
		at := strings.TrimSpace(evaluate[string](p, focused))
		passed = append(passed, at)
		if strings.HasPrefix(at, name) {
			p.outlined()
			return
		}
	}
	p.t.Fatalf("%s: %q isn't reached by Tab; what is: %q", p.path(), name, passed[:min(60, len(passed))])
}

// outlined fails the test where one can't see what has the focus.
func (p *tab) outlined() {
	p.t.Helper()
	if !evaluate[bool](p, `(() => {
		const s = getComputedStyle(document.activeElement);
		return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 1 || s.boxShadow !== "none";
	})()`) {
		p.t.Errorf("%s: the focus on %q doesn't show", p.path(), evaluate[string](p, focused))
	}
}

// leaves presses Enter and waits for the next page.
func (p *tab) leaves() {
	p.t.Helper()
	evaluate[chromedp.Void](p, `window.left = false`)
	p.press(kb.Enter)
	p.until(`window.left === undefined && document.readyState === "complete"`)
}

// Without a mouse: the failures are found, understood, sent again, and seen to be
// delivered, each of them, once.
func TestReplayByKeyboard(t *testing.T) {
	w, origin := lively(t)
	before := w.sim.Stats().Accepted
	p := newTab(t, origin)
	p.open("/")
	p.focus("Skip to the content")
	p.press(kb.Enter)
	p.focus("Dead letters")
	p.leaves()
	p.focus("sender rejected")
	p.leaves()
	p.says("sender rejected")
	first := evaluate[string](p, `document.querySelector("table.letters a[href^='/dead-letters/']").innerText`)
	p.focus(first)
	p.leaves()
	p.says("What mends it", "21606")
	evaluate[chromedp.Void](p, `history.back()`)
	p.until(`document.querySelector("table.letters")`)
	p.focus("Replay…")
	p.leaves()
	p.focus("Make a plan")
	p.leaves()
	p.until(`document.querySelector("input[name=word]")`)
	p.says(fmt.Sprintf("%d\tchosen", refused), "segments")
	p.seen()
	p.size(1280, 900)
	p.focus("Type “replay”")
	p.press("repla")
	p.focus("Send them again")
	p.press(kb.Enter) // the browser doesn't take another word
	if at := evaluate[bool](p, `document.querySelector("input[name=word]").matches(":invalid")`); !at {
		t.Error("a wrong word is taken")
	}
	p.focus("Type “replay”")
	p.press("replay")
	p.press(kb.Enter)
	p.until(fmt.Sprintf(`document.querySelectorAll("#became .pill.delivered").length === %d`, refused))
	p.says("done", fmt.Sprintf("%d published", refused))
	p.seen()
	p.open("/dead-letters?reason=sender_rejected&state=delivered")
	p.until(fmt.Sprintf(`document.querySelectorAll("table.letters tbody tr").length === %d`, refused))
	p.open("/dead-letters/" + first)
	p.until(`document.querySelector("#now .pill.delivered")`)
	p.says("ada")
	p.wellBehaved()
	if sent := w.sim.Stats().Accepted - before; sent != refused {
		t.Errorf("%d messages were sent, want %d", sent, refused)
	}
}

// One letter is closed, with a reason, and opened again.
func TestDismissByKeyboard(t *testing.T) {
	_, origin := lively(t)
	all, _ := api[letterList](t, origin, "/dead-letters?reason=opted_out")
	p := newTab(t, origin)
	p.open("/dead-letters/" + all.Letters[0].ID)
	p.focus("Close it, because")
	p.press("she has called us")
	p.press(kb.Enter)
	p.until(`document.querySelector("#now .pill.dismissed")`)
	p.says("she has called us")
	p.seen()
	p.focus("Open it again, because")
	p.press("it wasn't she")
	p.press(kb.Enter)
	p.until(`document.querySelector("#now .pill.open")`)
	p.wellBehaved()
}

// Dragging over the bars chooses a time; by keyboard the fields do.
func TestDragOverTheBars(t *testing.T) {
	_, origin := lively(t)
	p := newTab(t, origin)
	p.open("/dead-letters")
	box := evaluate[[]float64](p, `(() => {
		const bars = [...document.querySelectorAll("[data-drag] g[data-from]")];
		bars[0].scrollIntoView({block: "center"});
		return [bars[0], bars[bars.length - 1]].flatMap(b => { const r = b.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; });
	})()`)
	for _, e := range []input.DispatchMouseEventParams{
		{Type: input.DispatchMouseEventTypeMousePressed, X: box[0], Y: box[1], Button: input.MouseButtonLeft, ClickCount: 1},
		{Type: input.DispatchMouseEventTypeMouseMoved, X: box[2], Y: box[3], Button: input.MouseButtonLeft},
		{Type: input.DispatchMouseEventTypeMouseReleased, X: box[2], Y: box[3], Button: input.MouseButtonLeft, ClickCount: 1},
	} {
		call(p, input.DispatchMouseEvent, e)
	}
	p.until(`location.search.includes("since=") && location.search.includes("until=") && document.readyState === "complete"`)
	p.says("sender rejected")
	p.wellBehaved()
}
