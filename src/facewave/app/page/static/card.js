// A model's card: the simple Markdown that facewave writes, as elements whose texts are set as text.

import { el } from "./dom.js";

const SPANS = /(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*|\[[^\]]+\]\([^)\s]+\))/;

/** A line with code, bold, italics and links; links lead only to the web. */
export function spans(text) {
  return text.split(SPANS).filter((part) => part !== "").map((part) => {
    if (/^`.+`$/.test(part)) return el("code", {}, part.slice(1, -1));
    if (/^\*\*.+\*\*$/.test(part)) return el("strong", {}, part.slice(2, -2));
    if (/^\*.+\*$/.test(part)) return el("em", {}, part.slice(1, -1));
    const link = /^\[([^\]]+)\]\((https?:[^)\s]+)\)$/.exec(part);
    return link ? el("a", { href: link[2], rel: "noopener noreferrer" }, link[1]) : part;
  });
}

const KINDS = [
  ["code", /^```/], ["heading", /^#{1,6} /], ["row", /^\|/], ["item", /^\s*[-*] /],
  ["number", /^\s*\d+\. /], ["none", /^\s*$/],
];
const kindOf = (line) => KINDS.find(([, pattern]) => pattern.test(line))?.[0] ?? "text";

/** Blocks of a Markdown text: [{kind, lines}]. */
export function blocks(text) {
  const found = [];
  let code = false;
  for (const line of text.split("\n")) {
    let kind = code ? "code" : kindOf(line);
    if (/^```/.test(line)) {
      code = !code;
      if (code) found.push({ kind: "code", lines: [] });
      else found.push({ kind: "none", lines: [] });
      continue;
    }
    const last = found.at(-1);
    if (kind === "text" && /^\s/.test(line) && ["item", "number"].includes(last?.kind)) {
      last.lines[last.lines.length - 1] += ` ${line.trim()}`;
      continue;
    }
    if (last?.kind === kind && kind !== "heading") last.lines.push(line);
    else found.push({ kind, lines: [line] });
  }
  return found.filter(({ kind }) => kind !== "none");
}

/** The card as a fragment; its first heading is of level `level`. */
export function card(text, level = 4) {
  const cells = (line) => line.replace(/^\||\|\s*$/g, "").split("|").map((cell) => cell.trim());
  const items = (lines, marker) => lines.map((line) => el("li", {}, spans(line.replace(marker, ""))));
  const made = blocks(text).map(({ kind, lines }) => {
    if (kind === "code") return el("pre", { tabIndex: 0 }, lines.join("\n"));
    if (kind === "heading") {
      const depth = Math.min(6, level - 1 + /^#+/.exec(lines[0])[0].length);
      return el(`h${depth}`, {}, spans(lines[0].replace(/^#+ /, "")));
    }
    if (kind === "item") return el("ul", {}, items(lines, /^\s*[-*] /));
    if (kind === "number") return el("ol", {}, items(lines, /^\s*\d+\. /));
    if (kind === "row") {
      const [head, ...rows] = lines.filter((line) => !/^[|\s:-]+$/.test(line)).map(cells);
      return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Table of the card" }, el("table", {},
        el("thead", {}, el("tr", {}, head.map((cell) => el("th", { scope: "col" }, spans(cell))))),
        el("tbody", {}, rows.map((row) => el("tr", {}, row.map((cell) => el("td", {}, spans(cell))))))));
    }
    return el("p", {}, spans(lines.join(" ")));
  });
  return el("div", { class: "card" }, made);
}
