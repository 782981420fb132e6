// The video with the points of the followed faces on a canvas over it, in step with its frames.

import { lastAtMost } from "./charts.js";
import { el, problem, whenNotShown } from "./dom.js";

const PEOPLE = 10; // colours: --person-0 ... in page.css

/** The row of a person's points at a frame; -1 where the face is not seen. */
export function rowAt(frames, frame) {
  const at = lastAtMost(frames, frame);
  return at >= 0 && frames[at] === frame ? at : -1;
}

/** The frame shown at a time: the last one that began, half a millisecond of rounding allowed. */
export const frameAt = (times, time) => lastAtMost(times, time + 5e-4);

/**
 * @param result what the server answered; @param clock the shared moment
 * @param addresses {video, seen}: the clip, and the drawn copy for browsers that cannot play it
 * @param data promise of a DataView of the points, or null
 * @param there promise that the server still has the clip; its failure says why it does not
 */
export function player({ clip, people, points }, addresses, data, there, clock) {
  const canvas = el("canvas", { class: "points", "aria-hidden": "true" });
  const video = el("video", {
    controls: true, playsInline: true, muted: true, preload: "auto", src: addresses.video,
    "aria-label": `The clip ${clip.name}`,
  });
  const note = el("p", { class: "soft" });
  const box = el("div", { class: "player" }, video, canvas);
  box.style.aspectRatio = `${clip.width} / ${clip.height}`;
  box.style.setProperty("--ratio", clip.width / clip.height);
  const shown = el("input", { type: "checkbox", checked: true, onchange: () => draw(video.currentTime) });
  let view = null;
  let colours = [];
  let copy = false; // whether the drawn copy is shown

  function draw(time) {
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const to = canvas.getContext("2d");
    to.setTransform(ratio, 0, 0, ratio, 0, 0);
    to.clearRect(0, 0, width, height);
    if (!view || copy || !shown.checked) return;
    const frame = frameAt(points.times, time);
    for (const { person, frames, offset } of points.people) {
      const row = rowAt(frames, frame);
      if (row < 0) continue;
      const first = offset + 4 * row * points.count;
      const x = (p) => (view.getUint16(first + 4 * p, true) / 65535) * width;
      const y = (p) => (view.getUint16(first + 4 * p + 2, true) / 65535) * height;
      face(to, x, y, points, colours[person % colours.length], people.length > 1 ? String(person) : "");
    }
  }

  if (points) {
    data.then((loaded) => {
      view = loaded;
      colours = Array.from({ length: PEOPLE }, (_, i) => getComputedStyle(document.documentElement).getPropertyValue(`--person-${i}`).trim());
      draw(video.currentTime);
    }, () => { note.textContent = "The points could not be loaded."; });
  }
  if (!points && people.length) {
    note.textContent = "Points are drawn for clips of up to a minute; the video to download has them all.";
  }
  whenNotShown(video, async () => {
    try {
      await there();
    } catch (error) {
      note.replaceWith(problem(error.message));
      return;
    }
    if (copy || !addresses.seen) {
      note.textContent = "This browser cannot play the clip's format, and a drawn copy could not be made.";
      return;
    }
    copy = true;
    note.textContent = "This browser cannot play the clip's format. A drawn copy is being made instead; that takes a while.";
    box.style.aspectRatio = "auto";
    if (choice) choice.hidden = true; // the copy has its points
    video.addEventListener("loadeddata", () => { note.textContent = "This browser cannot play the clip's format: this is a drawn copy."; });
    video.src = addresses.seen;
    draw(0);
  });
  video.addEventListener("play", () => { clock.playing = true; });
  for (const name of ["pause", "ended"]) video.addEventListener(name, () => { clock.playing = false; });
  video.addEventListener("seeking", () => clock.tell(video.currentTime));
  new ResizeObserver(() => draw(video.currentTime)).observe(box);

  if ("requestVideoFrameCallback" in video) {
    const next = (_, frame) => {
      draw(frame.mediaTime);
      if (clock.playing) clock.tell(frame.mediaTime);
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  } else {
    const next = () => {
      draw(video.currentTime);
      if (clock.playing) {
        clock.tell(video.currentTime);
        requestAnimationFrame(next);
      }
    };
    video.addEventListener("play", next);
    video.addEventListener("seeked", next);
  }

  let wanted = null; // the last moment asked for while the video was on its way to an earlier one
  clock.addEventListener("seek", () => {
    if (video.seeking) wanted = clock.time;
    else video.currentTime = clock.time;
  });
  video.addEventListener("seeked", () => {
    if (wanted !== null) video.currentTime = wanted;
    wanted = null;
  });
  const choice = points ? el("label", { class: "tick" }, shown, " Show the points of the faces") : null;
  return el("div", {}, box, choice, note);
}

/** One face: edges thin, points as dots, the number above, if there is one. */
function face(to, x, y, { edges, count }, colour, number) {
  to.strokeStyle = to.fillStyle = colour;
  to.lineWidth = 1;
  to.globalAlpha = .75;
  to.beginPath();
  for (const [a, b] of edges) {
    to.moveTo(x(a), y(a));
    to.lineTo(x(b), y(b));
  }
  to.stroke();
  to.globalAlpha = 1;
  let [left, top, right] = [Infinity, Infinity, 0];
  const size = edges.length ? 1.4 : 1.8;
  for (let p = 0; p < count; p++) {
    const [h, v] = [x(p), y(p)];
    left = Math.min(left, h);
    right = Math.max(right, h);
    top = Math.min(top, v);
    to.fillRect(h - size / 2, v - size / 2, size, size);
  }
  if (!number) return;
  const middle = (left + right) / 2;
  const at = Math.max(top - 14, 12);
  to.beginPath();
  to.arc(middle, at, 11, 0, 2 * Math.PI);
  to.fill();
  to.fillStyle = "#181a1e";
  to.font = "bold 13px system-ui, sans-serif";
  to.textAlign = "center";
  to.textBaseline = "middle";
  to.fillText(number, middle, at + 1);
}
