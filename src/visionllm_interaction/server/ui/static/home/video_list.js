// The videos with their states: filter, order, poster, progress; failed ones say what to do.
import { html, useMemo, useState } from "../vendor/htm-preact.js";
import { api, sentence, videoPath } from "../shared/api.js";
import { day, left, seconds, VIEWS } from "../shared/format.js";

const SORTS = {
  newest: ["newest first", (a, b) => when(b).localeCompare(when(a))],
  oldest: ["oldest first", (a, b) => when(a).localeCompare(when(b))],
  name: ["by name", (a, b) => title(a).localeCompare(title(b), undefined, { numeric: true })],
  recorded: ["by day of recording", (a, b) => about(b, "recorded_on").localeCompare(about(a, "recorded_on"))],
  child: ["by child", (a, b) => about(a, "child").localeCompare(about(b, "child"), undefined, { numeric: true }) || when(b).localeCompare(when(a))],
  longest: ["longest first", (a, b) => (b.duration_s || 0) - (a.duration_s || 0)],
};
const STATES = { all: "all states", analysed: "analysed", busy: "waiting or running", failed: "failed or damaged" };
const when = (video) => video.uploaded_at || video.analysed_at || "";
const about = (video, name) => String(video.covariates?.[name] ?? "");
const title = (video) => video.name || video.video_id;

export function stateOf(video) {
  const job = video.job;
  if (video.damaged) return { kind: "bad", group: "failed", text: "damaged" };
  if (job && job.status === "failed" && !video.analysed) return { kind: "bad", group: "failed", text: "failed" };
  if (video.analysed) return { kind: "good", group: "analysed", text: "analysed" };
  if (!job) return { kind: "bad", group: "failed", text: "not analysed" };
  if (job.status === "cancelled") return { kind: "bad", group: "failed", text: "cancelled" };
  if (job.status === "done") return { kind: "bad", group: "failed", text: "not in the store" };
  const share = job.progress === null || job.progress === undefined ? "" : ` ${Math.floor(job.progress * 100)} %`;
  return { kind: "busy", group: "busy", text: `${job.status}${share}`, share: job.progress, left: left(job.seconds_left) };
}

export function VideoList({ videos, project, mayChange }) {
  const [words, setWords] = useState("");
  const [state, setState] = useState("all");
  const [sort, setSort] = useState("newest");
  const shown = useMemo(() => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (one) => wanted.every((word) => `${title(one)} ${one.video_id} ${one.project || ""} ${about(one, "child")} ${VIEWS[one.view] || ""}`.toLowerCase().includes(word))
      && (state === "all" || stateOf(one).group === state);
    return videos.filter(fits).sort(SORTS[sort][1]);
  }, [videos, words, state, sort]);
  if (!videos.length) return html`<${Empty} project=${project} mayChange=${mayChange} />`;
  const named = new Map();
  for (const one of videos) named.set(title(one), (named.get(title(one)) || 0) + 1);
  return html`
    <div class="filters" role="search">
      <input type="search" placeholder="Filter by name, child or project" aria-label="Filter by name, child or project" value=${words} onInput=${(event) => setWords(event.target.value)} />
      <select aria-label="State" value=${state} onChange=${(event) => setState(event.target.value)}>
        ${Object.entries(STATES).map(([key, text]) => html`<option value=${key}>${text}</option>`)}</select>
      <select aria-label="Order" value=${sort} onChange=${(event) => setSort(event.target.value)}>
        ${Object.entries(SORTS).map(([key, [text]]) => html`<option value=${key}>${text}</option>`)}</select>
      <span class="note" role="status">${shown.length === videos.length ? `${videos.length} video${videos.length === 1 ? "" : "s"}` : `${shown.length} of ${videos.length}`}</span>
    </div>
    ${shown.length === 0 && html`<p class="empty">No video fits. <button class="button small" onClick=${() => { setWords(""); setState("all"); }}>Show all</button></p>`}
    <ul class="videos">${shown.map((one) => html`<${VideoRow} key=${one.video_id} video=${one} twin=${named.get(title(one)) > 1} mayChange=${mayChange} showProject=${project === null} />`)}</ul>`;
}

