// The detectors of this machine: which one serves, and the change to another one through the gates.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, watch } from "../shared/api.js";
import { day } from "../shared/format.js";
import { useMe } from "../shared/me.js";

const STATES = {
  comparing: ["busy", "comparing with the serving detector …"], loading: ["busy", "passed; loading …"],
  active: ["good", "serves now"], refused: ["bad", "refused by the gates"], failed: ["bad", "could not be compared"],
};
const GATES = {
  min_ap_difference: "AP is not lower (lower end of the 95 % interval of the difference)", max_latency_ratio: "takes no longer for an image (ratio of times)",
  max_class_mix_distance: "finds the categories in like shares (total variation)", max_confidence_distance: "is as confident (Kolmogorov–Smirnov)",
};

// runs: those on whose images detectors can be compared.
export function Detectors({ runs }) {
  const me = useMe();
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => watch("/detectors", 1, (content, trouble) => {
    setProblem(trouble);
    if (content) setFound(content);
  }), []);
  const busy = found && ["comparing", "loading"].includes(found.activation.state);
  return html`<section class="panel" aria-labelledby="detectors-title"><h2 id="detectors-title">Detectors</h2>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${found && !found.detectors.length && html`<p class="empty"><strong>No detector.</strong> Train one with <code>visionllm run</code>, or get one with <code>visionllm models get yolox_s</code></p>`}
    <ul class="detectors">${(found ? found.detectors : []).map((one) => html`<${Detector} key=${one.model} one=${one} runs=${runs} may=${me !== null && me.role === "admin" && me.projects === null} busy=${busy} told=${(activation) => setFound({ ...found, activation })} />`)}</ul>
    ${found && found.activation.state !== "none" && html`<${LastChange} activation=${found.activation} detectors=${found.detectors} />`}
  </section>`;
}

const called = (one) => (one.kind === "trained" ? `${one.name}, trained ${day(one.created_at)}` : one.name);

function Detector({ one, runs, may, busy, told }) {
  const [asking, setAsking] = useState(false);
  return html`<li class="detector"><div class="title-row">
      <strong>${called(one)}</strong>${one.serving && html`<span class="state good">serves</span>`}
      ${one.AP !== null && html`<span class="note">AP ${one.AP.toFixed(3)} on its validation split</span>`}<span class="grow"></span>
      ${one.run && html`<a class="button small quiet" href=${`/ui/training/${encodeURIComponent(one.run)}`}>Its training</a>`}
      ${may && !one.serving && html`<button class="button small" aria-expanded=${asking} disabled=${busy} onClick=${() => setAsking(!asking)}>Let it serve …</button>`}</div>
    <p class="note about-detector">${one.about}${one.licence ? ` · licence ${one.licence}` : ""}</p>
    ${asking && !busy && html`<${Ask} one=${one} runs=${runs} told=${told} done=${() => setAsking(false)} />`}</li>`;
}

function Ask({ one, runs, told, done }) {
  const fitting = runs.filter((run) => run.status !== null);
  const [run, setRun] = useState(one.run || (fitting[0] && fitting[0].run) || "");
  const [problem, setProblem] = useState(null);
  const start = async (event) => {
    event.preventDefault();
    try {
      told(await api(`/detectors/${encodeURIComponent(one.model)}/activation`, { method: "POST", body: { run: run || null } }));
      done();
    } catch (trouble) {
      setProblem(trouble);
    }
  };
  return html`<form class="form-row compare" onSubmit=${start}>
    <label>Compare both on the validation images of <select value=${run} onChange=${(event) => setRun(event.target.value)}>${fitting.map((each) => html`<option value=${each.run} selected=${each.run === run}>${each.dataset}, ${day(each.created_at)}</option>`)}</select></label>
    <button class="button small primary">Compare, then change</button><button type="button" class="button small quiet" onClick=${done}>Cancel</button>
    <span class="note">It serves only if every gate is open. Requests go on meanwhile.</span>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}</form>`;
}

function LastChange({ activation, detectors }) {
  const name = (model) => {
    const one = detectors.find((each) => each.model === model);
    return one ? called(one) : model;
  };
  const [kind, text] = STATES[activation.state];
  return html`<div class="last-change" role="status"><h3>${kind === "busy" ? "Change" : "Last change"}: ${name(activation.model)} <span class=${`state ${kind}`}>${text}</span></h3>
    ${kind === "busy" && html`<progress aria-label="Comparison"></progress>`}
    ${activation.message && html`<p class=${kind === "bad" ? "refused" : "note"}>${activation.message}</p>`}
    ${activation.serving_AP !== null && html`<p class="note">AP ${activation.AP.toFixed(3)}, beside ${activation.serving_AP.toFixed(3)} of ${name(activation.against)} on the same images.</p>`}
    ${activation.gates.length > 0 && html`<ul class="gates">${activation.gates.map((gate) => html`<li key=${gate.name}><span class=${`state ${gate.passed ? "good" : "bad"}`}>${gate.passed ? "open" : "closed"}</span> ${GATES[gate.name] || gate.name}:
      <strong>${gate.value === null ? "cannot be measured" : gate.value.toFixed(3)}</strong> <span class="note">wanted ${gate.name.startsWith("min_") ? "≥" : "≤"} ${gate.limit}</span></li>`)}</ul>`}</div>`;
}
