// Scalograms: how much of a movement lies at each period, over time. Drawn on a canvas.

import { cursor, scale, tickText, ticks, whenResized } from "./charts.js";
import { asTable, decimal, el } from "./dom.js";

const [TOP, HEIGHT, AXIS] = [18, 170, 22]; // px: the periods' heading, the picture, the times
const LEFT = 46; // px for the periods' names
// Viridis at nine places: it rises evenly in lightness, so it is read without colours, too.
const VIRIDIS = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];

/** The colour of a share in [0, 1] as [r, g, b]. */
export function viridis(share) {
  const at = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(at), VIRIDIS.length - 2);
  return VIRIDIS[low].map((value, c) => Math.round(value + (at - low) * (VIRIDIS[low + 1][c] - value)));
}

/** A picture of the values, one pixel each: the shortest period on top. */
function picture({ values, times, periods_s: periods }, highest) {
  const canvas = el("canvas", { width: times.length, height: periods.length });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(times.length, periods.length);
  const rises = periods[0] < periods.at(-1);
  periods.forEach((_, row) => {
    const of = values[rises ? row : periods.length - 1 - row];
    times.forEach((__, t) => {
      const known = of[t] !== null && of[t] !== undefined;
      const colour = known ? [...viridis(of[t] / highest), 255] : [0, 0, 0, 0];
      pixels.data.set(colour, 4 * (row * times.length + t));
    });
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/** @param all scalograms of one person; @param duration of the clip */
export function scalogram(all, duration, clock) {
  const choice = el("select", { id: "scalogram-of" }, all.map((one, i) => el("option", { value: i }, one.name)));
  const canvas = el("canvas", { role: "img", class: "scalogram" });
  const host = el("div", { class: "plot" }, canvas);
  const scaleBar = el("canvas", { width: 256, height: 1, class: "scale", "aria-hidden": "true" });
  const context = scaleBar.getContext("2d");
  for (let i = 0; i < 256; i++) {
    context.fillStyle = `rgb(${viridis(i / 255).join(" ")})`;
    context.fillRect(i, 0, 1, 1);
  }
  const most = el("span", {});
  const rows = el("div", {});
  let width = 0;

  function draw() {
    if (!width) return;
    const one = all[choice.value];
    const highest = one.values.reduce((top, row) => row.reduce((a, b) => Math.max(a, b ?? 0), top), 0) || 1;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = width * ratio;
    canvas.height = (TOP + HEIGHT + AXIS) * ratio;
    const to = canvas.getContext("2d");
    to.scale(ratio, ratio);
    to.imageSmoothingEnabled = false;
    const x = scale(0, duration, LEFT, width);
    const [start, end] = [x(one.times[0]), x(one.times.at(-1))];
    to.drawImage(picture(one, highest), start, TOP, Math.max(end - start, 1), HEIGHT);
    const sorted = [...one.periods_s].sort((a, b) => a - b);
    to.fillStyle = getComputedStyle(canvas).color;
    to.font = "11px system-ui, sans-serif";
    to.textBaseline = "middle";
    to.fillText("period", 0, TOP / 2);
    const every = Math.ceil(sorted.length / 7);
    sorted.forEach((period, i) => {
      if (i % every === 0) to.fillText(`${period < 1 ? period.toFixed(2) : period.toFixed(1)} s`, 0, TOP + ((i + .5) * HEIGHT) / sorted.length);
    });
    for (const time of ticks(0, duration, (width - LEFT) / 80)) {
      to.textAlign = x(time) > width - 20 ? "end" : "center";
      to.fillRect(x(time), TOP + HEIGHT, 1, 4);
      to.fillText(`${tickText(time, duration)}${duration < 60 ? " s" : ""}`, x(time), TOP + HEIGHT + 13);
    }
    most.textContent = decimal(highest, highest < .1 ? 3 : 2);
    canvas.setAttribute("aria-label", summary(one));
    show();
  }
  const show = cursor(host, clock, "the scalogram", () => ({ start: 0, end: duration, left: LEFT, right: 0 }));
  whenResized(host, (now) => { width = now; draw(); });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const chosen = () => {
    const one = all[choice.value];
    rows.replaceChildren(asTable(`Scalogram of ${one.name}`, ["time", ...one.periods_s.map((p) => `${decimal(p)} s`)], () =>
      one.times.map((time, t) => [decimal(time), ...one.values.map((row) => decimal(row[t], 3))])));
    draw();
  };
  choice.addEventListener("change", chosen);
  chosen();
  return el("section", { class: "wide" }, el("h3", {}, "Quick and slow movements"),
    el("p", { class: "soft" }, `How strong movements of each period are${all.length > 1 ? "" : ` in ${all[0].name}`}: quick ones on top, time to the right.`),
    all.length > 1 ? el("p", { class: "choice" }, el("label", { htmlFor: "scalogram-of" }, "Of"), choice) : null,
    host,
    el("p", { class: "scale-line soft" }, "0 ", scaleBar, " ", most, " (strength; colours: viridis)"), rows);
}

function summary({ name, times, periods_s: periods, values }) {
  let best = [0, 0, 0];
  values.forEach((row, p) => row.forEach((value, t) => { if (value > best[0]) best = [value, p, t]; }));
  return `Scalogram of ${name}: strongest at a period of ${decimal(periods[best[1]])} s, ${decimal(times[best[2]])} s into the clip.`;
}
