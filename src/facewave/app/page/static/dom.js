// Elements, and how times and shares are written. Texts are only ever set as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element: properties, listeners ("onclick") and attributes ("aria-label"), then children. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name in node && !name.includes("-") && name !== "list") node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** An SVG element with attributes, then children. */
export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

/** Tell people who listen rather than look. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}

/** 5.25 -> "5.3 s", 65 -> "1:05", 3725 -> "1:02:05". */
export function clockTime(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600);
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** 0.123 -> "12 %"; "" where nothing is known. */
export function percent(share) {
  return share === null || share === undefined ? "" : `${Math.round(100 * share)} %`;
}

/** 0.123 -> "0.12"; "" where nothing is known. */
export function decimal(value, digits = 2) {
  if (value === null || value === undefined) return "";
  return value.toFixed(digits).replace("-", "\u2212");
}

/** What a person is called: by the number that is in all files, too, or without one who is alone. */
export const called = (person, people) => (people.length > 1 ? `Person ${person}` : "The person");

/** Whether a file is dragged. */
export const holdsFile = (event) => event.dataTransfer.types.includes("Files");

/** Call `then` if this browser cannot show a video: it may play the sound alone, without an error. */
export function whenNotShown(video, then) {
  video.addEventListener("error", then);
  video.addEventListener("loadedmetadata", () => video.videoWidth === 0 && then());
}

/** A table with a header; numbers stand right. Behind "as a table" it says what a chart shows. */
export function table(caption, columns, rows) {
  const cell = (value) =>
    el("td", { class: /^[\u2212\d]/.test(value) ? "n" : undefined }, String(value ?? ""));
  return el("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption },
    el("table", {},
      el("caption", { class: "hidden-text" }, caption),
      el("thead", {}, el("tr", {}, columns.map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map((row) => el("tr", {},
        row.map((value, i) => (i ? cell(value) : el("th", { scope: "row" }, String(value)))))))));
}

const MOST_ROWS = 600; // of a table in place of a chart

/** The same as a chart, as a table that is made when it is opened. */
export function asTable(caption, columns, rows) {
  const details = el("details", { class: "as-table" }, el("summary", {}, `${caption}, as a table`));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const all = rows();
    details.append(table(caption, columns, all.slice(0, MOST_ROWS)));
    if (all.length > MOST_ROWS) {
      details.append(el("p", { class: "soft" }, `The first ${MOST_ROWS} of ${all.length} rows.`));
    }
  });
  return details;
}

/** A sentence about what went wrong, where it went wrong; it is read out. */
export function problem(sentence) {
  return el("p", { class: "error", role: "alert" }, sentence);
}
