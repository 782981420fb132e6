// Bands of words over time, a row for each person and model; gaps are hatched, shots are ticks.

import { cursor, scale, tickText, ticks, whenResized } from "./charts.js";
import { asTable, called, clockTime, decimal, el, percent, svg } from "./dom.js";
import { windowAt } from "./words.js";

const LABEL = 17; // px above each band
const BAND = 24;
const TOP = 14; // shots
const AXIS = 22;
const NARROWEST = 2; // px of a stretch that is drawn
const SHORTEST = 2; // seconds that can be zoomed into

/**
 * Stretches of one word: each window stands for the time around its middle that no other is nearer
 * to; neighbours with the same word are one. Returns [{start, end, word, usable}].
 */
export function stretches(windows, hop) {
  const found = [];
  const middle = (window) => (window.start + window.end) / 2;
  windows.forEach((window, i) => {
    const [before, after] = [windows[i - 1], windows[i + 1]];
    const near = (other) => other && Math.abs(middle(other) - middle(window)) <= 1.5 * hop;
    const start = near(before) ? (middle(before) + middle(window)) / 2 : window.start;
    const end = near(after) ? (middle(after) + middle(window)) / 2 : window.end;
    const last = found.at(-1);
    const same = last && last.word === window.predicted && last.usable === window.usable;
    if (same && near(before)) last.end = end;
    else found.push({ start, end, word: window.predicted, usable: window.usable });
  });
  return found;
}

/** Stretches less the gaps, in which the person is not in sight: a window that holds a gap ends at it. */
export function without(all, gaps) {
  return gaps.reduce((rest, [start, end]) => rest.flatMap((part) => [
    { ...part, end: Math.min(part.end, start) }, { ...part, start: Math.max(part.start, end) },
  ]).filter((part) => part.end > part.start), all);
}

/** No more stretches than can be seen: those narrower than `seconds` become one, of the longest. */
export function legible(all, seconds) {
  const found = [];
  let group = [];
  const close = () => {
    if (!group.length) return;
    const longest = group.reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a));
    found.push({ ...longest, start: group[0].start, end: group.at(-1).end });
    group = [];
  };
  for (const one of all) {
    if (group.length && one.start > group.at(-1).end + seconds) close();
    group.push(one);
    if (one.end - group[0].start >= seconds) close();
  }
  close();
  return found;
}

/** Where two models name different words: [{start, end}] over the windows that both answer. */
export function differences(one, other, hop) {
  const word = (windows, time) => windowAt(windows, time)?.predicted ?? null;
  const apart = one.map((window) => {
    const there = word(other, (window.start + window.end) / 2);
    const both = window.predicted !== null && there !== null;
    return { ...window, predicted: both && there !== window.predicted ? "differ" : null };
  });
  return stretches(apart, hop).filter((stretch) => stretch.word === "differ");
}

