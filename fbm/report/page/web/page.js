"use strict";
// Errors are left where a reader of the page's source, or a test, finds them.
addEventListener("error", (event) => { document.documentElement.dataset.error = event.message; });
(() => {
  const root = document.documentElement;

  // The look: the system's until the button is pressed. Not stored: a page on disk may have no storage.
  const look = document.getElementById("look");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.look ? root.dataset.look === "dark" : dark.matches);
  const name = () => { look.textContent = isDark() ? "Light" : "Dark"; };
  look.hidden = false;
  look.addEventListener("click", () => { root.dataset.look = isDark() ? "light" : "dark"; name(); });
  dark.addEventListener("change", name);
  name();

  // One tip for all: placed beside a point of the window, inside it.
  const tip = document.getElementById("tip");
  const narrow = matchMedia("(max-width: 40rem)"); // a phone: there a tip beside a finger hides the chart
  const place = (x, y, below = y) => {
    tip.hidden = false;
    const { width, height } = tip.getBoundingClientRect();
    const left = x + 14 + width > innerWidth - 8 ? x - 14 - width : x + 14;
    tip.style.left = `${Math.max(8, Math.min(left, innerWidth - 8 - width))}px`;
    tip.style.top = `${narrow.matches || y - 12 - height < 8 ? below + 18 : y - 12 - height}px`;
  };
  const hide = () => { tip.hidden = true; };
  const make = (tag, text, parent, css) => {
    const made = parent.appendChild(document.createElement(tag));
    made.textContent = text;
    if (css) made.className = css;
    return made;
  };
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", hide, { passive: true });

  // A chart answers at the nearest x with the values of all its lines.
  for (const figure of document.querySelectorAll(".chart")) {
    const svg = figure.querySelector(":scope > svg");
    const cursor = svg.querySelector(".cursor");
    const lines = [...svg.querySelectorAll(".line")];
    const stops = new Map(); // what an x is called -> the dots there
    for (const dot of svg.querySelectorAll(".line .dot")) {
      dot.setAttribute("aria-label", dot.querySelector("title").textContent);
      dot.querySelector("title").remove(); // the browser's own tip would cover ours
      stops.set(dot.dataset.head, [...(stops.get(dot.dataset.head) ?? []), dot]);
    }
    const middle = (dots) => dots.reduce((sum, dot) => sum + Number(dot.dataset.x), 0) / dots.length;
    const order = [...stops].map(([head, dots]) => ({ head, dots, x: middle(dots) })).sort((a, b) => a.x - b.x);
    let at = -1;
    const leave = () => {
      at = -1;
      hide();
      cursor.classList.remove("on");
      svg.querySelectorAll(".dot.on").forEach((dot) => dot.classList.remove("on"));
    };
    const show = (next, y) => {
      leave();
      at = next;
      const { head, dots, x } = order[at];
      const visible = dots.filter((dot) => !dot.parentNode.classList.contains("off"));
      if (!visible.length) return;
      cursor.setAttribute("transform", `translate(${x} 0)`);
      cursor.classList.add("on");
      tip.replaceChildren();
      make("strong", head, tip);
      const values = make("div", "", tip);
      for (const dot of visible) {
        dot.classList.add("on");
        make("i", "", values, dot.parentNode.classList[1]);
        make("span", dot.parentNode.dataset.label, values);
        make("span", dot.dataset.says, values);
      }
      const box = svg.getBoundingClientRect();
      place(box.left + (x / svg.viewBox.baseVal.width) * box.width, y ?? box.top + box.height / 3, box.bottom - 14);
    };
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
      const near = order.reduce((best, stop, nth) => (Math.abs(stop.x - x) < Math.abs(order[best].x - x) ? nth : best), 0);
      show(near, event.clientY);
    });
    svg.addEventListener("pointerleave", leave);
    svg.addEventListener("blur", leave);
    svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) show(order.length - 1); });
    svg.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: order.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(Math.max(0, Math.min(to, order.length - 1)));
    });
    figure.querySelectorAll("button.key").forEach((key, nth) => key.addEventListener("click", () => {
      const off = lines[nth].classList.toggle("off");
      key.setAttribute("aria-pressed", String(!off));
    }));
  }

  // Cells that say more than they show. A confusion matrix is one stop for the Tab key; arrows walk in it.
  const say = (cell, x, y) => {
    tip.replaceChildren(cell.dataset.says);
    const box = cell.getBoundingClientRect();
    place(x ?? box.right, y ?? box.top);
  };
  for (const cell of document.querySelectorAll("td[title]")) {
    cell.dataset.says = cell.title;
    cell.removeAttribute("title");
    cell.addEventListener("pointermove", (event) => say(cell, event.clientX, event.clientY));
    cell.addEventListener("pointerleave", hide);
    cell.addEventListener("focus", () => say(cell));
    cell.addEventListener("blur", hide);
  }
  for (const body of document.querySelectorAll(".matrix tbody")) {
    const cells = [...body.querySelectorAll("td")];
    const across = body.rows[0].cells.length - 1;
    cells.forEach((cell, nth) => { cell.tabIndex = nth ? -1 : 0; });
    body.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across }[event.key];
      const next = step && cells[cells.indexOf(document.activeElement) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  }

  root.dataset.ready = "yes";
})();
