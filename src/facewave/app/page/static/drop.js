// Choosing a clip: by dragging, a click, the keyboard, pasting or the camera; and the models to ask.

import { camera } from "./camera.js";
import { el, holdsFile, problem } from "./dom.js";

const MOST_MODELS = 2;
const LEAVING = [[document, "tabchange"], [window, "pagehide"]]; // what turns the camera off
const FIRST = 4; // models that are seen at once

/** Why a file cannot be sent, as a sentence; "" if it can. */
export function refusal(file, limits) {
  const type = /\.[^.]+$/.exec(file.name.toLowerCase())?.[0] ?? "";
  if (!limits.types.includes(type)) return `${file.name} is no clip this page takes. It takes ${limits.types.join(", ")}.`;
  if (file.size === 0) return `${file.name} is empty.`;
  if (file.size > limits.bytes) return `${file.name} has ${size(file.size)}; at most ${size(limits.bytes)} are taken. Cut it, or use facewave timeline.`;
  return "";
}

/** 1500000 -> "1.5 MB". */
export function size(bytes) {
  const units = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]];
  const [unit, factor] = units.find(([, least]) => bytes >= least) ?? ["bytes", 1];
  return `${+(bytes / factor).toFixed(1)} ${unit}`;
}

const COMMON = [".mp4", ".mov", ".webm", ".mkv", ".avi"];

/** The types in short: the common ones, and how many more there are. */
export function typesInShort(types) {
  const named = types.filter((type) => COMMON.includes(type));
  const rest = types.length - named.length;
  return named.join(", ") + (rest ? ` and ${rest} other types of videos` : "");
}

/** 90 -> "90 seconds", 600 -> "10 minutes". */
function length(seconds) {
  return seconds < 120 ? `${seconds} seconds` : `${Math.floor(seconds / 60)} minutes`;
}

/** Listen to the document while a node is part of it and is shown. */
function whileShown(node, name, listener) {
  const heard = (event) => {
    if (!node.isConnected) document.removeEventListener(name, heard);
    else if (node.offsetParent !== null) listener(event);
  };
  document.addEventListener(name, heard);
}

/** @param send called with (file, ids of models, keep) */
export function chooser(options, send) {
  const { models, limits } = options;
  const errors = el("div", { id: "clip-error" });
  const refuse = (sentence) => errors.replaceChildren(...(sentence ? [problem(sentence)] : []));
  const keep = el("input", { type: "checkbox", id: "keep", name: "keep" });

  const ticks = models.map((model) => el("input", {
    type: "checkbox", name: "model", value: model.id, id: `model-${model.id}`, checked: model.default,
  }));
  const limitModels = () => {
    const full = ticks.filter((tick) => tick.checked).length >= MOST_MODELS;
    for (const tick of ticks) tick.disabled = full && !tick.checked;
  };
  ticks.forEach((tick) => tick.addEventListener("change", limitModels));
  limitModels();

  function take(file) {
    const chosen = ticks.filter((tick) => tick.checked).map((tick) => tick.value);
    const why = refusal(file, limits) || (chosen.length ? "" : "Choose a model first.");
    refuse(why);
    if (why) return;
    putAway();
    send(file, chosen, keep.checked);
  }
  function takeFirst(files) {
    if (files.length > 1) refuse("One clip at a time, please.");
    else if (files.length) take(files[0]);
  }

  const input = el("input", {
    type: "file", id: "clip-file", accept: limits.types.join(","), class: "hidden-text", tabIndex: -1,
    "aria-label": "The clip's file", onchange: () => { takeFirst(input.files); input.value = ""; },
  });
  const about = `${typesInShort(limits.types)}; at most ${size(limits.bytes)}${limits.seconds ? ` and ${length(limits.seconds)}` : ""}.`;
  const zone = el("div", { class: "drop" },
    el("p", { class: "drop-title", "aria-hidden": "true" }, "Drop a clip of a face here"),
    el("p", {},
      el("button", { type: "button", class: "primary", onclick: () => input.click(), "aria-describedby": "clip-limits" }, "Choose a clip"),
      el("button", { type: "button", id: "use-camera", onclick: () => film() }, "Use the camera")),
    el("p", { class: "soft", id: "clip-limits" }, about, " You can also paste a file."), input);
  zone.addEventListener("click", (event) => {
    if (!event.target.closest("button, input")) input.click();
  });

  const place = el("div", {});
  let filming = null; // the camera that is open
  function putAway() {
    for (const [target, name] of LEAVING) target.removeEventListener(name, putAway);
    filming?.shut();
    filming = null;
    place.replaceChildren();
  }
  function film() {
    refuse("");
    putAway();
    filming = camera(Math.min(limits.seconds || 60, 60), take, () => {
      putAway();
      document.getElementById("use-camera")?.focus();
    });
    for (const [target, name] of LEAVING) target.addEventListener(name, putAway);
    place.replaceChildren(filming.node);
    place.querySelector("button")?.focus();
  }

  const node = el("section", { class: "choose" },
    el("h2", {}, "Ask about a clip"), zone, errors, place,
    models.length ? modelList(models, ticks) : problem("There is no model yet. Train one with dvc repro, then reload this page."),
    el("p", {}, el("label", { class: "tick", htmlFor: "keep" }, keep, " Keep the faces and their movements in this machine's cache, so that the same clip is quick next time"),
      el("span", { class: "soft aside" }, "Without it, nothing of the clip is left once you are done.")));
  whileShown(node, "paste", (event) => takeFirst(event.clipboardData.files));
  // Beside the box counts, too. That a file does not take the page's place is seen to in main.js.
  whileShown(node, "dragover", (event) => zone.classList.toggle("over", holdsFile(event)));
  whileShown(node, "dragleave", (event) => event.relatedTarget || zone.classList.remove("over"));
  whileShown(node, "drop", (event) => {
    zone.classList.remove("over");
    takeFirst(event.dataTransfer.files);
  });
  return { node, refuse };
}

function modelList(models, ticks) {
  const rows = models.map((model, i) => el("div", { class: "model" }, ticks[i],
    el("div", {}, el("label", { htmlFor: `model-${model.id}` }, model.label,
      model.synthetic ? el("span", { class: "tag" }, "learnt from synthetic clips") : null),
    el("span", { class: "soft" }, model.line, model.inputs.length ? ` (takes ${model.inputs.join(", ")})` : ""))));
  return el("fieldset", { class: "models" },
    el("legend", {}, models.length > 1 ? "Models, one or two" : "Model"),
    rows.slice(0, FIRST),
    rows.length > FIRST ? el("details", {}, el("summary", {}, `${rows.length - FIRST} more models`), rows.slice(FIRST)) : null);
}
