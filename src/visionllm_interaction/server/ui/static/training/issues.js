// The issues of a data set by code, each with its images; the boxes at fault are drawn by the service.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, sentence } from "../shared/api.js";
import { Picture } from "./picture.js";
import { runPath } from "./run_report.js";

const AT_ONCE = 12;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function Issues({ run, groups }) {
  const total = groups.reduce((sum, one) => sum + one.count, 0);
  return html`<section class="panel" aria-labelledby="issues-title"><h2 id="issues-title">Issues <span class="note">${total} in all, of ${groups.length} kind${groups.length === 1 ? "" : "s"}; the box at fault is red</span></h2>
    ${!groups.length && html`<p class="empty">No issue was found.</p>`}
    ${groups.map((one) => html`<${Group} key=${`${one.code} ${one.split}`} run=${run} group=${one} />`)}</section>`;
}

function Group({ run, group }) {
  const [open, setOpen] = useState(false);
  return html`<details class="issue" open=${open} onToggle=${(event) => setOpen(event.target.open)}>
    <summary><strong>${capital(group.meaning)}</strong> <code>${group.code}</code> <span class="note">${group.split || "all data"} · ${group.count} · ${group.action}</span></summary>
    ${open && html`<p class="note">${[group.harm && sentence(group.harm), group.remedy && `What to do: ${group.remedy}.`, group.note && sentence(group.note)].filter(Boolean).join(" ")}</p><${Examples} run=${run} group=${group} />`}
  </details>`;
}

function Examples({ run, group }) {
  const [issues, setIssues] = useState([]);
  const [total, setTotal] = useState(null);
  const [problem, setProblem] = useState(null);
  const more = (begin) => {
    const query = new URLSearchParams({ code: group.code, begin, count: AT_ONCE, ...(group.split ? { split: group.split } : {}) });
    api(runPath(run, `/issues?${query}`)).then((page) => {
      setTotal(page.total);
      setIssues((known) => [...known.slice(0, begin), ...page.issues]);
    }, setProblem);
  };
  useEffect(() => more(0), []);
  const text = (one) => [one.file_name || (one.image_id !== null && `image ${one.image_id}`), one.annotation_id !== null && `box ${one.annotation_id}`, `found ${one.found}`, one.expected && `expected ${one.expected}`].filter(Boolean).join(", ");
  return html`${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${group.has_images
      ? html`<ul class="gallery">${issues.map((one) => html`<li key=${one.row}>${one.image_id === null ? html`<p>${text(one)}</p>` : html`<${Picture} address=${`/v1${runPath(run, `/issues/${one.row}/image`)}`} text=${text(one)} />`}</li>`)}</ul>`
      : html`<ul>${issues.map((one) => html`<li key=${one.row}>${text(one)}</li>`)}</ul>`}
    ${total !== null && issues.length < total && html`<button class="button small" onClick=${() => more(issues.length)}>Show more (${total - issues.length})</button>`}`;
}
