// The home page: uploads, the videos with their states, the ask box.
import { html, useEffect, useMemo, useState } from "./vendor/htm-preact.js";
import { AskBox } from "./ask.js";
import { api, upload, videoPath, watch } from "./api.js";
import { day, left, megabytes, seconds, VIEWS } from "./format.js";

const REFRESH_S = 2;
const AT_ONCE = 2;

export function Home() {
  const [videos, setVideos] = useState(null);
  const [trouble, setTrouble] = useState(null);
  useEffect(() => watch("/videos", REFRESH_S, (content, problem) => {
    setTrouble(problem);
    if (content) setVideos(content.videos);
  }), []);
  const some = videos && videos.some((one) => one.analysed);
  return html`<main class="page wide">
    <div class="columns">
      <section class="panel" aria-labelledby="videos-title">
        <h1 id="videos-title">Videos</h1>
        <${Notice} />
        ${trouble && html`<p class="refused" role="alert">${trouble.words}</p>`}
        <${Uploader} />
        ${videos === null ? !trouble && html`<p class="note">Loading …</p>` : html`<${VideoList} videos=${videos} />`}
      </section>
      ${some ? html`<${AskBox} onEvidence=${openEvidence} />` : html`<${FirstSteps} />`}
    </div>
  </main>`;
}

export function openEvidence(item) {
  const times = item.begin_s === null ? "" : `?t=${item.begin_s}${item.end_s === null ? "" : `&end=${item.end_s}`}`;
  location.assign(`/ui${videoPath(item.video_id)}${times}`);
}

