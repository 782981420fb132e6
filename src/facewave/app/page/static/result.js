// What is known of a clip: the video and its people on the left, what models answer on the right.

import * as api from "./api.js";
import { card } from "./card.js";
import { Clock } from "./clock.js";
import { curves } from "./curves.js";
import { asTable, called, clockTime, decimal, el, percent, problem } from "./dom.js";
import { inPlane, plane, range } from "./plane.js";
import { player } from "./player.js";
import { scalogram } from "./scalogram.js";
import { differences, firstWords, timeline } from "./timeline.js";
import { bars, ordered, Palette, windowAt } from "./words.js";

const DOWNLOADS = {
  csv: "Answers (CSV)", json: "Answers (JSON)", seen: "Video with what is seen (takes a while)", srt: "Subtitles (SRT)", vtt: "Subtitles (VTT)",
};

/** @param id of the job; @param another called when people are done with the clip */
export function view(result, id, another) {
  const { clip, people, answers, points, files } = result;
  const clock = new Clock(clip.duration);
  const palette = new Palette([...new Set(answers.flatMap(firstWords))]);
  const addresses = {
    video: api.fileAddress(id, files.video), seen: files.seen ? api.fileAddress(id, files.seen) : null,
  };
  const there = () => api.state(id);
  const video = player(result, addresses, points ? api.points(id) : null, there, clock);
  const of = el("div", { class: "of-person" }); // what is shown of the chosen person
  const choose = (person) => of.replaceChildren(...ofPerson(result, person, palette, clock));
  const facts = `${clockTime(clip.duration)}, ${clip.frames} frames, ${clip.width} \u00d7 ${clip.height}`;
  if (people.length) choose(people[0].person);
  return el("div", { class: "result" }, palette.defs,
    el("div", { class: "result-head" },
      el("h2", { tabIndex: -1 }, clip.name),
      el("p", { class: "soft" }, facts, people.length ? `, ${people.length} ${people.length === 1 ? "person" : "people"}.` : "."),
      el("button", { type: "button", onclick: another }, "Done: another clip")),
    el("div", { class: "columns" },
      el("div", { class: "left" }, video, moment(clip, clock), chooser(people, answers[0], choose, clock), downloads(id, files, there)),
      el("div", { class: "right" },
        people.length ? null : el("p", { class: "callout" }, "No face was found in this clip, so there is nothing to answer. A face should be at least some 60 pixels wide, and lit."),
        answers.map(trust), people.length ? timeline(result, palette, clock) : null, of,
        el("section", {}, answers.map((answer) => el("details", { class: "card-of" },
          el("summary", {}, `The card of ${answer.label}`), card(answer.card)))))));
}

function moment(clip, clock) {
  const text = el("p", { class: "moment" });
  clock.each((time) => { text.textContent = `${clockTime(time)} of ${clockTime(clip.duration)}`; });
  return text;
}

function chooser(people, answer, choose, clock) {
  if (!people.length) return null;
  const now = people.map(() => el("strong", { class: "now-word" }));
  clock.each((time) => people.forEach(({ person }, i) => {
    const windows = answer?.people.find((p) => p.person === person)?.windows ?? [];
    now[i].textContent = windowAt(windows, time)?.predicted ?? "";
  }));
  return el("fieldset", { class: "people" }, el("legend", {}, people.length > 1 ? "People in the clip" : "In the clip"),
    people.map(({ person, seen_s: seen, face_share: share }, i) => el("label", { class: "person" },
      el("input", { type: "radio", name: "person", value: person, checked: i === 0, onchange: () => choose(person) }),
      el("span", { class: `badge person-${person % 10}` }, people.length > 1 ? String(person) : ""),
      el("span", {}, `${called(person, people)} `, now[i], el("span", { class: "soft" }, `seen for ${clockTime(seen)}${share == null ? "" : `, face in ${percent(share)} of the frames`}`)))));
}

function downloads(id, files, there) {
  const errors = el("div", {});
  const get = (event) => {
    if (!event.isTrusted) return; // the second, by this function
    event.preventDefault();
    const link = event.currentTarget;
    errors.replaceChildren();
    there().then(() => link.click(), (error) => errors.replaceChildren(problem(error.message)));
  };
  const links = Object.entries(DOWNLOADS).filter(([kind]) => files[kind]).map(([kind, text]) =>
    el("li", {}, el("a", { href: api.fileAddress(id, files[kind]), download: files[kind], onclick: get }, text)));
  return el("nav", { "aria-label": "Downloads", class: "downloads" }, el("h3", {}, "Download"), el("ul", {}, links), errors);
}

