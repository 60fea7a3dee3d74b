// The box in which questions are asked: a conversation, each claim with the evidence that proves it.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { api, follow, Problem } from "./api.js";
import { clock, number } from "./format.js";

const KEPT = 20;

// after: a promise; what makes the examples waits for it, since asking them takes the service a while.
export function AskBox({ videoId = null, onEvidence, after = Promise.resolve() }) {
  const [question, setQuestion] = useState("");
  const [turns, setTurns] = useState([]);
  const [examples, setExamples] = useState([]);
  const [busy, setBusy] = useState(false);
  const earlier = useRef([]);
  useEffect(() => {
    const about = videoId ? `?video_id=${encodeURIComponent(videoId)}` : "";
    after.then(() => api(`/questions${about}`)).then((found) => setExamples(found.questions), () => setExamples([]));
  }, [videoId]);
  const ask = async (text) => {
    if (!text.trim() || busy) return;
    setBusy(true);
    let turn = { question: text, stages: [], claims: [] };
    setTurns((all) => [turn, ...all]);
    const change = (more) => {
      turn = { ...turn, ...more };
      setTurns(([, ...others]) => [turn, ...others]);
    };
    const tell = (name, content) => {
      if (name === "stage") change({ stages: [...turn.stages, content] });
      if (name === "claim") change({ claims: [...turn.claims, content] });
      if (name === "answer") change({ answer: content });
      if (name === "problem") change({ problem: new Problem(content.status, content) });
    };
    try {
      await follow("/ask/events", { body: { question: text, video_id: videoId, after: earlier.current }, tell });
      if (!turn.answer && !turn.problem) throw new Problem(0, { detail: "The answer was cut off.", fix: "ask again" });
      // What was answered so far goes with the next question, so that "and the book?" can lean on it.
      if (turn.answer?.status === "answered") earlier.current = [...earlier.current, text].slice(-KEPT);
      if (turn.answer) setQuestion("");
    } catch (problem) {
      change({ problem });
    }
    setBusy(false);
  };
  const send = (event) => {
    event.preventDefault();
    ask(question);
  };
  const about = videoId ? "this video" : "these videos";
  return html`<section class="panel ask" aria-labelledby="ask-title">
    <h2 id="ask-title">Ask</h2>
    <form class="ask-row" onSubmit=${send}>
      <input type="text" value=${question} onInput=${(event) => setQuestion(event.target.value)} placeholder=${`A question about ${about}`} aria-label=${`A question about ${about}`} maxlength="10000" />
      <button class="button primary" disabled=${busy}>${busy ? "…" : "Ask"}</button>
    </form>
    ${examples.length > 0 && html`<p class="examples" aria-label="Questions that have an answer">${examples.map((text) => html`<button class="button small quiet" onClick=${() => ask(text)}>${text}</button>`)}</p>`}
    <div class="answers" aria-live="polite" aria-busy=${busy}>${turns.map((turn, n) => html`<${Turn} key=${turns.length - n} turn=${turn} videoId=${videoId} onEvidence=${onEvidence} />`)}</div>
  </section>`;
}

const STAGES = {
  planning: ({ model }) => (model ? `Reading the question with ${model}` : "Reading the question"),
  evidence: () => "Computing the values",
  proof: () => "Computing them again, to prove each sentence",
  wording: ({ model }) => `Wording what is proven with ${model}`,
};

// What is being done, and what is proven so far; an answer takes its place.
function Progress({ turn }) {
  const expressions = turn.stages.flatMap((one) => one.expressions);
  const last = turn.stages.length - 1;
  return html`
    <ol class="stages">${turn.stages.map((one, n) => html`<li class=${n < last ? "done" : "doing"}>${STAGES[one.stage](one)}</li>`)}</ol>
    ${expressions.map((text) => html`<p class="note expression"><code>${text}</code></p>`)}
    ${turn.claims.map((claim) => html`<p class="proven">${claim.text}</p>`)}`;
}

function Turn({ turn, videoId, onEvidence }) {
  const { answer, problem } = turn;
  return html`<article class="turn">
    <p class="asked">${turn.question}</p>
    ${!answer && !problem && html`<${Progress} turn=${turn} />`}
    ${problem && html`<p class="refused">${problem.words}</p>`}
    ${answer && answer.status === "abstained" && html`<p class="refused">${answer.reason || "No answer."}</p>`}
    ${answer && answer.status === "answered" && html`<${Claims} answer=${answer} videoId=${videoId} onEvidence=${onEvidence} />`}
  </article>`;
}

function Claims({ answer, videoId, onEvidence }) {
  const evidence = Object.fromEntries(answer.evidence.map((item) => [item.id, item]));
  const expressions = (answer.plan.expressions || []).flatMap((one) => [one.expression, one.than]).filter(Boolean);
  const by = answer.model ? `planned by ${answer.model}` : "planned by rules";
  return html`
    ${expressions.map((text) => html`<p class="note expression"><code>${text}</code></p>`)}
    ${answer.claims.map((claim) => html`<div class="claim">
      <p class="claim-text">${claim.text}</p>
      <p class="chips"><span class="standing">${standing(claim)}</span>
      ${claim.evidence.filter((id) => evidence[id]).map((id) => html`<${Chip} key=${id} item=${evidence[id]} videoId=${videoId} onEvidence=${onEvidence} />`)}</p>
    </div>`)}
    <p class="note">Every number was computed from the store (${by}).
      <${CopyButton} text=${answer.answer} label="Copy text" /> <${CopyButton} text=${JSON.stringify(answer, null, 1)} label="Copy JSON" /></p>`;
}

function basisOf({ basis, values }) {
  const corrected = { "as detected": "as corrected by people", "detected and coded": "corrected by people, and coded", "plug-in": "plug-in, corrected by people" };
  return values === "corrected" ? corrected[basis] || basis : basis;
}

function standing(claim) {
  const corrected = claim.corrected;
  if (!corrected) return basisOf(claim);
  const interval = corrected.low === null ? "" : `, 95 % interval ${number(corrected.low)} to ${number(corrected.high)}`;
  return `${basisOf(claim)}; corrected ${number(corrected.value)} ${corrected.unit}${interval}`;
}

function Chip({ item, videoId, onEvidence }) {
  const elsewhere = item.video_id !== videoId ? ` in ${item.video_id}` : "";
  const span = item.begin_s === null ? item.video_id : `▸ ${clock(item.begin_s, 1)}${item.end_s === null ? "" : `–${clock(item.end_s, 1)}`}`;
  const about = `${item.measure} = ${item.value} ${item.unit} ${basisOf(item)}${elsewhere}`;
  return html`<button class="chip" title=${`Show evidence ${item.id}: ${about}`} onClick=${() => onEvidence(item)}>${item.id} ${span}<span class="hidden">: ${about}</span></button>`;
}

export function CopyButton({ text, label }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text || "");
      setDone(true);
      setTimeout(() => setDone(false), 1500);
    } catch {
      setDone(false);
    }
  };
  return html`<button class="button small quiet" onClick=${copy}>${done ? "Copied" : label}</button>`;
}
