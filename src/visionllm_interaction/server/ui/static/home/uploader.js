// Several uploads at once: each can be paused, goes on after a cut connection, and after a reload of the page.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api } from "../shared/api.js";
import { megabytes } from "../shared/format.js";
import { fingerprint, giveUp, Paused, ResumableUpload, unfinished } from "./resumable_upload.js";

const AT_ONCE = 2;

// projects: those that can be chosen; project: the one that is shown, null: all.
export function Uploader({ projects, project }) {
  const [over, setOver] = useState(false);
  const [view, setView] = useState("room");
  const [chosen, setChosen] = useState(project);
  const [items, setItems] = useState([]);
  const [before, setBefore] = useState([]);
  const [queue] = useState(() => ({ waiting: [], running: 0, next: 1 }));
  const into = chosen && projects.includes(chosen) ? chosen : project || projects[0];
  useEffect(() => setChosen(project), [project]);
  useEffect(() => {
    unfinished().then(setBefore, () => setBefore([]));
  }, []);
  const change = (id, news) => setItems((all) => all.map((one) => (one.id === id ? { ...one, ...news } : one)));
  const run = () => {
    while (queue.running < AT_ONCE && queue.waiting.length) {
      const item = queue.waiting.shift();
      queue.running += 1;
      change(item.id, { state: "sending", problem: null });
      item.upload.run()
        .then(() => change(item.id, { state: "done", share: 1 }), (problem) => change(item.id, problem instanceof Paused ? { state: "paused" } : { state: "failed", problem }))
        .finally(() => {
          queue.running -= 1;
          run();
        });
    }
  };
  const add = (files) => {
    const made = [...files].map((file) => {
      const id = queue.next++;
      return { id, name: file.name, size: file.size, known: fingerprint(file), share: 0, from: 0, state: "waiting", upload: new ResumableUpload(file, { view, project: into }, (news) => change(id, news)) };
    });
    setItems((all) => [...all.filter((one) => one.state !== "done"), ...made]);
    setBefore((all) => all.filter((one) => !made.some((item) => item.known === one.fingerprint)));
    queue.waiting.push(...made);
    run();
  };
  const again = (item) => {
    queue.waiting.push(item);
    change(item.id, { state: "waiting" });
    run();
  };
  const remove = (item) => {
    queue.waiting = queue.waiting.filter((one) => one.id !== item.id);
    item.upload.pause();
    if (item.upload.address) giveUp(item.upload.address.split("/").pop()).catch(() => {});
    setItems((all) => all.filter((one) => one.id !== item.id));
  };
  const forget = (one) => {
    giveUp(one.upload_id).catch(() => {});
    setBefore((all) => all.filter((other) => other !== one));
  };
  return html`<div class=${`drop ${over ? "over" : ""}`}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
      onDrop=${(event) => { event.preventDefault(); setOver(false); add(event.dataTransfer.files); }}>
    <label class="choose">
      <input type="file" accept="video/*,.mkv,.gif,.wmv,.avi,.ts" multiple aria-label="Choose videos to upload"
        onChange=${(event) => { add(event.target.files); event.target.value = ""; }} />
      <span>Drop videos here or <u>choose files</u></span>
    </label>
    <span class="drop-options">
      <label>Project <select class="into" onChange=${(event) => setChosen(event.target.value)}>${projects.map((one) => html`<option value=${one} selected=${one === into}>${one}</option>`)}</select></label>
      <label>Camera <select value=${view} onChange=${(event) => setView(event.target.value)}><option value="room">in the room</option><option value="ego">on the head</option></select></label>
    </span>
    <${Register} view=${view} project=${into} />
    ${(items.length > 0 || before.length > 0) && html`<ul class="uploads" aria-label="Uploads">
      ${before.map((one) => html`<li key=${one.upload_id} class="upload-item unfinished"><span class="upload-name">${one.name}</span>
        <progress value=${one.offset / one.length} aria-label=${`Upload of ${one.name}`}></progress>
        <span class="note">stopped at ${Math.floor((100 * one.offset) / one.length)} %: choose the same file again to go on</span>
        <button class="button small quiet" onClick=${() => forget(one)}>Give up</button></li>`)}
      ${items.map((item) => html`<${Item} key=${item.id} item=${item} again=${again} remove=${remove} />`)}</ul>`}
  </div>`;
}

// Videos that lie on the service's machine already: they stay where they are.
function Register({ view, project }) {
  const [open, setOpen] = useState(false);
  const [said, setSaid] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const register = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const found = await api("/videos/register", { method: "POST", body: { path: new FormData(event.target).get("path").trim(), view, project } });
      setSaid(found);
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  if (!open) return html`<button class="button small quiet" onClick=${() => setOpen(true)}>Or name a folder of the server</button>`;
  return html`<form class="form-row register" onSubmit=${register}>
    <label>Folder or file of the server <input name="path" type="text" required maxlength="1000" autocomplete="off" /></label>
    <button class="button small" disabled=${busy}>Register</button> <button type="button" class="button small quiet" onClick=${() => setOpen(false)}>Close</button>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${said && html`<p class="note" role="status">${said.jobs.length} video${said.jobs.length === 1 ? "" : "s"} registered${said.left ? `, ${said.left} left: register again` : ""}.</p>`}
    ${said && said.refused.map((one) => html`<p class="refused" key=${one.name}>${one.name}: ${one.reason}</p>`)}
  </form>`;
}

function Item({ item, again, remove }) {
  const failed = item.state === "failed";
  return html`<li class="upload-item">
    <span class="upload-name">${item.name}</span>
    ${(item.state === "sending" || item.state === "paused") && html`<progress value=${item.share} aria-label=${`Upload of ${item.name}`}></progress>`}
    <span class=${failed ? "refused" : "note"} role=${failed ? "alert" : null}>${stateOfUpload(item)}</span>
    ${item.state === "sending" && item.share < 1 && html`<button class="button small" onClick=${() => item.upload.pause()} aria-label=${`Pause ${item.name}`}>Pause</button>`}
    ${item.state === "paused" && html`<button class="button small" onClick=${() => again(item)} aria-label=${`Go on with ${item.name}`}>Go on</button>`}
    ${failed && item.problem.status !== 422 && html`<button class="button small" onClick=${() => again(item)}>Try again</button>`}
    ${item.state !== "done" && html`<button class="button small quiet" onClick=${() => remove(item)} aria-label=${`Remove ${item.name}`}>✕</button>`}
  </li>`;
}

function stateOfUpload({ state, share, size, from, waiting, problem }) {
  const percent = `${Math.floor(share * 100)} % of ${megabytes(size)}`;
  const resumed = from > 0 ? `, went on from ${Math.floor((100 * from) / size)} %` : "";
  if (state === "failed") return problem.words || problem.message;
  if (state === "paused") return `paused at ${percent}`;
  if (state === "sending" && waiting) return "the connection was lost; trying again …";
  if (state === "sending") return share < 1 ? `${percent}${resumed}` : "checking …";
  return { waiting: "waiting", done: `sent${resumed}` }[state];
}
