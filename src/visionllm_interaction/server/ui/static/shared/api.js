// Requests to /v1. A problem of the service is thrown as it came, with its status.
export class Problem extends Error {
  constructor(status, content) {
    super(content.detail || `The service answered ${status}.`);
    Object.assign(this, { status, code: content.code, found: content.found, fix: content.fix, errors: content.errors });
  }

  // The whole message in words.
  get words() {
    const places = (this.errors || []).map((one) => `${one.where}: ${one.message}`);
    return [this.message, this.found && `(${this.found})`, ...places, this.fix && sentence(this.fix)].filter(Boolean).join(" ");
  }
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

export async function api(path, options = {}) {
  return read(await request(path, options));
}

// Sends a body and calls tell(name, content) for each of the server-sent events that are the answer, as they come.
export async function follow(path, { body, tell }) {
  const response = await request(path, { method: "POST", body });
  if (!response.ok) await read(response);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await next(reader); !part.done; part = await next(reader)) {
    const events = (text + part.value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [, name, data] = event.match(/^event: (.*)\ndata: (.*)$/) || [];
      if (name) tell(name, JSON.parse(data));
    }
  }
}

const silent = () => new Problem(0, { detail: "The service does not answer.", fix: "check that it runs, and try again" });

async function request(path, { method = "GET", body, headers = {}, signal }) {
  const sent = body === undefined ? headers : { "Content-Type": "application/json", ...headers };
  try {
    return await fetch(`/v1${path}`, { method, headers: sent, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw silent();
  }
}

const next = (reader) => reader.read().catch(() => Promise.reject(silent()));

async function read(response) {
  if (response.status === 401) location.assign("/login");
  if (response.status === 204 || response.status === 304) return null;
  const content = await response.json().catch((error) => {
    if (!response.ok) return {};
    throw error.name === "AbortError" ? error : silent(); // given up, or cut off, while the answer came
  });
  if (!response.ok) throw new Problem(response.status, content);
  return content;
}

// Asks again and again, and tells only what has changed. Returns a function that stops it.
export function watch(path, seconds, tell) {
  let etag = null, timer = null, stopped = false;
  const look = async () => {
    try {
      const response = await fetch(`/v1${path}`, { headers: etag ? { "If-None-Match": etag } : {} });
      etag = response.headers.get("ETag");
      const content = await read(response);
      if (content !== null && !stopped) tell(content, null);
    } catch (problem) {
      etag = null;
      if (!stopped) tell(null, problem instanceof Problem ? problem : new Problem(0, { detail: "The service does not answer." }));
    }
    // A page that nobody looks at does not ask.
    if (!stopped) timer = setTimeout(look, (document.hidden ? 10 : 1) * seconds * 1000);
  };
  look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

export const videoPath = (id, part = "") => `/videos/${encodeURIComponent(id)}${part}`;
