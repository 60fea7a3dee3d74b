// The page of data and training: the runs of the pipeline, and the detectors that could serve.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api } from "../shared/api.js";
import { day } from "../shared/format.js";
import { Detectors } from "./detectors.js";

export function RunList() {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    document.title = "Training · VisionLLM";
    api("/runs").then(setFound, setProblem);
  }, []);
  return html`<main class="page wide">
    <h1>Data and training</h1>
    <${Detectors} runs=${found ? found.runs : []} />
    <section class="panel" aria-labelledby="runs-title"><h2 id="runs-title">Runs</h2>
      ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
      ${!found && !problem && html`<p class="note" role="status">Loading …</p>`}
      ${found && !found.runs.length && html`<${NoRuns} configured=${found.configured} />`}
      ${found && found.runs.length > 0 && html`<${Runs} runs=${found.runs} />`}
    </section>
  </main>`;
}

function NoRuns({ configured }) {
  if (configured) return html`<p class="empty"><strong>No run yet.</strong> One is made by <code>visionllm run -o data.root=…</code></p>`;
  return html`<p class="empty"><strong>The service does not know where runs are.</strong> Start it with <code>-o serve.artifacts_dir=artifacts</code></p>`;
}

function Runs({ runs }) {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Runs"><table class="runs">
    <thead><tr><th>Run</th><th>Data set</th><th>Validation</th><th class="num">Images</th><th class="num">Boxes</th><th class="num">Issues</th><th class="num">AP</th></tr></thead>
    <tbody>${runs.map((one) => html`<tr key=${one.run}>
      <td>${one.damaged ? one.run : html`<a href=${`/ui/training/${encodeURIComponent(one.run)}`}>${day(one.created_at) || one.run}</a>`}</td>
      ${one.damaged
        ? html`<td colspan="6" class="refused">${one.damaged}</td>`
        : html`<td>${one.dataset}</td><td><${Verdict} status=${one.status} /></td><td class="num">${one.images}</td><td class="num">${one.annotations}</td><td class="num">${one.issues}</td><td class="num">${one.trained ? share(one.AP) : html`<span class="note">not trained</span>`}</td>`}
    </tr>`)}</tbody></table></div>`;
}

export function Verdict({ status }) {
  if (status === null) return html`<span class="note">not validated</span>`;
  return html`<span class=${`state ${status === "PASS" ? "good" : "bad"}`}>${status === "PASS" ? "passed" : "failed"}</span>`;
}

export const share = (value) => (value === null || value === undefined || value < 0 ? "–" : value.toFixed(3));
