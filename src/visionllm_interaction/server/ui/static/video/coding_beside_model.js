// What people coded beside what the model found: how well they agree, and where they differ; a click goes there.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { clock, number } from "../shared/format.js";

const MOST_DIFFERENCES = 8;
export const codingName = ({ participant, tier, label }) => [participant && !tier.toLowerCase().includes(participant.toLowerCase()) ? participant : "", tier, label && `“${label}”`].filter(Boolean).join(" ");

// The comparisons of a video, and a function that adds one: {found, add, problem}; nothing is asked without a coding.
export function useComparisons(id, content) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  const coded = content.lanes.some((lane) => lane.kind === "code");
  useEffect(() => {
    if (coded) api(videoPath(id, "/comparisons")).then(setFound, setProblem);
  }, [id, content]);
  const add = async (coding, state) => {
    try {
      const more = await api(videoPath(id, `/comparisons?${new URLSearchParams({ ...coding, state })}`));
      const same = (one) => one.state === state && codingName(one.coding) === codingName(coding);
      setFound((known) => ({ ...known, comparisons: [...known.comparisons.filter((one) => !same(one)), ...more.comparisons] }));
      setProblem(null);
    } catch (trouble) {
      setProblem(trouble);
    }
  };
  return { found, add, problem };
}

export function CodingBesideModel({ comparisons, onShow }) {
  const { found, add, problem } = comparisons;
  const [coding, setCoding] = useState(0);
  const [state, setState] = useState(0);
  if (!found || !found.codings.length) return problem && html`<p class="panel refused" role="alert">${problem.words}</p>`;
  const choose = (event) => {
    event.preventDefault();
    add(found.codings[coding], found.states[state]);
  };
  const options = (names, chosen) => names.map((name, n) => html`<option value=${n} selected=${n === chosen}>${name}</option>`);
  return html`<section class="panel beside" aria-labelledby="beside-title"><h2 id="beside-title">Coding beside the model</h2>
    ${!found.comparisons.length && html`<p class="note">No coded tier has the name of something that the model finds. Choose what is to be compared:</p>`}
    ${found.comparisons.map((one) => html`<${OnePair} key=${`${codingName(one.coding)} ${one.state}`} one=${one} onShow=${onShow} />`)}
    ${found.left_out > 0 && html`<p class="note">${found.left_out} more pairs have the same name; choose them below.</p>`}
    <form class="form-row" onSubmit=${choose}><label>Compare <select onChange=${(event) => setCoding(Number(event.target.value))}>${options(found.codings.map(codingName), coding)}</select></label>
      <label>with <select onChange=${(event) => setState(Number(event.target.value))}>${options(found.states, state)}</select></label><button class="button small" disabled=${!found.states.length}>Compare</button></form>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
  </section>`;
}

function OnePair({ one, onShow }) {
  const differences = [...one.only_coded.map((span) => [span, "only coded"]), ...one.only_model.map((span) => [span, "only the model"])].sort((a, b) => b[0][1] - b[0][0] - (a[0][1] - a[0][0]));
  return html`<div class="pair"><h3>${codingName(one.coding)} <span class="note">beside</span> ${one.state}</h3>
    <p>Kappa <strong>${one.kappa === null ? "not defined" : one.kappa.toFixed(2)}</strong>${one.overlap !== null && html`, overlap <strong>${Math.round(100 * one.overlap)} %</strong>`}
      <span class="note"> of ${number(one.known_s)} s that were coded and processed: both ${number(one.both_s)} s, only coded ${number(one.only_coded_s)} s, only the model ${number(one.only_model_s)} s.${one.missing ? ` ${one.missing}.` : ""}</span></p>
    ${differences.length > 0 && html`<p class="chips"><span class="standing">Longest differences:</span>${differences.slice(0, MOST_DIFFERENCES).map(([[begin, end], kind]) => html`<button class="chip" key=${`${kind} ${begin}`} onClick=${() => onShow(begin, end, [])}><i class=${`key difference ${kind === "only coded" ? "by-people" : "by-model"}`}></i> ${clock(begin, 1)}–${clock(end, 1)} ${kind}</button>`)}</p>`}</div>`;
}