// What is wrong with the service, above the uploads.
function Notice() {
  const [text, setText] = useState("");
  useEffect(() => {
    let timer = null, gone = false;
    const look = async () => {
      const response = await fetch("/v1/readyz").catch(() => null);
      const ready = response && (await response.json().catch(() => null));
      if (gone) return;
      setText(ready ? notice(ready) : "");
      timer = setTimeout(look, ready && ready.parts.detector === "loading" ? 1500 : 15000);
    };
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return text && html`<p class="notice" role="status">${text}</p>`;
}

function notice({ parts, reasons }) {
  if (parts.detector === "loading") return "The detector is still loading; uploads wait for it.";
  if (parts.detector === "failed") return `Videos cannot be analysed: ${reasons.detector}`;
  if (parts.detector === "not configured") return "This service has no detector: it answers questions about its store, and takes no videos. Start it with -o serve.detector=FILE to analyse some.";
  if (parts.disk === "nearly full") return "The disk is nearly full: erase videos that are no longer needed.";
  if (parts.store === "not writable") return "The store cannot be written: check the rights of its folder.";
  return "";
}

function FirstSteps() {
  return html`<aside class="panel ask" aria-labelledby="first-title">
    <h2 id="first-title">Ask</h2>
    <p>Once a video is analysed, questions are answered here: each number with the moment in the video that proves it.</p>
    <ol class="steps"><li>Drop a video on the left, or on a command line <code>visionllm analyze VIDEO --store STORE</code>.</li>
    <li>Wait until it says <em>analysed</em>.</li><li>Open it, or ask.</li></ol>
  </aside>`;
}

function Uploader() {
  const [over, setOver] = useState(false);
  const [view, setView] = useState("room");
  const [items, setItems] = useState([]);
  const change = (id, news) => setItems((all) => all.map((one) => (one.id === id ? { ...one, ...news } : one)));
  const [queue] = useState(() => ({ waiting: [], running: 0, next: 1 }));
  const run = () => {
    while (queue.running < AT_ONCE && queue.waiting.length) {
      const item = queue.waiting.shift();
      queue.running += 1;
      change(item.id, { state: "sending", problem: null, share: 0 });
      upload(item.file, item.view, { progress: (share) => change(item.id, { share }), started: (cancel) => change(item.id, { cancel }) })
        .then(() => change(item.id, { state: "done", share: 1 }), (problem) => change(item.id, { state: "failed", problem }))
        .finally(() => {
          queue.running -= 1;
          run();
        });
    }
  };
  const add = (files) => {
    const made = [...files].map((file) => ({ id: queue.next++, file, view, name: file.name, size: file.size, share: 0, state: "waiting" }));
    setItems((all) => [...all.filter((one) => one.state !== "done"), ...made]);
    queue.waiting.push(...made);
    run();
  };
  const again = (item) => {
    queue.waiting.push(item);
    change(item.id, { state: "waiting" });
    run();
  };
  const stop = (item) => {
    queue.waiting = queue.waiting.filter((one) => one.id !== item.id);
    if (item.state === "sending") item.cancel?.();
    setItems((all) => all.filter((one) => one.id !== item.id));
  };
  return html`<div class=${`drop ${over ? "over" : ""}`}
      onDragOver=${(event) => { event.preventDefault(); setOver(true); }} onDragLeave=${() => setOver(false)}
      onDrop=${(event) => { event.preventDefault(); setOver(false); add(event.dataTransfer.files); }}>
    <label class="choose">
      <input type="file" accept="video/*,.mkv,.gif,.wmv,.avi,.ts" multiple aria-label="Choose videos to upload"
        onChange=${(event) => { add(event.target.files); event.target.value = ""; }} />
      <span>Drop videos here or <u>choose files</u></span>
    </label>
    <label class="view">View
      <select value=${view} onChange=${(event) => setView(event.target.value)}>
        <option value="room">room camera</option><option value="ego">head camera</option>
      </select>
    </label>
    ${items.length > 0 && html`<ul class="uploads" aria-label="Uploads">${items.map((item) => html`<li key=${item.id} class="upload-item">
      <span class="upload-name">${item.name}</span>
      ${item.state === "sending" && html`<progress value=${item.share} aria-label=${`Upload of ${item.name}`}></progress>`}
      <span class=${item.state === "failed" ? "refused" : "note"} role=${item.state === "failed" ? "alert" : null}>${uploadState(item)}</span>
      ${item.state === "failed" && item.problem.status !== 422 && html`<button class="button small" onClick=${() => again(item)}>Try again</button>`}
      ${item.state !== "done" && html`<button class="button small quiet" onClick=${() => stop(item)} aria-label=${`Remove ${item.name}`}>✕</button>`}
    </li>`)}</ul>`}
  </div>`;
}

function uploadState(item) {
  if (item.state === "failed") return item.problem.words;
  if (item.state === "sending") return item.share < 1 ? `${Math.floor(item.share * 100)} % of ${megabytes(item.size)}` : "checking …";
  return { waiting: "waiting", done: "sent" }[item.state];
}

const SORTS = {
  newest: ["newest first", (a, b) => when(b).localeCompare(when(a))],
  oldest: ["oldest first", (a, b) => when(a).localeCompare(when(b))],
  name: ["by name", (a, b) => title(a).localeCompare(title(b), undefined, { numeric: true })],
  longest: ["longest first", (a, b) => (b.duration_s || 0) - (a.duration_s || 0)],
};
const STATES = { all: "all states", analysed: "analysed", busy: "waiting or running", failed: "failed" };
const when = (video) => video.uploaded_at || video.analysed_at || "";
const title = (video) => video.name || video.video_id;

export function stateOf(video) {
  const job = video.job;
  if (job && job.status === "failed" && !video.analysed) return { kind: "bad", group: "failed", text: "failed" };
  if (video.analysed) return { kind: "good", group: "analysed", text: "analysed" };
  if (!job) return { kind: "bad", group: "failed", text: "not analysed" };
  if (job.status === "cancelled") return { kind: "bad", group: "failed", text: "cancelled" };
  if (job.status === "done") return { kind: "bad", group: "failed", text: "not in the store" };
  const share = job.progress === null || job.progress === undefined ? "" : ` ${Math.floor(job.progress * 100)} %`;
  return { kind: "busy", group: "busy", text: `${job.status}${share}`, share: job.progress, left: left(job.seconds_left) };
}

function VideoList({ videos }) {
  const [words, setWords] = useState("");
  const [state, setState] = useState("all");
  const [sort, setSort] = useState("newest");
  const shown = useMemo(() => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) => wanted.every((word) => `${title(one)} ${one.video_id} ${VIEWS[one.view] || ""}`.toLowerCase().includes(word))
      && (state === "all" || stateOf(one).group === state);
    return videos.filter(fits).sort(SORTS[sort][1]);
  }, [videos, words, state, sort]);
  if (!videos.length) return html`<div class="empty"><p><strong>No videos yet.</strong></p><p>Drop one above: it is analysed on this machine, and nothing of it leaves it.</p></div>`;
  const named = new Map();
  for (const one of videos) named.set(title(one), (named.get(title(one)) || 0) + 1);
  return html`
    <div class="filters" role="search">
      <input type="search" placeholder="Filter by name" aria-label="Filter by name" value=${words} onInput=${(event) => setWords(event.target.value)} />
      <select aria-label="State" value=${state} onChange=${(event) => setState(event.target.value)}>
        ${Object.entries(STATES).map(([key, text]) => html`<option value=${key}>${text}</option>`)}</select>
      <select aria-label="Order" value=${sort} onChange=${(event) => setSort(event.target.value)}>
        ${Object.entries(SORTS).map(([key, [text]]) => html`<option value=${key}>${text}</option>`)}</select>
      <span class="note" role="status">${shown.length === videos.length ? `${videos.length} video${videos.length === 1 ? "" : "s"}` : `${shown.length} of ${videos.length}`}</span>
    </div>
    ${shown.length === 0 && html`<p class="empty">No video fits. <button class="button small" onClick=${() => { setWords(""); setState("all"); }}>Show all</button></p>`}
    <ul class="videos">${shown.map((one) => html`<${VideoRow} key=${one.video_id} video=${one} twin=${named.get(title(one)) > 1} />`)}</ul>`;
}

