// What charts over time share: scales, round ticks, a redraw when the width changes, and the cursor.

import { clockTime, el } from "./dom.js";

/** A linear map from [a, b] to [c, d]. */
export const scale = (a, b, c, d) => (x) => c + ((x - a) / (b - a || 1)) * (d - c);

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

/** Round times in [start, end], at most `most` of them. */
export function ticks(start, end, most) {
  const step = STEPS.find((s) => (end - start) / s <= most) ?? STEPS.at(-1);
  const times = [];
  for (let i = Math.ceil(start / step - 1e-9); i * step <= end + 1e-9; i++) times.push(i * step);
  return times;
}

/** A tick's text: seconds below a minute, else minutes and seconds. */
export const tickText = (time, end) => (end < 60 ? String(+time.toFixed(1)) : minutes(time));

function minutes(time) {
  return time < 60 ? `0:${String(Math.floor(time)).padStart(2, "0")}` : clockTime(time);
}

/** The index of the last item whose number is at most x, in items that rise; -1 if there is none. */
export function lastAtMost(items, x, number = (item) => item) {
  let low = -1;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (number(items[middle]) <= x) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Draw now and whenever the host's width changes. */
export function whenResized(host, draw) {
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (now > 0 && now !== width) draw((width = now));
  }).observe(host);
}

/**
 * A transparent layer over a chart: pointing and keys move the moment, a line shows it.
 * @param label what the chart is of
 * @param view returns {start, end, left, right}: the seconds shown, and the plot's sides in px
 * @param keys further keys: {key: function}
 */
export function cursor(host, clock, label, view, keys = {}) {
  const line = el("div", { class: "cursor-line" });
  const layer = el("div", {
    class: "cursor", role: "slider", tabIndex: 0, "aria-label": `Moment in ${label}`,
    "aria-valuemin": 0, "aria-valuemax": clock.duration.toFixed(2),
  }, line);
  host.append(layer);

  const show = () => {
    const { start, end, left, right } = view();
    const width = layer.clientWidth;
    line.hidden = clock.time < start || clock.time > end;
    line.style.left = `${scale(start, end, left, width - right)(clock.time)}px`;
    layer.setAttribute("aria-valuenow", clock.time.toFixed(2));
    layer.setAttribute("aria-valuetext", clockTime(clock.time));
  };
  const timeOf = (event) => {
    const { start, end, left, right } = view();
    const time = scale(left, layer.clientWidth - right, start, end)(event.offsetX);
    return Math.min(Math.max(time, start), end);
  };
  layer.addEventListener("pointerdown", (event) => {
    layer.setPointerCapture(event.pointerId);
    clock.seek(timeOf(event));
  });
  layer.addEventListener("pointermove", (event) => {
    const hovers = event.pointerType === "mouse" && !clock.playing;
    if (event.buttons || hovers) clock.seek(timeOf(event));
  });
  layer.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { start, end } = view();
    const step = (end - start) / 100;
    const to = {
      ArrowRight: clock.time + step, ArrowLeft: clock.time - step, Home: 0, End: clock.duration,
      PageUp: clock.time + 10 * step, PageDown: clock.time - 10 * step,
    }[event.key];
    if (to !== undefined) clock.seek(to);
    else if (keys[event.key]) keys[event.key]();
    else return;
    event.preventDefault();
  });
  clock.each(show);
  return show;
}
