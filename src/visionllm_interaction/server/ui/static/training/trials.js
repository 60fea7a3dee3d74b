// The trials of a study: how good each was, with which values, and which values decide.
import { html } from "../vendor/htm-preact.js";
import { number } from "../shared/format.js";
import { share } from "./run_list.js";

export function Trials({ study }) {
  const keys = Object.keys(study.best_params);
  const ordered = [...study.trials].sort((a, b) => (b.value ?? -1) - (a.value ?? -1));
  const important = Object.entries(study.importances).sort((a, b) => b[1] - a[1]);
  return html`<section class="panel" aria-labelledby="trials-title"><div class="title-row"><h2 id="trials-title">Trials</h2><span class="note grow">${study.trials.length} of the study ${study.study}; the best has AP ${share(study.best_value)}</span></div>
    <div class="scroll tall" tabindex="0" role="region" aria-label="Trials"><table><thead><tr><th class="num">Trial</th><th class="num">AP</th>${keys.map((key) => html`<th class="num" key=${key}>${key}</th>`)}<th>State</th><th class="num">Seconds</th></tr></thead>
      <tbody>${ordered.map((one) => html`<tr key=${one.number} class=${one.value === study.best_value ? "best-row" : ""}><td class="num">${one.number}</td><td class="num">${share(one.value)}</td>
        ${keys.map((key) => html`<td class="num" key=${key}>${typeof one.params[key] === "number" ? number(one.params[key]) : String(one.params[key] ?? "")}</td>`)}<td>${one.state}</td><td class="num">${one.seconds === null ? "" : number(one.seconds)}</td></tr>`)}</tbody></table></div>
    <h3>What decides whether a trial is among the best</h3>
    ${important.length > 0
      ? html`<ul class="bars">${important.map(([key, value]) => html`<li key=${key}><span class="bar-name">${key}</span><meter min="0" max="1" value=${value} aria-label=${key}></meter> <span class="num">${Math.round(100 * value)} %</span></li>`)}</ul>`
      : html`<p class="note">${study.importances_left_out || "It cannot be said."}</p>`}</section>`;
}
