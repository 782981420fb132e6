// What the page asks of its server. Every failure becomes an Error whose message is a sentence.

const AWAY = "The server does not answer. Does facewave app still run?";

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Error(AWAY);
  }
  if (!answer.ok) throw new Error(await sentenceOf(answer));
  return answer.status === 204 ? null : answer;
}

async function sentenceOf(answer) {
  try {
    return (await answer.json()).sentence;
  } catch {
    return `The server refused (${answer.status}).`;
  }
}

async function json(path, options) {
  const answer = await ask(path, options);
  return answer === null ? null : answer.json();
}

export const options = () => json("/api/options");
export const result = (id) => json(`/api/jobs/${id}/result`);
export const state = (id) => json(`/api/jobs/${id}`);
export const forget = (id) => ask(`/api/jobs/${id}`, { method: "DELETE" });
export const fileAddress = (id, name) => `/api/jobs/${id}/files/${name}`;

/** The points of all faces: little-endian numbers of 16 bits. */
export async function points(id) {
  const answer = await ask(fileAddress(id, "points.bin"));
  return new DataView(await answer.arrayBuffer());
}

/**
 * Send a clip. XMLHttpRequest, because fetch does not tell how much was sent.
 * Returns {id: a promise of the job's id, abort}.
 */
export function upload(clip, models, keep, onShare) {
  const form = new FormData();
  for (const model of models) form.append("model", model);
  if (keep) form.append("keep", "yes");
  form.append("clip", clip, clip.name); // last: the rest is read before the file arrives
  const request = new XMLHttpRequest();
  const id = new Promise((resolve, reject) => {
    request.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    request.onload = () => {
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch { /* no JSON: the status has to do */ }
      if (request.status === 201) resolve(body.id);
      else reject(new Error(body.sentence || `The server refused the clip (${request.status}).`));
    };
    request.onerror = () => reject(new Error(`The upload broke off. ${AWAY}`));
    request.onabort = () => reject(new Error("Cancelled."));
  });
  request.open("POST", "/api/jobs");
  request.send(form);
  return { id, abort: () => request.abort() };
}

const PATIENCE = 5; // attempts to hear of a job again, before the server is given up
const FINAL = new Set(["done", "failed", "cancelled"]);

/** Follow a job; calls onState with each state until a final one. Returns a function that stops. */
export function follow(id, onState) {
  const events = new EventSource(`/api/jobs/${id}/events`);
  let silent = 0;
  const tell = (told) => {
    silent = 0;
    if (FINAL.has(told.state)) events.close();
    onState(told);
  };
  events.onmessage = (event) => tell(JSON.parse(event.data));
  events.onerror = () => {
    silent += 1;
    if (events.readyState !== EventSource.CLOSED && silent < PATIENCE) return; // the browser tries again
    events.close();
    state(id).then(tell, (error) => onState({ state: "failed", sentence: error.message }));
  };
  return () => events.close();
}

const corpus = (name, rest) => `/api/corpora/${encodeURIComponent(name)}/${rest}`;
const clip = (name, id, rest) => corpus(name, `clips/${encodeURIComponent(id)}/${rest}`);

export const clips = (name, query) => json(corpus(name, `clips?${new URLSearchParams(query)}`));
export const suspects = (name) => json(corpus(name, "suspects"));
/** The video of a row; of a part of a video, from where it starts to where it ends. */
export function clipVideo(name, { video_idx: id, start, end }) {
  const part = start === null && end === null ? "" : `#t=${start ?? 0}${end === null ? "" : `,${end}`}`;
  return clip(name, id, "video") + part;
}
export const clipPicture = (name, { video_idx: id }) => clip(name, id, "picture");
export const relabels = (name) => json(corpus(name, "relabels"));
export const relabel = (name, row) => json(corpus(name, "relabels"), {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(row),
});
export const takeBack = (name, id) =>
  ask(corpus(name, `relabels/${encodeURIComponent(id)}`), { method: "DELETE" });
