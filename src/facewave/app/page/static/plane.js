// The plane of valence and arousal: the path over time, and the current point with its interval.

import { scale } from "./charts.js";
import { asTable, decimal, el, svg } from "./dom.js";
import { windowAt } from "./words.js";

const SIZE = 320;
const EDGE = 26;
const x = scale(-1, 1, EDGE, SIZE - EDGE);
const y = scale(-1, 1, SIZE - EDGE, EDGE);
const MOST = 90; // windows of a path; of longer recordings the last ones up to the moment are drawn
const QUADRANTS = [["positive, aroused", 1, 1], ["negative, aroused", -1, 1], ["negative, calm", -1, -1], ["positive, calm", 1, -1]];

/** The valence and arousal of an answer, or null. */
export function pointOf(answer) {
  const [valence, arousal] = [answer?.numbers?.valence, answer?.numbers?.arousal];
  return valence?.value == null || arousal?.value == null ? null : { valence, arousal };
}

/** Whether a model answers both numbers. */
export const inPlane = (answer) =>
  ["valence", "arousal"].every((name) => answer.targets.some((target) => target.name === name));

/** @param answers of the models that answer both; @param person whose */
export function plane(answers, person, clock) {
  const of = answers.map((answer) => answer.people.find((p) => p.person === person)).map((p) => p?.windows ?? []);
  const moving = answers.map((answer, i) => ({
    box: svg("rect", { class: `interval model-${i}` }), dot: svg("circle", { r: 7, class: `now model-${i}` }),
  }));
  const path = (windows) => {
    let d = "";
    let pen = "M";
    for (const window of windows) {
      const point = pointOf(window);
      if (point) d += `${pen}${x(point.valence.value).toFixed(1)} ${y(point.arousal.value).toFixed(1)}`;
      pen = point ? "L" : "M";
    }
    return d;
  };
  const lines = of.map((windows, i) => svg("path", { d: path(windows.slice(0, MOST)), class: `path model-${i}` }));
  const isLong = of.some((windows) => windows.length > MOST);
  const label = (text, at, attributes) => svg("text", { x: at[0], y: at[1], "text-anchor": "middle", ...attributes }, text);
  const picture = svg("svg", { viewBox: `0 0 ${SIZE} ${SIZE}`, class: "plane", role: "img", "aria-label": summary(answers, of) },
    svg("rect", { x: x(-1), y: y(1), width: x(1) - x(-1), height: y(-1) - y(1), class: "band", fill: "var(--raised)" }),
    svg("path", { d: `M${x(-1)} ${y(0)}H${x(1)}M${x(0)} ${y(-1)}V${y(1)}`, class: "axis" }),
    QUADRANTS.map(([text, h, v]) => label(text, [x(h / 2), y(v * .93) + 4], { class: "faint" })),
    label("valence: unpleasant to pleasant", [SIZE / 2, SIZE - 7]),
    label("arousal: calm to aroused", [14, SIZE / 2], { transform: `rotate(-90 14 ${SIZE / 2})` }),
    lines,
    moving.map(({ box }) => box), moving.map(({ dot }) => dot));
  const told = el("p", { class: "soft told" });

  clock.each((time) => {
    if (isLong) {
      of.forEach((windows, i) => {
        const until = windows.findLastIndex((window) => window.start <= time) + 1;
        lines[i].setAttribute("d", path(windows.slice(Math.max(0, until - MOST), until)));
      });
    }
    told.textContent = answers.map((answer, i) => {
      const point = pointOf(windowAt(of[i], time));
      const { box, dot } = moving[i];
      for (const node of [box, dot]) node.toggleAttribute("hidden", !point);
      const name = answers.length > 1 ? `${answer.label}: ` : "";
      if (!point) return `${name}no answer at this moment.`;
      const { valence, arousal } = point;
      dot.setAttribute("cx", x(valence.value));
      dot.setAttribute("cy", y(arousal.value));
      const known = valence.low != null && arousal.low != null;
      box.toggleAttribute("hidden", !known);
      if (known) {
        const [l, r] = [valence.low, valence.high].map((v) => x(Math.min(Math.max(v, -1), 1)));
        const [b, t] = [arousal.low, arousal.high].map((v) => y(Math.min(Math.max(v, -1), 1)));
        Object.entries({ x: l, y: t, width: r - l, height: b - t }).forEach(([k, v]) => box.setAttribute(k, v));
      }
      return `${name}valence ${range(valence)}, arousal ${range(arousal)}.`;
    }).join(" ");
  });
  return el("section", {}, el("h3", {}, "Valence and arousal"),
    answers.length > 1 ? el("ul", { class: "legend" }, answers.map((answer, i) => el("li", {},
      svg("svg", { width: 28, height: 12, "aria-hidden": "true" }, svg("path", { d: "M0 6H28", class: `path model-${i}` })), answer.label))) : null,
    picture, isLong ? el("p", { class: "soft" }, `The line: the last ${MOST} windows up to this moment.`) : null, told,
    asTable("Valence and arousal", ["model", "start", "end", "valence", "arousal"], () =>
      answers.flatMap((answer, i) => of[i].filter(pointOf).map((window) => [
        answer.label, decimal(window.start, 1), decimal(window.end, 1),
        range(window.numbers.valence), range(window.numbers.arousal)]))));
}

/** A number with its interval. */
export function range({ value, low, high }) {
  return low == null ? decimal(value) : `${decimal(value)} (${decimal(low)} to ${decimal(high)})`;
}

function summary(answers, of) {
  const mean = (windows, name) => {
    const values = windows.map((w) => w.numbers?.[name]?.value).filter((v) => v != null);
    return values.length ? decimal(values.reduce((a, b) => a + b) / values.length) : "unknown";
  };
  return "Path in the plane of valence and arousal. " + answers.map((answer, i) =>
    `${answer.label}: on average valence ${mean(of[i], "valence")}, arousal ${mean(of[i], "arousal")}.`).join(" ");
}
