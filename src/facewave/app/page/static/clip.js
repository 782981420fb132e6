// The tab "Clip": choose, send, wait, look. A reload finds the clip that was being looked at.

import * as api from "./api.js";
import { el, problem } from "./dom.js";
import { chooser } from "./drop.js";
import { progress, told } from "./job.js";
import { view } from "./result.js";

const STORED = "facewave-job"; // of this browser tab: the job, and the clip's name

export function clipTab(panel, options) {
  function choose(sentence = "", hasFocus = true) {
    sessionStorage.removeItem(STORED);
    const { node, refuse } = chooser(options, send);
    panel.replaceChildren(node);
    refuse(sentence);
    if (hasFocus) node.querySelector("button").focus();
  }

  async function send(file, models, keep) {
    const sending = api.upload(file, models, keep, (share) => shown.show("Sending the clip ...", share));
    const shown = progress(file.name, sending.abort);
    shown.show("Sending the clip ...", 0);
    panel.replaceChildren(shown.node);
    shown.node.querySelector("h2").focus();
    try {
      const id = await sending.id;
      sessionStorage.setItem(STORED, JSON.stringify({ id, name: file.name }));
      follow(id, file.name);
    } catch (error) {
      choose(error.message);
    }
  }

  function follow(id, name) {
    const shown = progress(name, () => {
      stop();
      api.forget(id).then(() => choose("Cancelled."), (error) => choose(error.message));
    });
    panel.replaceChildren(shown.node);
    shown.node.querySelector("h2").focus();
    const stop = api.follow(id, (state) => {
      if (state.state === "done") look(id, name);
      else if (["failed", "cancelled"].includes(state.state)) {
        api.forget(id).catch(() => {}); // there is nothing more to ask of it
        choose(told(state));
      }
      else shown.show(told(state), state.stage ? state.share : null);
    });
  }

  async function look(id, name) {
    try {
      const result = await api.result(id);
      const another = () => {
        api.forget(id).catch(() => {}); // the server forgets it by itself, later
        choose();
      };
      panel.replaceChildren(view(result, id, another));
      panel.querySelector("h2").focus();
    } catch (error) {
      panel.replaceChildren(el("h2", {}, name), problem(error.message),
        el("button", { type: "button", onclick: () => choose() }, "Another clip"));
    }
  }

  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  if (!stored) return choose("", false);
  return api.state(stored.id).then(() => follow(stored.id, stored.name), () => choose("", false));
}
