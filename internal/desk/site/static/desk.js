// What the pages do by themselves: they ask for themselves again when the desk
// says that something changed, and take over the parts that are marked for it
// (data-live-part). Everything else works without this file.
"use strict";

(function () {
  const body = document.body;
  const told = document.getElementById("told");
  const least = 2000; // milliseconds between two questions
  let asking = false, wanted = false, last = 0, timer = 0;

  for (const e of document.querySelectorAll("[data-scripted]")) e.hidden = false;

  // An empty field asks nothing, and stays out of the address.
  for (const form of document.querySelectorAll('form[method="get"]')) {
    form.addEventListener("submit", function () {
      for (const field of form.elements) if (field.name && field.value === "") field.disabled = true;
      setTimeout(function () { for (const field of form.elements) field.disabled = false; }, 0);
    });
  }

  // inUse says that somebody is at a part: it is left as it is.
  function inUse(part) {
    const selected = window.getSelection();
    if (selected && !selected.isCollapsed && part.contains(selected.anchorNode)) return true;
    const at = document.activeElement;
    if (part.querySelector(".dragged")) return true;
    return part.contains(at) && at !== part && (at.matches("input:not([type=checkbox]), select, textarea"));
  }

  // parts are the names of a page's parts. Where others came or went, its whole
  // content is one.
  function parts(page) {
    return Array.from(page.querySelectorAll("#main [data-live-part]"), function (part) { return part.id; }).join(" ");
  }

  // take puts the new parts in the place of those that differ.
  function take(fresh) {
    let changed = 0;
    const all = parts(fresh) === parts(document) ? "[data-live-part]" : "#main, #state";
    for (const part of document.querySelectorAll(all)) {
      const other = fresh.getElementById(part.id);
      if (!other || other.isEqualNode(part) || inUse(part)) continue;
      const at = part.contains(document.activeElement) ? places(part).indexOf(document.activeElement) : -1;
      const ticked = new Set(Array.from(part.querySelectorAll("input[type=checkbox]:checked"), function (box) { return box.name + "=" + box.value; }));
      const left = Array.from(part.querySelectorAll(".scroll"), function (s) { return s.scrollLeft; });
      const now = document.adoptNode(other);
      if (ticked.size) for (const box of now.querySelectorAll("input[type=checkbox]")) box.checked = ticked.has(box.name + "=" + box.value);
      part.replaceWith(now);
      now.querySelectorAll(".scroll").forEach(function (s, i) { s.scrollLeft = left[i] || 0; });
      for (const e of now.querySelectorAll("[data-scripted]")) e.hidden = false;
      const again = at >= 0 && places(now)[at];
      if (again) again.focus({ preventScroll: true });
      if (part.id !== "state") changed++;
    }
    const next = Number(fresh.body.dataset.refresh || 0);
    if (next) body.dataset.refresh = next; else delete body.dataset.refresh;
    if (changed) tell();
    // A page that is another one now, as when the reading has ended.
    if (!fresh.querySelector("#loading") !== !document.getElementById("loading")) location.reload();
  }

  // tell says now and then, to those who hear the page, that it has changed.
  let toldAt = 0;
  function tell() {
    if (!told || Date.now() - toldAt < 30000) return;
    toldAt = Date.now();
    const sum = document.getElementById("sum") || document.querySelector("#job .big");
    told.textContent = "Updated. " + (sum ? sum.textContent.trim() : "");
  }

  // lost says that nothing is told any more: the sign-in has ended, or the desk.
  function lost() {
    const state = document.getElementById("state");
    if (!state) return;
    state.querySelector(".dot").className = "dot bad";
    state.title = "The desk doesn't tell of changes any more: reload the page.";
    state.lastChild.textContent = "not live";
  }

  function places(part) {
    return Array.from(part.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]"));
  }

  function ask() {
    if (document.hidden || asking) { wanted = true; return; }
    const wait = last + least - Date.now();
    if (wait > 0) { clearTimeout(timer); timer = setTimeout(ask, wait); return; }
    asking = true; wanted = false; last = Date.now();
    const request = new XMLHttpRequest();
    request.open("GET", location.pathname + location.search);
    request.responseType = "document";
    request.setRequestHeader("Desk-By-Itself", "1");
    request.timeout = 30000;
    request.onloadend = function () {
      asking = false;
      const fresh = request.status === 200 && request.response;
      if (fresh && fresh.getElementById("main")) take(fresh);
      if (wanted) ask(); else again();
    };
    request.send();
  }

  // again asks once more where the page goes on without the topics' changing.
  function again() {
    const seconds = Number(body.dataset.refresh || 0);
    clearTimeout(timer);
    if (seconds) timer = setTimeout(ask, 1000 * seconds);
  }

  if (body.hasAttribute("data-live")) {
    // A page that nobody sees holds no connection: a browser has six to a host.
    let stream = null;
    const close = function () {
      if (stream) stream.close();
      stream = null;
    };
    const open = function () {
      if (stream) return;
      const now = stream = new EventSource("/events");
      let first = true;
      now.addEventListener("state", function () {
        if (first) first = false; else ask();
      });
      now.addEventListener("error", function () {
        if (now.readyState === EventSource.CLOSED && now === stream) lost();
      });
    };
    document.addEventListener("visibilitychange", function () {
      if (document.hidden) return close();
      open();
      ask();
    });
    window.addEventListener("pagehide", close);
    window.addEventListener("pageshow", function (event) { if (event.persisted) { open(); ask(); } });
    if (!document.hidden) open();
    again();
  }

  // Dragging over a chart chooses a time. By keyboard, the fields From and Until do.
  let from = null, box = null;
  function barAt(event) {
    const e = event.target.closest && event.target.closest("[data-drag] g[data-from]");
    return e && (!box || box.contains(e)) ? e : null;
  }
  function mark(to) {
    const bars = Array.from(box.querySelectorAll("g[data-from]"));
    const a = bars.indexOf(from), b = bars.indexOf(to);
    bars.forEach(function (bar, i) { bar.classList.toggle("dragged", i >= Math.min(a, b) && i <= Math.max(a, b)); });
  }
  document.addEventListener("pointerdown", function (event) {
    const bar = event.button === 0 && barAt(event);
    if (!bar) return;
    from = bar; box = bar.closest("[data-drag]");
    if (bar.releasePointerCapture && bar.hasPointerCapture(event.pointerId)) bar.releasePointerCapture(event.pointerId);
    mark(bar);
    event.preventDefault();
  });
  document.addEventListener("pointermove", function (event) {
    const bar = box && barAt(event);
    if (bar) mark(bar);
  });
  document.addEventListener("pointerup", function () {
    if (!box) return;
    const chosen = box.querySelectorAll(".dragged");
    const to = new URL(box.dataset.drag, location.href);
    box = from = null;
    if (!chosen.length) return;
    to.searchParams.set("since", chosen[0].dataset.from);
    to.searchParams.set("until", chosen[chosen.length - 1].dataset.to);
    location.assign(to.pathname + to.search);
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape" || !box) return;
    for (const bar of box.querySelectorAll(".dragged")) bar.classList.remove("dragged");
    box = from = null;
  });
})();
