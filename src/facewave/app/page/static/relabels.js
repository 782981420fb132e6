// The list of what was relabelled, each to be taken back.

import * as api from "./api.js";
import { el, problem } from "./dom.js";

export async function relabelList(body, name) {
  const { rows, file } = await api.relabels(name);
  if (!rows.length) {
    body.replaceChildren(el("p", {}, "Nothing was relabelled yet. \u201cSuspects\u201d shows the labels that models doubt."));
    return;
  }
  const undo = async (row) => {
    try {
      await api.takeBack(name, row.video_idx);
      await relabelList(body, name);
    } catch (error) {
      body.prepend(problem(error.message));
    }
  };
  body.replaceChildren(
    el("p", {}, `${rows.length} in `, el("code", {}, file), "."),
    el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Relabels" }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden-text" }, "take back")),
        ["clip", "file", "was", "is now", "note"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, rows.map((row) => el("tr", {},
        el("td", {}, el("button", { type: "button", class: "small", "aria-label": `Take back clip ${row.video_idx}`, onclick: () => undo(row) }, "Take back")),
        el("th", { scope: "row" }, String(row.video_idx)), el("td", { class: "file" }, row.file_path ?? ""), el("td", {}, row.actual ?? ""),
        el("td", {}, row.label === row.actual ? `${row.label} (kept)` : row.label || "none of the words"), el("td", {}, row.note ?? "")))))));
}
