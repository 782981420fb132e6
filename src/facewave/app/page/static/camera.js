// Filming with the camera: a preview, a countdown, a take of some seconds, and another take.

import { announce, el, problem } from "./dom.js";

const COUNTDOWN = 3; // s
const TYPES = ["video/webm", "video/mp4"];
const REASONS = {
  NotAllowedError: "The browser was not allowed to use the camera. Allow it in the address bar, then try again.",
  NotFoundError: "There is no camera, or no microphone where sound was asked for.",
  NotReadableError: "Another program is using the camera.",
};

/** Why there is no camera, as a sentence. */
export function reason(error) {
  return REASONS[error.name] ?? `The camera could not be used (${error.name}).`;
}

/**
 * Returns {node, shut}: `shut` turns the camera off, whatever it is at.
 * @param longest seconds that may be filmed; @param take called with the file that is to be used
 * @param close called when people put the camera away
 */
export function camera(longest, take, close) {
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) {
    const secure = window.isSecureContext ? "This browser cannot film." :
      "Browsers film on safe addresses only: open this page as localhost on its own machine, or through https.";
    return { node: el("div", { class: "camera" }, problem(secure), el("button", { type: "button", onclick: close }, "Close")), shut() {} };
  }
  const preview = el("video", { muted: true, playsInline: true, "aria-label": "What the camera sees" });
  const count = el("p", { class: "count", "aria-hidden": "true" });
  const errors = el("div", {});
  const seconds = el("input", { type: "number", id: "film-seconds", min: 1, max: longest, step: 1, value: Math.min(10, longest) });
  const sound = el("input", { type: "checkbox", id: "film-sound", onchange: () => start() });
  const button = (text, action, kind) => el("button", { type: "button", onclick: action, class: kind }, text);
  const [record, stop, again, use, put] = [
    button("Record", () => run(), "primary"), button("Stop", () => recorder?.stop(), "primary"),
    button("Another take", () => start()), button("Use this take", () => take(file), "primary"), button("Close the camera", close),
  ];
  let [stream, recorder, file, address, timer] = [null, null, null, null, null];
  let asked = 0; // how often for the camera: one that comes after it was put away is turned off

  function show(stage) {
    for (const [node, stages] of [[record, ["ready"]], [stop, ["filming"]], [again, ["taken"]], [use, ["taken"]]]) {
      node.hidden = !stages.includes(stage);
    }
    seconds.disabled = sound.disabled = stage !== "ready";
    preview.controls = stage === "taken";
    preview.classList.toggle("mirror", stage !== "taken");
  }
  function release() {
    asked += 1;
    clearInterval(timer);
    count.textContent = "";
    stream?.getTracks().forEach((track) => track.stop());
    if (address) URL.revokeObjectURL(address);
    [stream, address] = [null, null];
  }
  function shut() {
    if (recorder?.state === "recording") {
      recorder.onstop = null;
      recorder.stop();
    }
    release();
    preview.removeAttribute("src");
    preview.srcObject = null;
  }
  async function start() {
    release();
    show("none");
    errors.replaceChildren();
    const mine = asked;
    try {
      const found = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: "user" }, audio: sound.checked });
      if (mine !== asked) return found.getTracks().forEach((track) => track.stop());
      stream = found;
    } catch (error) {
      if (mine !== asked) return;
      errors.replaceChildren(problem(reason(error)));
      show("ready");
      record.hidden = true;
      return;
    }
    preview.removeAttribute("src");
    preview.srcObject = stream;
    preview.play().catch(() => {}); // the camera was put away meanwhile
    show("ready");
    put.scrollIntoView({ block: "nearest" });
  }
  function each(from, text, then) {
    let left = from;
    const tick = () => {
      count.textContent = left > 0 ? text(left) : "";
      if (left > 0 && left <= COUNTDOWN) announce(text(left));
      if (left-- > 0) return;
      clearInterval(timer);
      then();
    };
    clearInterval(timer);
    timer = setInterval(tick, 1000);
    tick();
  }
  function run() {
    const wanted = Math.min(Math.max(Math.round(seconds.valueAsNumber) || 1, 1), longest);
    seconds.value = wanted;
    show("none");
    each(COUNTDOWN, String, () => film(wanted));
  }
  function film(wanted) {
    const type = TYPES.find((name) => MediaRecorder.isTypeSupported(name));
    const parts = [];
    recorder = new MediaRecorder(stream, type ? { mimeType: type } : {});
    recorder.ondataavailable = (event) => event.data.size && parts.push(event.data);
    recorder.onstop = () => {
      const plain = recorder.mimeType.split(";")[0] || "video/webm";
      file = new File(parts, plain === "video/mp4" ? "camera.mp4" : "camera.webm", { type: plain });
      release();
      preview.srcObject = null;
      preview.src = address = URL.createObjectURL(file);
      announce("The take is done.");
      show("taken");
      use.focus();
    };
    recorder.start(1000);
    show("filming");
    stop.focus();
    each(wanted, (left) => `\u25cf ${left}`, () => recorder.state === "recording" && recorder.stop());
  }

  start();
  const node = el("div", { class: "camera" }, el("div", { class: "screen" }, preview, count), errors,
    el("p", { class: "choice" }, el("label", { htmlFor: "film-seconds" }, "Seconds"), seconds,
      el("label", { class: "tick", htmlFor: "film-sound" }, sound, " with sound")),
    el("p", { class: "controls" }, record, stop, use, again, put));
  return { node, shut };
}
