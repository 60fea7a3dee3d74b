// The panel in which people correct a video: the chosen box or bout, what can be changed of it, and what was changed.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { clock, day } from "../shared/format.js";

const ROLES = ["child", "caregiver"];
const PREDICATES = ["near", "in_contact", "holding"];
const two = (value) => Math.round(value * 100) / 100;
const words = (text) => text.replaceAll("_", " ");

export function coder() {
  try {
    return localStorage.getItem("coder") || "";
  } catch {
    return "";
  }
}

// The corrections of a video, read and sent: {list, problem, send, undo, last}.
export function useCorrections(id, changed) {
  const [list, setList] = useState(null);
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const path = (part = "") => videoPath(id, `/corrections${part}`);
  const read = () => api(path()).then(setList, setProblem);
  useEffect(() => {
    read();
  }, [id]);
  const ask = async (part, options) => {
    if (busy) return false;
    setBusy(true);
    const name = coder().trim();
    try {
      // Another person may have corrected the video meanwhile: then this one looks again first.
      const headers = list ? { "If-Match": `"${list.revision}"` } : {};
      setList(await api(`${path(part)}${name ? `?who=${encodeURIComponent(name)}` : ""}`, { ...options, headers }));
      setProblem(null);
      changed();
      return true;
    } catch (trouble) {
      setProblem(trouble);
      if (trouble.status === 412) {
        read();
        changed();
      }
      return false;
    } finally {
      setBusy(false);
    }
  };
  const send = (change) => ask("", { method: "POST", body: change });
  const undo = (number) => ask(`/${number}`, { method: "DELETE" });
  const last = () => list?.corrections.findLast((one) => one.kind !== "undo" && one.undone_by === null)?.id;
  return { list, problem, busy, send, undo, last };
}

// chosen: {track, box, time} of a box or null; bout: {begin, end, predicate, tracks} or {begin, event, tracks} or null.
export function CorrectionPanel({ content, corrections, chosen, bout, boxes, time, draft, onDraft, onChoose, onBout }) {
  const { list, problem, busy, send, undo, last } = corrections;
  const names = new Map(content.tracks.map((one) => [one.track_id, `${one.role || one.category} ${one.track_id}`]));
  const [who, setWho] = useState(coder());
  const name = (event) => {
    setWho(event.target.value);
    try {
      localStorage.setItem("coder", event.target.value);
    } catch {
      // Not kept: the next page asks again.
    }
  };
  const track = chosen && content.tracks.find((one) => one.track_id === chosen.track);
  return html`<section class="panel correct" aria-labelledby="correct-title" aria-busy=${busy}>
    <div class="title-row"><h2 id="correct-title">Correct</h2><span class="grow"></span>
      <label class="note">Your name <input type="text" class="who" maxlength="60" value=${who} onInput=${name} autocomplete="off" /></label>
      <button class="button small" disabled=${busy || !last()} onClick=${() => undo(last())}>Undo <kbd>Ctrl Z</kbd></button></div>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    <p class="note" id="boxes-here">Boxes in this frame: click one in the picture, or choose it here.</p>
    <div class="here" role="group" aria-labelledby="boxes-here">${boxes.filter((one) => one.track >= 0).map((one) => html`<button class="button small" aria-pressed=${chosen?.track === one.track} onClick=${() => onChoose(one)}>${names.get(one.track) || one.category}</button>`)}
      ${!boxes.some((one) => one.track >= 0) && html`<span class="note">none</span>`}
      <button class="button small" aria-pressed=${draft !== null} onClick=${() => onDraft(draft ? null : middleOf(content, time))}>+ New box</button></div>
    ${draft && html`<${NewBox} draft=${draft} content=${content} send=${send} busy=${busy} onDraft=${onDraft} />`}
    ${track && html`<${TrackForm} key=${formOf(track, chosen)} track=${track} chosen=${chosen} time=${time} content=${content} names=${names} send=${send} busy=${busy} />`}
    ${bout && html`<${BoutForm} key=${`${bout.begin} ${bout.end} ${bout.tracks} ${bout.edited || ""}`} bout=${bout} time=${time} names=${names} send=${send} busy=${busy} onBout=${onBout} />`}
    ${!track && !bout && !draft && html`<p class="note">Or click a bout or an event in the timeline to move or remove it.</p>`}
    <${List} list=${list} names=${names} undo=${undo} busy=${busy} />
  </section>`;
}

