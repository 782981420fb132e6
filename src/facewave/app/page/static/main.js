// The page: what the server has is asked once, then each tab is filled when it is first opened.

import * as api from "./api.js";
import { clipTab } from "./clip.js";
import { corpusTab } from "./corpus.js";
import { el, holdsFile, problem } from "./dom.js";
import { tabs } from "./tabs.js";

function reportTab(panel, options) {
  if (!options.report) {
    panel.replaceChildren(el("h2", {}, "Report"),
      el("p", {}, "There is no report here yet: ", el("code", {}, "dvc repro report"), " writes it."));
    return;
  }
  panel.replaceChildren(
    el("p", { class: "report-line" }, el("a", { href: "/report", target: "_blank", rel: "noopener" }, "Open the report in a window of its own")),
    el("iframe", { src: "/report", title: "The report of this project's run", sandbox: "" }));
}

const FILL = { clip: clipTab, report: reportTab, corpus: corpusTab };

/** The server has made a cookie of the address's token: it is not to be seen or kept any longer. */
function forgetToken() {
  const address = new URL(location.href);
  if (!address.searchParams.has("token")) return;
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

async function start() {
  forgetToken();
  for (const name of ["dragover", "drop"]) { // else a file would be opened in place of the page
    document.addEventListener(name, (event) => holdsFile(event) && event.preventDefault());
  }
  let options;
  try {
    options = await api.options();
  } catch (error) {
    document.getElementById("clip").replaceChildren(problem(error.message));
    return;
  }
  document.getElementById("version").textContent = `facewave ${options.version}`;
  document.getElementById("notice").textContent = options.notice;
  const filled = new Set();
  tabs(document.querySelector("[role=tablist]"), (name) => {
    if (filled.has(name)) return;
    filled.add(name);
    FILL[name](document.getElementById(name), options);
  });
}

start();