function Empty({ project, mayChange }) {
  const where = project === null ? "" : html` in <em>${project}</em>`;
  return html`<div class="empty"><p><strong>No videos${where} yet.</strong></p>
    <p>${mayChange ? "Drop one above: it is analysed on this machine, and nothing of it leaves it." : "Videos that others upload are listed here."}</p></div>`;
}

function VideoRow({ video, twin, mayChange, showProject }) {
  const state = stateOf(video);
  const facts = [about(video, "child") && `child ${about(video, "child")}`, about(video, "age_months") && `${about(video, "age_months")} months`, seconds(video.duration_s), video.width ? `${video.width} × ${video.height}` : "", VIEWS[video.view],
    video.tracks === null || video.tracks === undefined ? "" : `${video.tracks} track${video.tracks === 1 ? "" : "s"}`];
  const dated = about(video, "recorded_on") ? `recorded ${about(video, "recorded_on")}` : video.uploaded_at ? `uploaded ${day(video.uploaded_at)}` : video.analysed_at ? `analysed ${day(video.analysed_at)}` : "";
  return html`<li class="video-row">
    <a class="video-link" href=${`/ui${videoPath(video.video_id)}`}>
      <${Poster} video=${video} />
      <span class="video-text">
        <span class="video-name">${title(video)}</span>
        <span class="note">${facts.filter(Boolean).join(" · ")}</span>
        <span class="note">${[showProject && video.project ? `project ${video.project}` : "", dated, twin ? `id ${video.video_id}` : ""].filter(Boolean).join(" · ")}</span>
      </span>
      <span class="video-state"><span class=${`state ${state.kind}`}>${state.text}</span>
        ${state.kind === "busy" && html`<progress value=${state.share ?? undefined} aria-label=${`Analysis of ${title(video)}`}></progress>`}
        ${state.left && html`<span class="note">${state.left}</span>`}</span>
    </a>
    ${state.kind === "busy" && mayChange && html`<${CancelButton} video=${video} />`}
    ${state.kind === "bad" && html`<${Failure} video=${video} mayChange=${mayChange} />`}
  </li>`;
}

function CancelButton({ video }) {
  const [problem, setProblem] = useState(null);
  const cancel = () => api(`/jobs/${encodeURIComponent(video.job.job_id)}/cancel`, { method: "POST" }).catch(setProblem);
  return html`<div class="row-actions"><button class="button small quiet" onClick=${cancel} aria-label=${`Cancel the analysis of ${title(video)}`}>Cancel</button>
    ${problem && html`<span class="refused" role="alert">${problem.words}</span>`}</div>`;
}

function Poster({ video }) {
  const [broken, setBroken] = useState(false);
  const there = video.playable && !broken;
  return html`<span class="poster">${there ? html`<img src=${`/v1${videoPath(video.video_id, "/poster")}`} alt="" loading="lazy" onError=${() => setBroken(true)} />` : html`<span aria-hidden="true">▶</span>`}</span>`;
}

// Why a video is not there, what to do about it, and the buttons that do it.
export function Failure({ video, mayChange = true }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const { what, fix } = remedyOf(video);
  const again = video.job && (video.job.status === "failed" || video.job.status === "cancelled");
  const retry = async () => {
    setBusy(true);
    setProblem(null);
    await api(`/jobs/${encodeURIComponent(video.job.job_id)}/retry`, { method: "POST" }).catch(setProblem);
    setBusy(false);
  };
  return html`<div class="failure">
    <p class="refused">${what}</p>
    ${fix && html`<p class="note">What to do: ${sentence(fix)}</p>`}
    ${mayChange && html`<p>${again && html`<button class="button small" onClick=${retry} disabled=${busy}>Try again</button>`} <${EraseButton} video=${video} small=${true} /></p>`}
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
  </div>`;
}

function remedyOf(video) {
  if (video.damaged) return { what: `The results of this video cannot be read: ${video.damaged}.`, fix: "erase it and upload it again, or analyse it again. Until then it is left out of answers and measures." };
  const error = video.job && video.job.error;
  if (error) return { what: [error.message, error.found && `(${error.found})`].filter(Boolean).join(" "), fix: error.fix };
  if (video.job && video.job.status === "cancelled") return { what: "The analysis was cancelled.", fix: "try it again, or erase the video." };
  return { what: "The video is not in the store.", fix: "erase it and upload it again." };
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