/** @param result what the server answered; `palette` colours words, `clock` is the shared moment */
export function timeline(result, palette, clock) {
  const { answers, people, shots } = result;
  const duration = Math.max(result.clip.duration, 0.01);
  const shown = { start: 0, end: duration };
  const rows = people.flatMap(({ person, gaps }) => {
    const windows = answers.map((a) => a.people.find((p) => p.person === person)?.windows ?? []);
    // A voice is heard from somebody who is not in sight, too.
    const heard = windows.flat().some((w) => w.predicted !== null && w.answered_from !== "face");
    const seen = (all) => (heard ? all : without(all, gaps));
    const of = answers.map((answer, i) => ({
      label: `${called(person, people)}${answers.length > 1 ? `, ${answer.label}` : ""}`,
      person, all: seen(stretches(windows[i], answer.hop)),
    }));
    if (answers.length < 2) return of;
    const all = seen(differences(windows[0], windows[1], answers[0].hop));
    return [...of, { label: `${called(person, people)}, where the models differ`, person, all, differ: true }];
  });
  const height = TOP + rows.length * (LABEL + BAND + 4) + AXIS;
  const host = el("div", { class: "plot" });
  const picture = svg("svg", { height, width: "100%", role: "img", "aria-label": summary(result) });
  host.append(picture);
  let width = 0;

  function draw() {
    if (!width) return;
    const x = scale(shown.start, shown.end, 0, width);
    const inside = ({ start, end }) => end > shown.start && start < shown.end;
    const second = (shown.end - shown.start) / width;
    const rect = (part, y, attributes) => {
      const left = Math.max(x(part.start), 0);
      const right = Math.min(x(part.end), width);
      return svg("rect", { x: left, y, width: Math.max(right - left, .5), height: BAND, ...attributes });
    };
    const nodes = shots.slice(1).filter(([start]) => inside({ start, end: start }))
      .map(([start]) => svg("path", { d: `M${x(start)} 1v${TOP - 3}`, class: "shot" }));
    rows.forEach(({ label, person, all, differ }, i) => {
      const y = TOP + i * (LABEL + BAND + 4) + LABEL;
      nodes.push(svg("circle", { cx: 5, cy: y - 8, r: 5, class: `edge person-${person % 10}` }));
      nodes.push(svg("text", { x: 14, y: y - 4, class: "row-label" }, label));
      nodes.push(svg("rect", { x: 0, y, width, height: BAND, class: "band", fill: differ ? "var(--raised)" : "url(#pattern-none)" }));
      for (const part of legible(all.filter(inside), NARROWEST * second)) {
        if (part.word === null) continue;
        const fill = differ ? "var(--accent)" : palette.fill(part.word);
        const box = rect(part, y, { fill, class: part.usable ? "edge" : "edge doubtful" });
        nodes.push(box);
        const room = box.getAttribute("width");
        if (!differ && room > 7.5 * part.word.length + 14) {
          const at = +box.getAttribute("x") + 4;
          const wide = 6.8 * part.word.length + 8;
          nodes.push(svg("rect", { x: at, y: y + 4, width: wide, height: 16, rx: 3, class: "plate" }));
          nodes.push(svg("text", { x: at + 4, y: y + 16 }, part.word));
        }
      }
    });
    const line = height - AXIS + 2;
    nodes.push(svg("path", { d: `M0 ${line}H${width}`, class: "axis" }));
    for (const time of ticks(shown.start, shown.end, Math.max(2, width / 80))) {
      const anchor = x(time) < 20 ? "start" : x(time) > width - 20 ? "end" : "middle";
      nodes.push(svg("path", { d: `M${x(time)} ${line}v4`, class: "axis" }));
      const text = `${tickText(time, duration)}${duration < 60 ? " s" : ""}`;
      nodes.push(svg("text", { x: x(time), y: line + 15, "text-anchor": anchor }, text));
    }
    picture.replaceChildren(...nodes);
    show();
  }

  function look(start, end) {
    const span = Math.min(Math.max(end - start, Math.min(SHORTEST, duration)), duration);
    shown.start = Math.min(Math.max(start, 0), duration - span);
    shown.end = shown.start + span;
    draw();
    where.textContent = span < duration ? `${clockTime(shown.start)} to ${clockTime(shown.end)}` : "";
  }
  const zoom = (factor) => {
    const middle = clock.time >= shown.start && clock.time <= shown.end ? clock.time : (shown.start + shown.end) / 2;
    const span = (shown.end - shown.start) * factor;
    look(middle - span / 2, middle + span / 2);
  };
  const move = (share) => {
    const by = share * (shown.end - shown.start);
    look(shown.start + by, shown.end + by);
  };
  const keys = { "+": () => zoom(.5), "-": () => zoom(2), 0: () => look(0, duration) };
  const show = cursor(host, clock, "the timeline", () => ({ ...shown, left: 0, right: 0 }), keys);
  clock.addEventListener("time", () => {
    if (clock.time < shown.start || clock.time > shown.end) {
      const span = shown.end - shown.start;
      look(clock.time - span / 10, clock.time + span * .9);
    }
  });
  whenResized(host, (now) => { width = now; draw(); });

  const button = (text, action) => el("button", { type: "button", class: "small", onclick: action }, text);
  const where = el("span", { class: "soft" });
  const controls = el("div", { class: "controls" },
    button("Zoom in", () => zoom(.5)), button("Zoom out", () => zoom(2)), button("Earlier", () => move(-.5)),
    button("Later", () => move(.5)), button("All", () => look(0, duration)), where);
  const words = [...new Set(answers.flatMap((a) => firstWords(a)))];
  return el("section", { class: "wide" }, el("h3", {}, "Over time"), palette.legend(words),
    el("p", { class: "soft" }, "Hatched: no answer, or not in sight. Pale: hardly usable. ",
      shots.length > 1 ? `Ticks on top: where a new shot begins (${shots.length} shots). ` : "",
      "Point or use the arrow keys to move the video."),
    host, duration > 10 ? controls : null, windowsTable(result));
}

/** The words of a model's first target of words. */
export function firstWords(answer) {
  const targets = answer.targets.filter((target) => target.kind === "words");
  return (targets.find((target) => target.name === "classes") ?? targets[0])?.names ?? [];
}

function summary({ clip, people, answers }) {
  const parts = people.map(({ person }) => answers.map((answer) => {
    const windows = answer.people.find((p) => p.person === person)?.windows ?? [];
    const counts = new Map();
    for (const { predicted } of windows) if (predicted !== null) counts.set(predicted, (counts.get(predicted) ?? 0) + 1);
    const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 3);
    const told = most.map(([word, n]) => `${word} in ${n} of ${windows.length} windows`).join(", ");
    return `${called(person, people)}, ${answer.label}: ${told || "no answer"}.`;
  }).join(" "));
  return `Timeline of ${clockTime(clip.duration)}. ${parts.join(" ")}`;
}

function windowsTable({ answers }) {
  const columns = ["person", "model", "start", "end", "word", "score", "doubt", "valence", "arousal", "usable", "reason"];
  return asTable("All windows", columns, () => answers.flatMap((answer) =>
    answer.people.flatMap(({ person, windows }) => windows.map((w) => [
      String(person), answer.label, decimal(w.start, 1), decimal(w.end, 1), w.predicted ?? "",
      percent(w.words?.[w.predicted]), decimal(w.doubt), decimal(w.numbers?.valence?.value),
      decimal(w.numbers?.arousal?.value), w.usable ? "yes" : "no", w.reason ?? "",
    ]))));
}