// Where a new box begins, for those who do not draw it: a fifth of the picture, in its middle.
const middleOf = ({ width, height }, time) => ({ time, box: { x1: two(0.4 * width), y1: two(0.4 * height), x2: two(0.6 * width), y2: two(0.6 * height) } });

// Something that the analysis has missed: drawn in the picture, or given by its sides.
function NewBox({ draft, content, send, busy, onDraft }) {
  const [category, setCategory] = useState("");
  const categories = [...new Set([...content.tracks.map((one) => one.category), ...(content.detector.categories || [])])];
  const { x1, y1, x2, y2 } = draft.box;
  const side = (name) => html`<label>${name} <input type="number" step="any" value=${draft.box[name]} onInput=${(event) => onDraft({ ...draft, box: { ...draft.box, [name]: parseFloat(event.target.value) } })} /></label>`;
  const add = async (event) => {
    event.preventDefault();
    const made = await send({ kind: "box", action: "set", track_id: null, category: category.trim(), boxes: [{ time_s: draft.time, box_xyxy: [x1, y1, x2, y2] }] });
    if (made) onDraft(null);
  };
  return html`<form class="forms" aria-label="New box" onSubmit=${add}><h3>New box at ${draft.time.toFixed(2)} s</h3>
    <p class="note">Draw it in the picture, or give its sides in pixels.</p>
    <div class="form-row"><label>What is it? <input type="text" list="new-categories" maxlength="60" required value=${category} onInput=${(event) => setCategory(event.target.value)} /></label>
      <datalist id="new-categories">${categories.map((one) => html`<option value=${one} />`)}</datalist>
      ${["x1", "y1", "x2", "y2"].map(side)}
      <button class="button small primary" disabled=${busy || !category.trim() || !(x2 > x1) || !(y2 > y1)}>Add box</button>
      <button type="button" class="button small quiet" onClick=${() => onDraft(null)}>Cancel</button></div></form>`;
}

// A form is made anew when what it is about has changed: it must never send what was there before.
const formOf = (track, { time, box }) => [track.track_id, track.category, track.role, time, box.x1, box.y1, box.x2, box.y2].join(" ");

