// The tab "Corpus": a corpus's clips as a table, its suspects one by one, and what was relabelled.

import * as api from "./api.js";
import { announce, decimal, el, problem, whenNotShown } from "./dom.js";
import { relabelList } from "./relabels.js";
import { suspects } from "./suspects.js";

const COLUMNS = [
  ["video_idx", "clip"], ["file_path", "file"], ["actual", "label"], ["split", "part"], ["duration", "seconds"], ["usable", "usable"],
];

export function corpusTab(panel, { corpora }) {
  if (!corpora.length) {
    panel.replaceChildren(el("h2", {}, "Corpus"), el("p", {}, "There is no corpus here yet: name one in params.yaml and run ", el("code", {}, "dvc repro"), "."));
    return;
  }
  const choice = el("select", { id: "corpus-name" }, corpora.map((name) => el("option", {}, name)));
  const body = el("div", {});
  const parts = { Clips: clips, Suspects: suspects, Relabels: relabelList };
  const buttons = Object.keys(parts).map((name) => el("button", { type: "button", onclick: () => open(name) }, name));
  const open = (name) => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.textContent === name));
    const part = el("div", {}, el("p", { class: "soft" }, "Loading ...")); // its own: an earlier one may arrive later
    body.replaceChildren(part);
    parts[name](part, choice.value).catch((error) => part.replaceChildren(problem(error.message)));
  };
  choice.addEventListener("change", () => open("Clips"));
  panel.replaceChildren(
    el("div", { class: "corpus-head" }, el("label", { htmlFor: "corpus-name" }, "Corpus"), choice,
      el("div", { class: "segments", role: "group", "aria-label": "What to see of the corpus" }, buttons)),
    el("p", { class: "callout" }, "The corpus itself is never changed. What you relabel is written to a table of its own in the project's folder, and can be taken back."),
    body);
  open("Clips");
}

async function clips(body, name) {
  const query = { word: "", part: "", usable: "", search: "", sort: "", page: 1 };
  const first = await api.clips(name, query);
  const player = el("div", {});
  const list = el("div", {});
  let asked = 0;
  const load = async () => {
    const mine = ++asked;
    try {
      const found = await api.clips(name, query);
      if (mine === asked) show(found); // an earlier question may be answered later
    } catch (error) {
      list.replaceChildren(problem(error.message));
    }
  };
  const filter = (key, label, values) => {
    const select = el("select", { id: `filter-${key}` }, el("option", { value: "" }, "all"), values.map(([value, text]) => el("option", { value }, text)));
    select.addEventListener("change", () => { Object.assign(query, { [key]: select.value, page: 1 }); load(); });
    return el("div", {}, el("label", { htmlFor: `filter-${key}` }, label), select);
  };
  const same = (values) => values.map((value) => [value, value]);
  const search = el("input", { type: "search", id: "filter-search" });
  let timer = null;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { Object.assign(query, { search: search.value, page: 1 }); load(); }, 250);
  });

  function head([key, text]) {
    const [sorted, down] = [query.sort.replace(/^-/, "") === key, query.sort.startsWith("-")];
    const sort = () => {
      Object.assign(query, { sort: sorted && !down ? `-${key}` : key, page: 1 });
      load().then(() => list.querySelector(`[data-key=${key}]`)?.focus());
    };
    const arrow = sorted ? (down ? " \u25bc" : " \u25b2") : "";
    return el("th", { scope: "col", class: key === "duration" ? "n" : null, "aria-sort": sorted ? (down ? "descending" : "ascending") : null },
      el("button", { type: "button", class: "sort", "data-key": key, onclick: sort }, text, el("span", { "aria-hidden": "true" }, arrow)));
  }
  function row(clip) {
    const cell = (key) => {
      if (key === "duration") return decimal(clip.duration, 1);
      if (key === "usable") return clip.usable ? "yes" : `no: ${clip.reason || "unknown"}`;
      return String(clip[key] || "\u2013");
    };
    const watch = clip.has_video ? el("button", { type: "button", class: "small", "aria-label": `Watch ${clip.file_path}`, onclick: () => watchIt(clip) }, "Watch") : "";
    return el("tr", {}, COLUMNS.map(([key], i) => el(i ? "td" : "th", { scope: i ? null : "row", class: key === "duration" ? "n" : key === "file_path" ? "file" : null }, cell(key))), el("td", {}, watch));
  }
  function watchIt(clip) {
    const video = el("video", { controls: true, playsInline: true, muted: true, autoplay: true, src: api.clipVideo(name, clip), "aria-label": `The clip ${clip.file_path}` });
    whenNotShown(video, () => video.replaceWith(el("p", { class: "error" }, "This browser cannot play the clip.")));
    player.replaceChildren(el("div", { class: "watch" }, video, el("p", {}, `${clip.file_path}: `, el("strong", {}, clip.actual || "no label"), " ",
      el("button", { type: "button", class: "small", onclick: () => player.replaceChildren() }, "Close"))));
    player.scrollIntoView({ block: "nearest" });
  }
  function show({ total, rows, pages }) {
    const caption = `${total} ${total === 1 ? "clip" : "clips"}`;
    announce(caption);
    const turn = (by, text) => el("button", {
      type: "button", disabled: query.page + by < 1 || query.page + by > pages, onclick: () => { query.page += by; load(); } }, text);
    list.replaceChildren(
      el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": "Clips" }, el("table", { class: "clips" },
        el("caption", {}, caption), el("thead", {}, el("tr", {}, COLUMNS.map(head), el("th", { scope: "col" }, "video"))), el("tbody", {}, rows.map(row)))),
      pages > 1 ? el("p", { class: "controls" }, turn(-1, "Previous"), ` page ${query.page} of ${pages} `, turn(1, "Next")) : "");
  }
  body.replaceChildren(
    el("div", { class: "filters" }, filter("word", "Label", same(first.words)), filter("part", "Part", same(first.parts)),
      filter("usable", "Usable", [["yes", "yes"], ["no", "no"]]),
      el("div", {}, el("label", { htmlFor: "filter-search" }, "Search"), search)),
    player, list);
  show(first);
}
