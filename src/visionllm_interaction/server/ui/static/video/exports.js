// Exports of a video: what is wanted, how far each is, and the files once they are made.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, sentence, videoPath, watch } from "../shared/api.js";
import { left, megabytes } from "../shared/format.js";

const REFRESH_S = 1;
const FORMATS = [
  ["For coding programs", [["eaf", "ELAN (.eaf)"], ["boris", "BORIS"], ["datavyu", "Datavyu (.opf)"], ["textgrid", "Praat (TextGrid)"]]],
  ["Tables", [["csv", "CSV"], ["parquet", "Parquet"], ["bids", "BIDS events"], ["json", "Timeline as JSON"], ["coco", "Boxes as COCO"]]],
  ["Films", [["mp4", "Film with boxes"], ["blurred", "Copy with blurred faces"], ["rrd", "Rerun recording"]]],
];
const NAMES = Object.fromEntries(FORMATS.flatMap(([, some]) => some));

export function Exports({ id, may }) {
  const [format, setFormat] = useState("eaf");
  const [values, setValues] = useState("corrected");
  const [jobs, setJobs] = useState([]);
  const [problem, setProblem] = useState(null);
  useEffect(() => watch(`/jobs?kind=export&video_id=${encodeURIComponent(id)}`, REFRESH_S, (content) => content && setJobs(content.jobs)), [id]);
  const start = async (event) => {
    event.preventDefault();
    try {
      const job = await api(videoPath(id, "/exports"), { method: "POST", body: { format, values } });
      setJobs((all) => [job, ...all]);
      setProblem(null);
    } catch (error) {
      setProblem(error);
    }
  };
  const act = (path, method) => api(path, { method }).then(() => setProblem(null), setProblem);
  return html`<section class="panel" aria-labelledby="exports-title"><h2 id="exports-title">Export</h2>
    <form class="form-row export-form" onSubmit=${start}>
      <label><span class="export-name">As</span> <select class="export-format" onChange=${(event) => setFormat(event.target.value)}>${FORMATS.map(([group, some]) => html`<optgroup label=${group}>${some.map(([key, text]) => html`<option value=${key} selected=${key === format}>${text}</option>`)}</optgroup>`)}</select></label>
      <label><span class="export-name">Values</span> <select onChange=${(event) => setValues(event.target.value)}><option value="corrected">as corrected</option><option value="detected">as detected</option></select></label>
      <button class="button small primary">Export</button></form>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    <ul class="exports" aria-label="Exports" aria-live="polite">${jobs.map((job) => html`<${ExportRow} key=${job.job_id} id=${id} job=${job} act=${act} may=${may} />`)}</ul>
    ${!jobs.length && html`<p class="note">Files are made in the background and kept for a week.</p>`}
  </section>`;
}

function ExportRow({ id, job, act, may }) {
  const { status, options, error, result, progress } = job;
  const name = NAMES[options?.format] || "Export";
  const address = videoPath(id, `/exports/${encodeURIComponent(job.job_id)}`);
  const busy = status === "queued" || status === "running";
  return html`<li class="export-item"><span class="upload-name">${name}</span> ${options?.values === "detected" && html`<span class="note">as detected</span>`}
    ${busy && html`<progress value=${progress ?? undefined} aria-label=${`Export as ${name}`}></progress> <span class="note">${status === "queued" ? "waiting" : left(job.seconds_left) || "being made"}</span>
      ${may && html`<button class="button small quiet" onClick=${() => act(`/jobs/${encodeURIComponent(job.job_id)}/cancel`, "POST")}>Cancel</button>`}`}
    ${status === "done" && (result?.files || []).map((file) => html`<a class="button small" download=${file.name} href=${`/v1${address}/files/${encodeURIComponent(file.name)}`}>${file.name} <span class="note">${megabytes(file.bytes)}</span></a>`)}
    ${status === "cancelled" && html`<span class="note">cancelled</span>`}
    ${status === "failed" && html`<span class="refused">${[error?.message || "The export failed.", error?.found && `(${error.found})`].filter(Boolean).join(" ")} ${error?.fix && `What to do: ${sentence(error.fix)}`}</span>`}
    ${may && (status === "failed" || status === "cancelled") && html`<button class="button small" onClick=${() => act(`/jobs/${encodeURIComponent(job.job_id)}/retry`, "POST")}>Try again</button>`}
    ${may && !busy && html`<button class="button small quiet" onClick=${() => act(address, "DELETE")} aria-label=${`Delete the export as ${name}`}>✕</button>`}</li>`;
}