function TrackForm({ track, chosen, time, content, names, send, busy }) {
  const id = track.track_id;
  const others = content.tracks.filter((one) => one.track_id !== id);
  const [category, setCategory] = useState(track.category);
  const [role, setRole] = useState(track.role || "");
  const [other, setOther] = useState(others[0]?.track_id ?? null);
  const [box, setBox] = useState([chosen.box.x1, chosen.box.y1, chosen.box.x2, chosen.box.y2].map(two));
  const [predicate, setPredicate] = useState("near");
  const [from, setFrom] = useState(two(time)), [to, setTo] = useState(two(Math.min(time + 1, content.duration_s)));
  const set = (change) => () => send({ track_id: id, ...change });
  const side = (n) => html`<label>${["x1", "y1", "x2", "y2"][n]} <input type="number" step="any" value=${box[n]} onInput=${(event) => setBox(box.map((one, k) => (k === n ? parseFloat(event.target.value) : one)))} /></label>`;
  const roles = [...new Set([...ROLES, ...content.tracks.map((one) => one.role).filter((one) => one && !one.includes("-proxy"))])];
  const categories = [...new Set([...content.tracks.map((one) => one.category), ...(content.detector.categories || [])])];
  return html`<div class="forms" aria-label=${`Track ${names.get(id)}`} role="group">
    <h3>${names.get(id)}</h3>
    <div class="form-row"><label>Category <input type="text" list="categories" maxlength="60" value=${category} onInput=${(event) => setCategory(event.target.value)} /></label>
      <datalist id="categories">${categories.map((one) => html`<option value=${one} />`)}</datalist>
      <button class="button small" disabled=${busy || !category.trim() || category.trim() === track.category} onClick=${set({ kind: "category", action: "set", category: category.trim() })}>Change category</button></div>
    <div class="form-row"><label>Role <select value=${role} onChange=${(event) => setRole(event.target.value)}><option value="" selected=${role === ""}>none</option>${roles.map((one) => html`<option value=${one} selected=${one === role}>${one}</option>`)}</select></label>
      <button class="button small" disabled=${busy || role === (track.role || "")} onClick=${set({ kind: "role", action: "set", role: role || null })}>Change role</button></div>
    <fieldset><legend>Box at ${chosen.time.toFixed(2)} s</legend><div class="form-row">${[0, 1, 2, 3].map(side)}
      <button class="button small" disabled=${busy || box.some(Number.isNaN)} onClick=${set({ kind: "box", action: "set", boxes: [{ time_s: chosen.time, box_xyxy: box }] })}>Move box</button>
      <button class="button small danger" disabled=${busy} onClick=${set({ kind: "box", action: "delete", begin_s: chosen.time })}>Delete box here</button>
      <button class="button small danger" disabled=${busy} onClick=${set({ kind: "box", action: "delete" })}>Delete track</button></div></fieldset>
    <fieldset><legend>Identity at ${chosen.time.toFixed(2)} s</legend><div class="form-row">
      <button class="button small" disabled=${busy} onClick=${set({ kind: "identity", action: "split", at_s: chosen.time })}>Split here</button>
      ${others.length > 0 && html`<label>and <select onChange=${(event) => setOther(Number(event.target.value))}>${others.map((one) => html`<option value=${one.track_id} selected=${one.track_id === other}>${names.get(one.track_id)}</option>`)}</select></label>
        <button class="button small" disabled=${busy} onClick=${set({ kind: "identity", action: "exchange", other_track_id: other, at_s: chosen.time })}>Exchange from here</button>
        <button class="button small" disabled=${busy} onClick=${set({ kind: "identity", action: "merge", other_track_id: other })}>Merge</button>`}</div></fieldset>
    ${others.length > 0 && html`<fieldset><legend>A bout with ${names.get(other)}</legend><div class="form-row">
      <label>Kind <select onChange=${(event) => setPredicate(event.target.value)}>${PREDICATES.map((one) => html`<option value=${one} selected=${one === predicate}>${words(one)}</option>`)}</select></label>
      <label>from <input type="number" step="0.01" min="0" value=${from} onInput=${(event) => setFrom(parseFloat(event.target.value))} /></label>
      <label>to <input type="number" step="0.01" min="0" value=${to} onInput=${(event) => setTo(parseFloat(event.target.value))} /></label>
      <button class="button small" disabled=${busy || !(to > from)} onClick=${() => send({ kind: "bout", action: "add", subject_track_id: id, predicate, object_track_id: other, begin_s: from, end_s: to })}>Add bout</button></div></fieldset>`}
  </div>`;
}

function BoutForm({ bout, time, names, send, busy, onBout }) {
  const [begin, setBegin] = useState(two(bout.edited?.[0] ?? bout.begin)), [end, setEnd] = useState(two(bout.edited?.[1] ?? bout.end));
  const about = bout.tracks.map((id) => names.get(id)).join(", ");
  const done = async (change) => (await send(change)) && onBout(null);
  if (bout.event) {
    const event = { kind: "event", event: bout.event, track_ids: bout.tracks, begin_s: bout.begin };
    return html`<div class="forms" role="group" aria-label="Event"><h3>${words(bout.event)}: ${about} at ${bout.begin.toFixed(2)} s</h3><div class="form-row">
      <button class="button small" disabled=${busy} onClick=${() => done({ ...event, action: "move", new_begin_s: time })}>Move to ${time.toFixed(2)} s</button>
      <button class="button small danger" disabled=${busy} onClick=${() => done({ ...event, action: "remove" })}>Remove event</button></div></div>`;
  }
  const target = { kind: "bout", subject_track_id: bout.tracks[0], predicate: bout.predicate, object_track_id: bout.tracks[1], begin_s: bout.begin, end_s: bout.end };
  return html`<div class="forms" role="group" aria-label="Bout"><h3>${words(bout.predicate)}: ${about}</h3><div class="form-row">
    <label>begins <input type="number" step="0.01" min="0" value=${begin} onInput=${(event) => setBegin(parseFloat(event.target.value))} /></label>
    <button class="button small quiet" onClick=${() => setBegin(two(time))}>now</button>
    <label>ends <input type="number" step="0.01" min="0" value=${end} onInput=${(event) => setEnd(parseFloat(event.target.value))} /></label>
    <button class="button small quiet" onClick=${() => setEnd(two(time))}>now</button>
    <button class="button small" disabled=${busy || !(end > begin)} onClick=${() => done({ ...target, action: "move", new_begin_s: begin, new_end_s: end })}>Move edges</button>
    <button class="button small danger" disabled=${busy} onClick=${() => done({ ...target, action: "remove" })}>Remove bout</button></div>
    <p class="note">Or drag the edges of the marked bout in the timeline.</p></div>`;
}

