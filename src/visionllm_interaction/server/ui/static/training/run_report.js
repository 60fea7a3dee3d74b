// One run: verdict and issues of its data, what the splits share, its training, trials and worst images, and its cards.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { CopyButton } from "../shared/ask.js";
import { api } from "../shared/api.js";
import { day, number } from "../shared/format.js";
import { Card } from "./card.js";
import { Curves } from "./curves.js";
import { Issues } from "./issues.js";
import { share, Verdict } from "./run_list.js";
import { Trials } from "./trials.js";
import { Picture } from "./picture.js";

export const runPath = (run, part = "") => `/runs/${encodeURIComponent(run)}${part}`;

export function RunReport({ run }) {
  const [report, setReport] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    document.title = "Training · VisionLLM";
    api(runPath(run)).then(setReport, setProblem);
  }, [run]);
  if (problem) return html`<main class="page"><section class="panel empty"><h1>${problem.status === 404 ? "There is no such run." : "The run cannot be shown."}</h1><p class="refused">${problem.words}</p><p><a href="/ui/training">All runs</a></p></section></main>`;
  if (!report) return html`<main class="page"><h1 class="hidden">Run</h1><p class="panel" role="status">Loading …</p></main>`;
  const { summary, training } = report;
  return html`<main class="page wide">
    <div class="title-row"><h1>${summary.dataset || run}</h1><span class="note grow">${[day(summary.created_at), `run ${run}`].filter(Boolean).join(" · ")}</span><a href="/ui/training">All runs</a></div>
    <${Data} report=${report} />
    <${Issues} run=${run} groups=${report.issues} />
    ${training && html`<${Training} training=${training} />`}
    ${report.study && html`<${Trials} study=${report.study} />`}
    ${training && html`<${Worst} run=${run} report=${report} />`}
    ${report.model_card && html`<${Card} title="Model card" text=${report.model_card} name="model_card.md" />`}
    ${report.data_card && html`<${Card} title="Data card" text=${report.data_card} name="data_card.md" />`}
  </main>`;
}

function Data({ report }) {
  const { summary, splits, leakage, reasons } = report;
  return html`<section class="panel" aria-labelledby="data-title">
    <div class="title-row"><h2 id="data-title">Data</h2><${Verdict} status=${summary.status} /></div>
    ${reasons.length > 0 && html`<ul class="refused">${reasons.map((one) => html`<li key=${one}>${one}</li>`)}</ul><p>What to do: ${report.advice}</p>`}
    <div class="side-by-side">
      <div class="scroll" tabindex="0" role="region" aria-label="Splits"><table><thead><tr><th>Split</th><th class="num">Images</th><th class="num">Boxes</th><th class="num">Boxes trained on</th></tr></thead>
        <tbody>${splits.map((one) => html`<tr key=${one.split}><td>${one.split}</td><td class="num">${one.images}</td><td class="num">${one.annotations}</td><td class="num">${one.trained_annotations ?? "–"}</td></tr>`)}</tbody></table></div>
      <${Shared} leakage=${leakage} />
    </div>
    ${report.categories.length > 0 && html`<p class="note">Categories: ${report.categories.join(", ")}</p>`}
  </section>`;
}

function Shared({ leakage }) {
  if (!leakage) return html`<p class="note">Whether train and val share images was not looked for: stage 3 is not done.</p>`;
  const shared = leakage.shared.filter((one) => one.count > 0);
  return html`<div><h3>What train and val share</h3>
    ${shared.length === 0
      ? html`<p><span class="state good">nothing found</span> <span class="note">looked for: ${leakage.shared.map((one) => one.what).join(", ")}</span></p>`
      : html`<ul>${shared.map((one) => html`<li key=${one.what}>${one.what}: <strong>${one.count}</strong></li>`)}</ul><p class="note">Figures of a detector are too good where both splits show the same.</p>`}
    <p class="note">Splits: ${leakage.splits}${leakage.disjoint_by.length ? `, kept apart by ${leakage.disjoint_by.join(", ")}` : ""}.</p></div>`;
}

function Training({ training }) {
  const most = Math.max(...Object.values(training.per_category).map((one) => one ?? 0), 0.001);
  return html`<section class="panel" aria-labelledby="training-title">
    <div class="title-row"><h2 id="training-title">Training</h2><span class="note grow">AP ${share(training.AP)} at epoch ${training.best_epoch ?? "–"}; ${number(training.duration_s)} s</span></div>
    <${Curves} epochs=${training.epochs} best=${training.best_epoch} />
    <div class="side-by-side">
      <div><h3>AP by category</h3><ul class="bars">${Object.entries(training.per_category).sort((a, b) => (b[1] ?? -1) - (a[1] ?? -1)).map(([name, value]) => html`<li key=${name}><span class="bar-name">${name}</span>
        ${value === null ? html`<span class="note">none in val</span>` : html`<meter min="0" max=${most} value=${value} aria-label=${name}></meter> <span class="num">${share(value)}</span>`}</li>`)}</ul></div>
      <div><h3>Metrics on the validation split</h3><${Facts} facts=${Object.entries(training.metrics).map(([name, value]) => [name, share(value)])} />
        <h3>Settings</h3><${Facts} facts=${Object.entries(training.settings).map(([name, value]) => [name.replaceAll("_", " "), value])} /></div>
    </div></section>`;
}

const Facts = ({ facts }) => html`<dl class="facts">${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

const ERRORS = { Cls: "wrong categories", Loc: "boxes out of place", Both: "both", Dupe: "duplicates", Bkg: "detections of nothing", Miss: "missed objects" };
const MARKS = [["found", "found"], ["wrong", "wrongly found"], ["missed", "missed"]];

function Worst({ run, report }) {
  const { evaluation } = report;
  return html`<section class="panel" aria-labelledby="worst-title"><h2 id="worst-title">Worst images</h2>
    ${!evaluation && html`<p>They are chosen by an evaluation of the best checkpoint, which is not made yet:</p><p class="command"><code>${report.evaluate_command}</code> <${CopyButton} text=${report.evaluate_command} label="Copy" /></p>`}
    ${evaluation && html`<p class="note">AP ${share(evaluation.AP)}${evaluation.interval ? `, 95 % interval ${share(evaluation.interval[0])} to ${share(evaluation.interval[1])}` : ""}; ${evaluation.resampled}.
        AP50 would be higher without ${Object.entries(evaluation.errors).sort((a, b) => b[1] - a[1]).map(([name, value]) => `${ERRORS[name] || name} by ${share(value)}`).join(", ")}.</p>
      <p class="legend">${MARKS.map(([kind, text]) => html`<span key=${kind}><i class=${`key mark-${kind}`}></i> ${text}</span>`)}</p>
      <ul class="gallery">${evaluation.worst_images.map((one) => html`<li key=${one.place}><${Picture} address=${`/v1${runPath(run, `/worst-images/${one.place}`)}`} text=${`${one.file_name}: ${one.found} found, ${one.wrong} wrong, ${one.missed} missed`} /></li>`)}</ul>`}
  </section>`;
}
