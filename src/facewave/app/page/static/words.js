// Words of emotions: a colour and a pattern each, the same in bars and bands; and the bars.

import { lastAtMost } from "./charts.js";
import { el, percent, svg } from "./dom.js";

// The place of known words among the colours (--word-0 ... in page.css); others take free places.
const KNOWN = {
  happy: 0, happiness: 0, joy: 0, sad: 1, sadness: 1, neutral: 2, angry: 3, anger: 3, surprise: 4,
  surprised: 4, disgust: 5, fear: 6, fearful: 6, contempt: 7, calm: 8,
};
const COLOURS = 12;

/** The place of each word: what it is called decides where that is known, else its order. */
export function places(words) {
  const taken = new Map();
  const used = new Set();
  for (const word of words) {
    const place = KNOWN[word.toLowerCase()];
    if (place === undefined || used.has(place)) continue;
    taken.set(word, place);
    used.add(place);
  }
  let next = COLOURS - 1;
  for (const word of words) {
    if (taken.has(word)) continue;
    while (used.has(next) && used.size < COLOURS) next -= 1;
    taken.set(word, ((next % COLOURS) + COLOURS) % COLOURS);
    used.add(next);
    next -= 1;
  }
  return taken;
}

// Lines over the colour, in a tile of 8 x 8: people who see no colours tell words by them.
const LINES = [
  "", "M-2 10L10 -2M-2 2L2 -2M6 10L10 6", "M4 1.4A2.6 2.6 0 1 0 4 6.6A2.6 2.6 0 1 0 4 1.4",
  "M-2 -2L10 10M-2 6L2 10M6 -2L10 2", "M.5 2h3M4.5 6h3", "M2 0V8M6 0V8", "M0 2H8M0 6H8",
  "M0 0L8 8M8 0L0 8", "M0 6L2 2L4 6L6 2L8 6", "M0 4H8M4 0V8", "M0 4H4M4 0V4M4 8V4", "M2.5 4h3M4 2.5v3",
];

/** Patterns for these words, once in the document; `fill(word)` names one. */
export class Palette {
  constructor(words) {
    this.places = places(words);
    const patterns = [...new Set(this.places.values())].map((place) => {
      const back = svg("rect", { width: 8, height: 8, class: `word-${place}` });
      const lines = svg("path", { d: LINES[place], class: "word-lines" });
      const size = { width: 8, height: 8, patternUnits: "userSpaceOnUse" };
      return svg("pattern", { id: `pattern-${place}`, ...size }, back, lines);
    });
    this.defs = svg("svg", { width: 0, height: 0, class: "defs", "aria-hidden": "true" },
      svg("defs", {}, patterns, svg("pattern", { id: "pattern-none", width: 8, height: 8, patternUnits: "userSpaceOnUse" },
        svg("rect", { width: 8, height: 8, class: "none" }), svg("path", { d: "M-2 10L10 -2M-2 2L2 -2M6 10L10 6", class: "none-lines" }))));
  }

  /** The fill of a word in an SVG; grey for a word that is in no list. */
  fill(word) {
    const place = this.places.get(word);
    return place === undefined ? "var(--soft)" : `url(#pattern-${place})`;
  }

  /** A small square of a word's colour and pattern. */
  swatch(word) {
    return svg("svg", { width: 16, height: 12, class: "swatch", "aria-hidden": "true" },
      svg("rect", { x: .5, y: .5, width: 15, height: 11, rx: 2, fill: this.fill(word), class: "edge" }));
  }

  /** All words with their squares. */
  legend(words) {
    return el("ul", { class: "legend", "aria-label": "Words" },
      words.map((word) => el("li", {}, this.swatch(word), word)));
  }
}

/**
 * Bars of the words' scores. Returns {node, show(answer)}: `show` moves them.
 * The order stays, so that bars can be compared over time. With a head, it says what is answered.
 */
export function bars(palette, words, caption, { level = 4, hasHead = true } = {}) {
  const rows = words.map((word) => {
    const bar = svg("rect", { height: 14, rx: 2, width: 0, fill: palette.fill(word), class: "edge" });
    const value = el("span", { class: "value" });
    const row = el("li", {}, el("span", { class: "word" }, word),
      svg("svg", { class: "bar", height: 14, "aria-hidden": "true" }, bar), value);
    return { word, bar, value, row };
  });
  const head = hasHead ? el("p", { class: "bars-head" }) : "";
  const node = el("div", { class: "bars" }, el(`h${level}`, { class: "bars-caption" }, caption), head, el("ul", {}, rows.map((r) => r.row)));
  const show = (answer) => {
    const shares = answer?.words ?? {};
    if (hasHead) head.textContent = said(answer);
    for (const { word, bar, value, row } of rows) {
      const share = shares[word] ?? null;
      bar.setAttribute("width", `${Math.max(0, 100 * (share ?? 0))}%`);
      value.textContent = percent(share);
      row.classList.toggle("best", answer?.predicted === word);
    }
  };
  return { node, show };
}

/** What an answer says, in a few words. */
export function said(answer) {
  if (!answer) return "No answer at this moment.";
  if (answer.predicted === null) return `No answer: ${answer.reason || "the face is not seen"}.`;
  const rest = answer.usable ? "" : ` (hardly usable: ${answer.reason})`;
  return `${answer.predicted}${rest}`;
}

/** Words by their score, highest first. */
export function ordered(words, answer) {
  const shares = answer?.words ?? {};
  return [...words].sort((a, b) => (shares[b] ?? 0) - (shares[a] ?? 0));
}

/** The window that is about a moment: the one whose middle is nearest, of those that hold it. */
export function windowAt(windows, time) {
  const distance = (window) => Math.abs((window.start + window.end) / 2 - time);
  let best = null;
  for (let i = lastAtMost(windows, time, (window) => window.start); i >= 0 && windows[i].end >= time; i--) {
    if (best === null || distance(windows[i]) <= distance(best)) best = windows[i];
  }
  return best;
}