function List({ list, names, undo, busy }) {
  if (!list) return null;
  const rows = list.corrections.filter((one) => one.kind !== "undo").reverse();
  return html`<div class="made"><h3>Corrections</h3>
    ${rows.length === 0 && html`<p class="note">None yet. The machine's values stay as they are; corrections lie beside them and can be undone.</p>`}
    <ul>${rows.map((one) => html`<li key=${one.id} class=${one.state}>
      <span>#${one.id} ${sentenceOf(one, names)}</span>
      <span class="note">${one.who}, ${day(one.made_at)}${one.state === "applied" ? "" : `; ${one.state}${one.reason ? `: ${one.reason}` : ""}`}</span>
      ${one.undone_by === null
        ? html`<button class="button small quiet" disabled=${busy} onClick=${() => undo(one.id)} aria-label=${`Undo correction ${one.id}`}>Undo</button>`
        : html`<button class="button small quiet" disabled=${busy} onClick=${() => undo(one.undone_by)} aria-label=${`Restore correction ${one.id}`}>Restore</button>`}</li>`)}</ul></div>`;
}

function sentenceOf(one, names) {
  const { target, old, new: now } = one;
  const named = (id) => names.get(id) || `track ${id}`;
  const at = (value) => clock(value, 2);
  switch (`${one.kind} ${one.action}`) {
    case "box set": return now.category ? `New ${now.category} at ${at(now.boxes[0].time_s)}` : `Box of ${named(target.track_id)} moved at ${at(now.boxes[0].time_s)}`;
    case "box delete": return target.begin_s === null ? `${named(target.track_id)} deleted` : `Box of ${named(target.track_id)} deleted at ${at(target.begin_s)}`;
    case "category set": return `Track ${target.track_id}: ${old.category} is ${now.category}`;
    case "role set": return `Track ${target.track_id}: ${old.role || "no role"} is ${now.role || "nobody of a role"}`;
    case "identity split": return `${named(target.track_id)} split at ${at(target.at_s)}`;
    case "identity merge": return `${named(target.other_track_id)} merged with ${named(target.track_id)}`;
    case "identity exchange": return `${named(target.track_id)} and ${named(target.other_track_id)} exchanged from ${at(target.at_s)}`;
    case "bout move": return `${words(target.predicate)} of ${named(target.subject_track_id)} and ${named(target.object_track_id)}: ${at(target.begin_s)}–${at(target.end_s)} is ${at(now.new_begin_s)}–${at(now.new_end_s)}`;
    case "bout add": case "bout remove": return `${words(target.predicate)} of ${named(target.subject_track_id)} and ${named(target.object_track_id)} ${one.action === "add" ? "added" : "removed"}, ${at(target.begin_s)}–${at(target.end_s)}`;
    case "event move": return `${words(target.event)} at ${at(target.begin_s)} is at ${at(now.new_begin_s)}`;
    default: return `${words(target.event || one.kind)} ${one.action === "add" ? "added" : "removed"} at ${at(target.begin_s)}`;
  }
}