function trust(answer) {
  return el("div", { class: answer.synthetic ? "callout warn" : "callout" },
    el("p", {}, el("strong", {}, answer.label), answer.synthetic ? el("span", { class: "tag" }, "learnt from synthetic clips") : null),
    el("p", {}, answer.trust));
}

/** The sections about one person. */
function ofPerson(result, person, palette, clock) {
  const { answers, clip } = result;
  const asked = answers.map((answer) => ({ answer, of: answer.people.find((p) => p.person === person) })).filter(({ of }) => of);
  const points = asked.filter(({ answer }) => inPlane(answer)).map(({ answer }) => answer);
  const curve = result.curves.find((one) => one.person === person);
  const scalograms = result.scalograms.filter((one) => one.person === person && one.times.length);
  return [
    el("section", { class: "wide" }, el("h3", {}, `${called(person, result.people)}: what is answered`), compared(asked, clock),
      el("div", { class: asked.length > 1 ? "models two" : "models one" }, asked.map(({ answer, of }) => words(answer, of, clip, palette, clock, asked.length > 1)))),
    points.length ? plane(points, person, clock) : null,
    curve ? curves(curve, clip.duration, clock, !points.length) : null,
    scalograms.length ? scalogram(scalograms, clip.duration, clock) : null,
  ].filter(Boolean);
}

/** How often two models name the same word, and where they do not. */
function compared(asked, clock) {
  if (asked.length < 2) return null;
  const [one, other] = asked.map(({ of }) => of.windows);
  const both = one.map((window) => [window, windowAt(other, (window.start + window.end) / 2)])
    .filter(([a, b]) => a.predicted !== null && b?.predicted != null);
  if (!both.length) return el("p", {}, "The models have no window in common.");
  const same = both.filter(([a, b]) => a.predicted === b.predicted).length;
  const apart = differences(one, other, asked[0].answer.hop);
  const links = apart.slice(0, 6).map(({ start, end }) =>
    el("button", { type: "button", class: "small", onclick: () => clock.seek((start + end) / 2) }, `${clockTime(start)} to ${clockTime(end)}`));
  return el("div", {}, el("p", {}, `The two models name the same word in ${same} of ${both.length} windows.`,
    apart.length ? ` They differ at: ` : "", links, apart.length > 6 ? ` and ${apart.length - 6} more stretches.` : ""));
}

/** 60.4 -> "60.4 s", where "1:00" would hide that it is more than a minute; 150 -> "2:30". */
const lasts = (duration) => (duration < 120 ? `${+duration.toFixed(2)} s` : clockTime(duration));

function words(answer, of, clip, palette, clock, named) {
  const kind = answer.calibrated ? "probabilities" : "scores, not probabilities";
  const list = ordered(firstWords(answer), of.whole ?? of.windows[0]);
  const unit = answer.targets.filter((t) => ["presence", "intensity"].includes(t.kind)).flatMap((t) => t.names);
  const level = named ? 5 : 4;
  const now = list.length ? bars(palette, list, `At this moment (${kind})`, { level }) : null;
  const units = unit.length ? bars(palette, unit, "Action units, at this moment", { level, hasHead: false }) : null;
  const numbers = el("p", { class: "numbers" });
  clock.each((time) => {
    const window = windowAt(of.windows, time);
    now?.show(window);
    units?.show({ words: window?.units });
    const known = Object.entries(window?.numbers ?? {}).filter(([, number]) => number?.value != null);
    numbers.textContent = known.map(([name, number]) => `${name} ${range(number)}`).join("; ");
  });
  let whole = null;
  if (list.length && of.whole) {
    whole = bars(palette, list, `The whole clip (${kind})`, { level });
    whole.show(of.whole);
  }
  const caption = `Words${named ? ` of ${answer.label}` : ""}`;
  return el("div", { class: "model-answer" }, named ? el("h4", {}, answer.label) : null,
    el("div", { class: "bars-pair" }, whole?.node ?? null, now?.node ?? null),
    of.whole || !list.length ? null : el("p", { class: "soft" }, `Recordings of up to 60 s get one answer about all of them; this one lasts ${lasts(clip.duration)}.`),
    numbers, units?.node ?? null,
    list.length ? asTable(caption, ["word", "whole clip", ...of.windows.slice(0, 60).map((w) => `${decimal(w.start, 1)} s`)], () =>
      list.map((word) => [word, percent(of.whole?.words?.[word]), ...of.windows.slice(0, 60).map((w) => percent(w.words?.[word]))])) : null);
}
