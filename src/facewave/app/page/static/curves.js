// Curves of the blendshapes that move most: as seen (thin), and what K numbers keep (thick).

import { cursor, lastAtMost, scale, tickText, ticks, whenResized } from "./charts.js";
import { asTable, decimal, el, percent, svg } from "./dom.js";

const ROW = 62; // px of a curve
const AXIS = 20;

/** A path through the points; null breaks it. */
export function line(times, values, x, y) {
  let d = "";
  let pen = "M";
  times.forEach((time, i) => {
    if (values[i] === null) pen = "M";
    else {
      d += `${pen}${x(time).toFixed(1)} ${y(values[i]).toFixed(1)}`;
      pen = "L";
    }
  });
  return d;
}

/** @param curve of one person; @param duration of the clip; @param isWide whether it stands alone */
export function curves(curve, duration, clock, isWide) {
  const { times, names, values, kept, k, wavelet, unexplained } = curve;
  const share = unexplained === null ? "" : `: ${percent(1 - unexplained)} of the movement`;
  const height = names.length * ROW + AXIS;
  const host = el("div", { class: "plot" });
  const label = `Curves over time of ${names.join(", ")}. ${k} numbers a curve keep${share || " some of them"}.`;
  const picture = svg("svg", { height, width: "100%", role: "img", "aria-label": label });
  host.append(picture);
  const readings = names.map(() => svg("text", { "text-anchor": "end", class: "reading" }));

  whenResized(host, (width) => {
    const x = scale(0, duration, 0, width);
    const nodes = names.flatMap((name, i) => {
      const numbers = [...values[i], ...kept[i]].filter((v) => v !== null);
      const [low, high] = [Math.min(...numbers, 0), Math.max(...numbers, .05)];
      const y = scale(low, high, (i + 1) * ROW - 6, i * ROW + 20);
      readings[i].setAttribute("x", width);
      readings[i].setAttribute("y", i * ROW + 13);
      return [
        svg("path", { d: `M0 ${y(low)}H${width}`, class: "grid" }),
        svg("path", { d: line(times, kept[i], x, y), class: "kept" }),
        svg("path", { d: line(times, values[i], x, y), class: "seen" }),
        svg("text", { x: 0, y: i * ROW + 13, class: "row-label" }, name), readings[i],
      ];
    });
    const axis = names.length * ROW + 2;
    nodes.push(svg("path", { d: `M0 ${axis}H${width}`, class: "axis" }));
    for (const time of ticks(0, duration, width / 80)) {
      const anchor = x(time) < 20 ? "start" : x(time) > width - 20 ? "end" : "middle";
      nodes.push(svg("text", { x: x(time), y: axis + 14, "text-anchor": anchor }, `${tickText(time, duration)}${duration < 60 ? " s" : ""}`));
    }
    picture.replaceChildren(...nodes);
    show();
  });
  const show = cursor(host, clock, "the curves", () => ({ start: 0, end: duration, left: 0, right: 0 }));
  clock.each((time) => {
    const at = Math.max(0, lastAtMost(times, time));
    readings.forEach((text, i) => { text.textContent = values[i][at] === null ? "" : `now ${decimal(values[i][at])}`; });
  });
  return el("section", { class: isWide ? "wide" : "" }, el("h3", {}, "What moves most"),
    el("p", { class: "soft" }, "Thin line: what is seen; on the right now, from 0 to 1. Thick line: what ",
      el("strong", {}, `${k} numbers keep`), ` of each curve (wavelet ${wavelet})${share}.`),
    host,
    asTable("Curves", ["time", ...names.flatMap((name) => [name, `${name}, kept`])], () =>
      times.map((time, t) => [decimal(time), ...names.flatMap((_, i) => [decimal(values[i][t], 3), decimal(kept[i][t], 3)])])));
}
