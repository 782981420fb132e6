// A clip on its way: sent, waiting, at work; each with how far it is, and a way to cancel.

import { announce, el, percent } from "./dom.js";

/** What a job's state says, in words. */
export function told({ state, position, stage, sentence }) {
  if (state === "queued") return position > 0 ? `Waiting: ${position} ${position === 1 ? "clip is" : "clips are"} before this one.` : "Waiting for its turn.";
  if (state === "running") return stage ? `${stage[0].toUpperCase()}${stage.slice(1)} ...` : "Working ...";
  return sentence || { done: "Done.", failed: "It failed.", cancelled: "Cancelled." }[state];
}

/** A panel with the progress; `show(text, share)` moves it, a share of null means unknown. */
export function progress(name, cancel) {
  const text = el("p", { class: "stage" });
  const bar = el("progress", { max: 1, "aria-label": `Progress of ${name}` });
  const number = el("span", { class: "value" });
  const button = el("button", { type: "button", onclick: () => { button.disabled = true; cancel(); } }, "Cancel");
  let last = "";
  const show = (words, share) => {
    if (words !== last) announce(words);
    last = words;
    text.textContent = words;
    if (share === null) bar.removeAttribute("value");
    else bar.value = share;
    number.textContent = share === null ? "" : percent(share);
  };
  const node = el("section", { class: "job" }, el("h2", { tabIndex: -1 }, name), text,
    el("p", { class: "progress" }, bar, number), button);
  return { node, show };
}
