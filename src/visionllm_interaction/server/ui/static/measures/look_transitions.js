// Which target of looks follows which, as a heat map with counts and probabilities, and how predictable that is.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { CopyButton } from "../shared/ask.js";
import { api } from "../shared/api.js";
import { number } from "../shared/format.js";
import { saveSvg } from "./save_svg.js";

const CELL = 58, LEFT = 150, TOP = 96;
const ONES = ["counts", "probabilities"];

export function LookTransitions({ videoId }) {
  const [who, setWho] = useState("");
  const [shown, setShown] = useState(ONES[0]);
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const query = new URLSearchParams({ ...(who ? { participant: who } : {}), ...(videoId ? { video_id: videoId } : {}) }).toString();
  useEffect(() => {
    const asking = new AbortController();
    setProblem(null);
    api(`/look-transitions${query && `?${query}`}`, { signal: asking.signal }).then(setFound, (error) => asking.signal.aborted || setProblem(error));
    return () => asking.abort();
  }, [query]);
  const save = () => saveSvg(document.querySelector("svg.heat"), "look_transitions.svg");
  const drawn = found && found.targets.length > 0;
  return html`<section class="panel" aria-labelledby="looks-title">
    <div class="title-row plot-head"><h2 id="looks-title">Transitions of looks</h2><span class="grow"></span>
      ${drawn && html`<button class="button small" onClick=${save}>Download SVG</button><a class="button small" href=${`/v1/look-transitions/csv${query && `?${query}`}`} download="look_transitions.csv">Download CSV</a>`}</div>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${!found && !problem && html`<p class="note" role="status">Computing …</p>`}
    ${found && !found.participants.length && html`<p class="note">No looks were imported. <code>visionllm import</code> brings those of eye trackers and codings.</p>`}
    ${found && found.participants.length > 0 && html`
      <div class="choices"><label>Whose looks <select onChange=${(event) => setWho(event.target.value)}>${found.participants.map((one) => html`<option value=${one} selected=${one === found.participant}>${one}</option>`)}</select></label>
        <label>Show <select onChange=${(event) => setShown(event.target.value)}>${ONES.map((one) => html`<option value=${one} selected=${one === shown}>${one}</option>`)}</select></label></div>
      ${drawn ? html`<p class="note">Rows: the look before; columns: the look after.</p><${HeatMap} found=${found} shown=${shown} />` : html`<p class="note">${found.missing}.</p>`}
      <p>Transition entropy <strong>${bits(found.transition_entropy)}</strong> (how unpredictable the next target is), stationary entropy <strong>${bits(found.stationary_entropy)}</strong> (how evenly looks are spread); ${found.videos} video${found.videos === 1 ? "" : "s"}.
        <span class="note"> Repeated looks at one target are no transition, and time that was not coded ends the sequence. Source: Krejtz et al. (2015).</span></p>
      ${found.command && html`<p class="command"><code>${found.command}</code> <${CopyButton} text=${found.command} label="Copy" /></p>`}`}
  </section>`;
}

const bits = (value) => (value === null ? "not defined" : `${value.toFixed(3)} bits`);

function HeatMap({ found, shown }) {
  const { targets, counts, probabilities } = found;
  const most = Math.max(1, ...counts.flat());
  const [width, height] = [LEFT + targets.length * CELL + 12, TOP + targets.length * CELL + 4];
  const text = (n, m) => (shown === "counts" ? String(counts[n][m]) : probabilities[n][m] === null ? "–" : probabilities[n][m].toFixed(2));
  const depth = (n, m) => (shown === "counts" ? counts[n][m] / most : probabilities[n][m] ?? 0);
  const short = (name) => (name.length > 18 ? `${name.slice(0, 17)}…` : name);
  const about = targets.map((from, n) => `from ${from}: ${targets.map((to, m) => (n === m ? null : `${to} ${text(n, m)}`)).filter(Boolean).join(", ")}`).join("; ");
  const sized = (plot) => plot && (plot.style.maxWidth = `${width}px`);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Transitions"><svg class="plot narrow heat" ref=${sized} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${`Transitions of looks, ${shown}. ${about}`}>
    ${targets.map((name, n) => html`<g key=${name}>
      <text class="name" x=${LEFT - 10} y=${TOP + n * CELL + CELL / 2 + 4} text-anchor="end">${short(name)}<title>${name}</title></text>
      <text class="name" x="0" y="0" text-anchor="start" transform=${`translate(${LEFT + n * CELL + CELL / 2 - 2} ${TOP - 10}) rotate(-40)`}>${short(name)}<title>${name}</title></text>
      ${targets.map((to, m) => html`<g key=${to}><rect class=${n === m ? "none" : "cell"} x=${LEFT + m * CELL + 1} y=${TOP + n * CELL + 1} width=${CELL - 2} height=${CELL - 2} rx="4" fill-opacity=${n === m ? 1 : 0.08 + 0.72 * depth(n, m)} />
        ${n !== m && html`<text class=${depth(n, m) > 0.55 ? "on-deep" : ""} x=${LEFT + m * CELL + CELL / 2} y=${TOP + n * CELL + CELL / 2 + 4} text-anchor="middle">${text(n, m)}<title>${name} → ${to}: ${counts[n][m]}</title></text>`}</g>`)}</g>`)}
  </svg></div>`;
}