function VideoRow({ video, twin }) {
  const state = stateOf(video);
  const facts = [seconds(video.duration_s), video.width ? `${video.width} × ${video.height}` : "", VIEWS[video.view],
    video.tracks === null || video.tracks === undefined ? "" : `${video.tracks} track${video.tracks === 1 ? "" : "s"}`];
  const dated = video.uploaded_at ? `uploaded ${day(video.uploaded_at)}` : video.analysed_at ? `analysed ${day(video.analysed_at)}` : "";
  return html`<li class="video-row">
    <a class="video-link" href=${`/ui${videoPath(video.video_id)}`}>
      <${Poster} video=${video} />
      <span class="video-text">
        <span class="video-name">${title(video)}</span>
        <span class="note">${facts.filter(Boolean).join(" · ")}</span>
        <span class="note">${[dated, twin ? `id ${video.video_id}` : ""].filter(Boolean).join(" · ")}</span>
      </span>
      <span class="video-state"><span class=${`state ${state.kind}`}>${state.text}</span>
        ${state.kind === "busy" && html`<progress value=${state.share ?? undefined} aria-label=${`Analysis of ${title(video)}`}></progress>`}
        ${state.left && html`<span class="note">${state.left}</span>`}</span>
    </a>
    ${state.kind === "bad" && html`<${Failure} video=${video} />`}
  </li>`;
}

function Poster({ video }) {
  const [broken, setBroken] = useState(false);
  const there = video.playable && !broken;
  return html`<span class="poster">${there ? html`<img src=${`/v1${videoPath(video.video_id, "/poster")}`} alt="" loading="lazy" onError=${() => setBroken(true)} />` : html`<span aria-hidden="true">▶</span>`}</span>`;
}

// Why a job failed, what to do about it, and the button that does it.
export function Failure({ video }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const error = video.job && video.job.error;
  const retry = async () => {
    setBusy(true);
    setProblem(null);
    await api(`/jobs/${encodeURIComponent(video.job.job_id)}/retry`, { method: "POST" }).catch(setProblem);
    setBusy(false);
  };
  return html`<div class="failure">
    <p class="refused">${error ? [error.message, error.found && `(${error.found})`].filter(Boolean).join(" ") : "The video is not in the store."}</p>
    ${error && error.fix && html`<p class="note">What to do: ${error.fix}.</p>`}
    <p>${video.job && (video.job.status === "failed" || video.job.status === "cancelled") && html`<button class="button small" onClick=${retry} disabled=${busy}>Try again</button>`} ${html`<${EraseButton} video=${video} small=${true} />`}</p>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
  </div>`;
}

export function EraseButton({ video, small, erased }) {
  const [asking, setAsking] = useState(false);
  const [problem, setProblem] = useState(null);
  const erase = async () => {
    try {
      await api(videoPath(video.video_id), { method: "DELETE" });
      setAsking(false);
      erased?.();
    } catch (error) {
      setProblem(error);
    }
  };
  const opened = (dialog) => dialog && !dialog.open && dialog.showModal();
  return html`<button class=${`button danger ${small ? "small" : ""}`} onClick=${() => setAsking(true)}>Erase</button>
    ${asking && html`<dialog ref=${opened} class="panel" aria-labelledby="erase-title" onClose=${() => setAsking(false)}>
      <h2 id="erase-title">Erase ${title(video)}?</h2>
      <p>The video and everything computed from it are deleted. This cannot be undone.</p>
      ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
      <p class="buttons"><button class="button danger" onClick=${erase}>Erase</button> <button class="button" onClick=${() => setAsking(false)}>Keep</button></p>
    </dialog>`}`;
}
