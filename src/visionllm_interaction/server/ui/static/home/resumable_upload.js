// A resumable upload by tus 1.0 (https://tus.io): what has arrived stays when the connection, the page or the service goes.
import { api, Problem } from "../shared/api.js";

const PART_BYTES = 8_000_000;
const TUS = { "Tus-Resumable": "1.0.0" };
const WAITS_S = [0.5, 1, 2, 5, 10, 20];

export class Paused extends Error {}

// How a file is known again, after a reload of the page too.
export const fingerprint = (file) => `${file.size} ${file.lastModified} ${file.name}`.slice(0, 128);

export const unfinished = async () => (await api("/uploads")).uploads;
export const giveUp = (id) => api(`/uploads/${encodeURIComponent(id)}`, { method: "DELETE", headers: TUS });

const base64 = (text) => btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));

export class ResumableUpload {
  // fields: {view, project}; told is called with {share, from, waiting} whenever one of them changes.
  constructor(file, fields, told) {
    Object.assign(this, { file, fields, told, address: null, request: null, paused: false });
  }

  pause() {
    this.paused = true;
    this.request?.abort();
  }

  // Ends when the service has accepted the video; throws a Problem that says why not, or Paused.
  async run() {
    this.paused = false;
    let offset = this.address ? await this.arrived() : await this.begin();
    let failures = 0;
    this.told({ from: offset, share: offset / this.file.size });
    // A file of which all bytes are here is sent an empty part: it asks again whether the video is accepted.
    for (let sent = false; !sent || offset < this.file.size; sent = true) {
      try {
        offset = await this.part(offset);
        failures = 0;
        this.told({ waiting: null });
      } catch (problem) {
        if (this.paused) throw new Paused();
        const again = problem.status === 0 || problem.status === 503 || problem.code === "TUS-OFFSET";
        if (!again || failures >= WAITS_S.length) throw problem;
        this.told({ waiting: problem });
        await new Promise((go) => setTimeout(go, 1000 * WAITS_S[failures]));
        failures += 1;
        if (this.paused) throw new Paused();
        offset = await this.arrived().catch(() => offset);
      }
    }
  }

  async begin() {
    const known = fingerprint(this.file);
    const mine = (one) => one.fingerprint === known && one.length === this.file.size && one.project === this.fields.project;
    const before = (await unfinished()).find(mine);
    if (before) {
      this.address = `/v1/uploads/${encodeURIComponent(before.upload_id)}`;
      return this.arrived();
    }
    const metadata = { filename: this.file.name, fingerprint: known, ...this.fields };
    const text = Object.entries(metadata).map(([name, value]) => `${name} ${base64(value)}`).join(",");
    const response = await this.ask("/v1/uploads", { method: "POST", headers: { "Upload-Length": String(this.file.size), "Upload-Metadata": text } });
    this.address = response.headers.get("Location");
    return 0;
  }

  async arrived() {
    const response = await this.ask(this.address, { method: "HEAD" });
    return Number(response.headers.get("Upload-Offset"));
  }

  async ask(address, { method, headers = {} }) {
    let response;
    try {
      response = await fetch(address, { method, headers: { ...TUS, ...headers } });
    } catch {
      throw new Problem(0, { detail: "The service does not answer." });
    }
    if (response.status === 401) location.assign("/login");
    if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
    return response;
  }

  // Sends the bytes from an offset on; gives the offset after them.
  part(offset) {
    const bytes = this.file.slice(offset, Math.min(offset + PART_BYTES, this.file.size));
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open("PATCH", this.address);
      for (const [name, value] of Object.entries({ ...TUS, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" })) request.setRequestHeader(name, value);
      request.upload.onprogress = (event) => this.told({ share: (offset + event.loaded) / this.file.size });
      request.onload = () => {
        if (request.status === 401) location.assign("/login");
        if (request.status === 204) return resolve(Number(request.getResponseHeader("Upload-Offset")));
        return reject(new Problem(request.status, problemOf(request.responseText)));
      };
      request.onerror = request.onabort = () => reject(new Problem(0, { detail: "The connection was lost." }));
      request.send(bytes);
    });
  }
}

function problemOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
