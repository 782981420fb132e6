// Suspects one by one: labels that models doubt, and what a person makes of them.

import * as api from "./api.js";
import { announce, el, percent, whenNotShown } from "./dom.js";

const KEYS = "Keys: K keep, S skip, B back, 1 to 9 relabel, 0 none of these, N note (Enter or Escape leaves it).";

/** Shares of the votes, most first: [[word, share]]. */
export function votesOf(votes) {
  const all = Object.entries(JSON.parse(votes || "{}")).filter(([, n]) => n > 0);
  const sum = all.reduce((total, [, n]) => total + n, 0);
  return all.sort((a, b) => b[1] - a[1]).map(([word, n]) => [word, n / sum]);
}

/** What was decided of each clip: {label, note} by its number. */
const byClip = (relabels) => new Map(relabels.map(({ video_idx: id, label, note }) => [String(id), { label: label ?? "", note }]));

const likely = (share) => (share < .01 ? "less than 1 % likely" : `${percent(share)} likely`);

export async function suspects(body, name) {
  const [{ rows, words }, { rows: done }] = await Promise.all([api.suspects(name), api.relabels(name)]);
  let judged = byClip(done);
  if (!rows.length) {
    body.replaceChildren(el("p", {}, "No label of this corpus is in doubt: the models' answers agree with all of them, or it was not evaluated yet."));
    return;
  }
  const of = (row) => judged.get(String(row.video_idx));
  let at = Math.max(0, rows.findIndex((row) => of(row) === undefined));
  const place = el("div", { class: "suspect" });
  const status = el("p", { role: "status", class: "soft" });
  const go = (to) => {
    at = Math.min(Math.max(to, 0), rows.length - 1);
    show();
  };

  async function judge(label) {
    const row = rows[at];
    try {
      const { rows: now } = await api.relabel(name, { video_idx: row.video_idx, label, note: document.getElementById("suspect-note").value });
      judged = byClip(now);
    } catch (error) {
      status.textContent = error.message;
      return;
    }
    const last = at === rows.length - 1;
    go(at + 1);
    status.textContent = `${row.file_path}: ${label === row.actual ? `kept as ${label}` : label ? `now ${label}` : "none of the words, left out"}.${last ? " That was the last one." : ""}`;
  }

  function show() {
    const row = rows[at];
    const video = el("video", { controls: true, playsInline: true, muted: true, loop: true, src: api.clipVideo(name, row), "aria-label": `The clip ${row.file_path}` });
    whenNotShown(video, () => {
      const picture = el("img", { src: api.clipPicture(name, row), alt: `A frame of ${row.file_path}` });
      picture.addEventListener("error", () => picture.replaceWith(el("p", { class: "error" }, "The clip's video is not here.")));
      video.replaceWith(picture);
    });
    const votes = votesOf(row.votes).map(([word, share]) => `${word} ${percent(share)}`).join(", ");
    const button = (text, action, kind) => el("button", { type: "button", class: kind, onclick: action }, text);
    const others = words.filter((word) => word !== row.actual);
    const earlier = of(row);
    const note = el("input", { type: "text", id: "suspect-note", maxLength: 500, autocomplete: "off", value: (earlier?.note ?? "").replace(/^'(?=[-=+@])/, "") }); // which spreadsheets need
    note.addEventListener("keydown", (event) => ["Enter", "Escape"].includes(event.key) && note.blur());
    place.replaceChildren(
      el("div", { class: "left" }, video),
      el("div", { class: "right" },
        el("h2", { tabIndex: -1 }, `${at + 1} of ${rows.length}: ${row.file_path}`),
        el("dl", { class: "facts" },
          el("div", {}, el("dt", {}, `its label${row.p_label === null ? "" : `, to models ${likely(row.p_label)}`}`), el("dd", {}, row.actual)),
          el("div", {}, el("dt", {}, `models suggest${row.p_suggested === null ? "" : `, ${likely(row.p_suggested)}`}`), el("dd", {}, row.suggested))),
        votes ? el("p", { class: "soft" }, `Raters: ${votes}.`) : null,
        earlier ? el("p", {}, earlier.label === row.actual ? "You kept its label." : earlier.label ? `You made it ${earlier.label}.` : "You left it out: none of the words fits.") : null,
        el("p", { class: "controls" }, button("Keep the label", () => judge(row.actual), "primary"), button("Back", () => go(at - 1)), button("Skip", () => go(at + 1))),
        el("div", { class: "relabel", role: "group", "aria-label": "Relabel to" }, el("span", {}, "Relabel to"),
          others.map((word, i) => button([i < 9 ? el("kbd", {}, String(i + 1)) : "", ` ${word}`], () => judge(word), word === row.suggested ? "suggested" : null)),
          button([el("kbd", {}, "0"), " None of these"], () => judge(""))),
        el("p", { class: "choice" }, el("label", { htmlFor: "suspect-note" }, "Note"), note)));
    announce(`${at + 1} of ${rows.length}: ${row.file_path}, ${row.actual}; models suggest ${row.suggested}.`);
  }

  const keys = (event) => {
    if (!place.isConnected) return document.removeEventListener("keydown", keys);
    const elsewhere = place.offsetParent === null || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, video, [role=tab]");
    if (elsewhere) return;
    const others = words.filter((word) => word !== rows[at].actual);
    const action = {
      0: () => judge(""), k: () => judge(rows[at].actual), s: () => go(at + 1), b: () => go(at - 1),
      n: () => document.getElementById("suspect-note").focus(),
    }[event.key.toLowerCase()] ?? (others[event.key - 1] && (() => judge(others[event.key - 1])));
    if (!action) return;
    event.preventDefault();
    action();
  };
  document.addEventListener("keydown", keys);
  body.replaceChildren(place, status, el("p", { class: "soft" }, KEYS));
  show();
}
