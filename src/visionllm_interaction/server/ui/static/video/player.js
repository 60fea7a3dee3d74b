// A video with the detections of its frames drawn over it, and its timeline below.
// The boxes are those of the last processed frame: only detections are drawn.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { mayChange, useMe } from "../shared/me.js";
import { Cameras, camerasBeside } from "./cameras.js";
import { CodingBesideModel, useComparisons } from "./coding_beside_model.js";
import { CorrectionPanel, useCorrections } from "./corrections.js";
import { clock } from "../shared/format.js";
import { useSource } from "../shared/video_source.js";
import { People } from "./people.js";
import { TimeNotKnown } from "./time_not_known.js";
import { Timeline } from "./timeline.js";
import { TimelineModel } from "./timeline_model.js";

const CHUNK_S = 30;
const CHUNKS = 6;
const AGAIN_MS = 2000;
const FACTS_EVERY_MS = 200;
const MOST_FACTS = 10;
const NONE = [];
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];

// The detections around the time that is shown; older ones are forgotten. What failed is asked for again.
class Boxes {
  constructor(id, duration, changed, failed) {
    Object.assign(this, { id, duration, changed, failed, time: 0 });
    this.chunks = new Map();
    this.requests = new Map(); // chunk → its request; an answer counts only while its request stands here
  }

  load(t) {
    this.time = t;
    const here = Math.floor(t / CHUNK_S);
    for (const n of [here, here + 1]) {
      if (n * CHUNK_S <= this.duration && !this.requests.has(n) && !this.chunks.has(n)) this.ask(n);
    }
  }

  async ask(n) {
    const request = {};
    this.requests.set(n, request);
    const counts = () => this.requests.get(n) === request;
    try {
      const columns = await api(videoPath(this.id, `/detections?begin_s=${n * CHUNK_S}&end_s=${(n + 1) * CHUNK_S}`));
      if (!counts()) return;
      this.requests.delete(n);
      this.keep(n, byFrame(columns));
    } catch (problem) {
      if (!counts()) return;
      this.failed(problem);
      if (problem.status > 0 && problem.status < 500) return; // it would be refused again
      setTimeout(() => {
        if (!counts()) return;
        this.requests.delete(n);
        this.load(this.time);
      }, AGAIN_MS);
    }
  }

  keep(n, frames) {
    const here = Math.floor(this.time / CHUNK_S);
    this.chunks.set(n, frames);
    for (const old of this.chunks.keys()) if (this.chunks.size > CHUNKS && Math.abs(old - here) > 2) this.chunks.delete(old);
    this.failed(null);
    this.changed();
  }

  // The last processed frame at a time; null where it is not loaded.
  frame(time) {
    const t = time + 0.001;
    const here = Math.floor(t / CHUNK_S);
    for (const n of [here, here - 1]) {
      const frame = this.chunks.get(n)?.findLast((one) => one.time <= t);
      if (frame) return frame;
    }
    return null;
  }

  at(time) {
    return this.frame(time)?.boxes || [];
  }

  // Forget what was loaded: it has been corrected.
  reload(time) {
    this.close();
    this.load(time);
  }

  close() {
    this.chunks.clear();
    this.requests.clear();
  }

  // The time of the processed frame after or before a time; null where it is not loaded.
  neighbour(time, step) {
    const here = Math.floor(time / CHUNK_S);
    const frames = [here - 1, here, here + 1].flatMap((n) => this.chunks.get(n) || []);
    const found = step > 0 ? frames.find((one) => one.time > time + 0.002) : frames.findLast((one) => one.time < time - 0.002);
    return found ? found.time : null;
  }
}

function byFrame(columns) {
  const frames = new Map(columns.processed_s.map((time) => [time, { time, boxes: [] }]));
  columns.timestamp_s.forEach((time, n) => {
    if (!frames.has(time)) frames.set(time, { time, boxes: [] });
    frames.get(time).boxes.push({
      track: columns.track_id[n], category: columns.category[n], confidence: columns.confidence[n], interpolated: columns.interpolated[n],
      x1: columns.x1[n], y1: columns.y1[n], x2: columns.x2[n], y2: columns.y2[n],
    });
  });
  return [...frames.values()].sort((a, b) => a.time - b.time);
}

// early: a promise of the timeline, or of null where it has to be asked for again; handle.current gets {showInterval}.
export function Player({ video, early, show, handle }) {
  const [content, setContent] = useState(null);
  const [problem, setProblem] = useState(null);
  const read = () => api(videoPath(video.video_id, "/timeline")).then(setContent, setProblem);
  useEffect(() => {
    early.then((found) => (found ? setContent(found) : read()));
  }, [video.video_id]);
  if (problem) return html`<div class="player"><p class="panel refused" role="alert">${problem.words}</p></div>`;
  if (!content) return html`<div class="player"><p class="panel">Loading …</p></div>`;
  return html`<${Loaded} video=${video} content=${content} show=${show} handle=${handle} changed=${read} />`;
}

function Loaded({ video, content, show, handle, changed }) {
  const player = useRef(null), canvas = useRef(null), timeline = useRef(null);
  const state = useRef({ time: 0, marked: [], interval: null, factsAt: 0, chosen: null }).current;
  const [facts, setFacts] = useState([]);
  const [time, setTime] = useState(0);
  const [looping, setLooping] = useState(false);
  const [playing, setPlaying] = useState(false);
  const [sound, setSound] = useState(false);
  const stage = useRef(null);
  const toggle = () => (player.current.paused ? player.current.play().catch(() => {}) : player.current.pause());
  const [hasInterval, setHasInterval] = useState(false);
  const [problem, setProblem] = useState(null);
  const loop = useRef(false);
  loop.current = looping;
  const [source, failed] = useSource(video);
  const comparisons = useComparisons(video.video_id, content);
  const compared = comparisons.found?.comparisons || NONE;
  // A corrected video has a new timeline; what is shown of it stays.
  if (state.content !== content || state.compared !== compared) Object.assign(state, { content, compared, model: new TimelineModel(content, compared) });
  const model = state.model;
  const [boxes] = useState(() => new Boxes(video.video_id, content.duration_s, () => state.loaded(), setProblem));
  const [, setLoads] = useState(0);
  const [correcting, setCorrecting] = useState(false);
  const [chosen, setChosen] = useState(null);
  const [bout, setBout] = useState(null);
  const [draft, setDraft] = useState(null);
  const may = mayChange(useMe());
  const corrections = useCorrections(video.video_id, () => {
    boxes.reload(state.time);
    changed();
  });
  state.chosen = correcting ? chosen : null;
  state.correcting = correcting;
  state.draft = correcting ? draft : null;
  // After each frame that is shown or loaded the chosen box is the one of this frame.
  const renew = () => {
    if (!state.chosen || state.grip) return;
    const frame = boxes.frame(state.time);
    const own = frame?.boxes.find((one) => one.track === state.chosen.track);
    if (!frame || (own === undefined && state.chosen.time === frame.time)) return;
    if (!own) return setChosen(null);
    if (state.chosen.time !== frame.time || ["x1", "y1", "x2", "y2"].some((side) => own[side] !== state.chosen.box[side])) setChosen({ track: own.track, box: own, time: frame.time });
  };
  state.loaded = () => {
    renew();
    draw();
    setLoads((before) => before + 1); // the list of boxes is made anew, although the time is the same
  };
  const draw = () => drawBoxes(canvas.current, boxes.at(state.time), { content: state.content, marked: state.marked, model: state.model, chosen: state.chosen, draft: state.draft });
  const choose = (box) => setChosen(box ? { track: box.track, box, time: boxes.frame(state.time).time } : null);
  useEffect(() => draw(), [chosen, correcting, content, draft]);
  const edit = usePicture({ canvas, state, boxes, content, choose, draw, send: corrections.send, setDraft });
  const keys = (event) => {
    const typing = ["INPUT", "TEXTAREA", "SELECT"].includes(event.target.tagName) && event.target.type !== "range";
    if (!state.correcting || typing || event.key.toLowerCase() !== "z" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
    event.preventDefault();
    const last = corrections.last();
    if (last) corrections.undo(last);
  };
  useEffect(() => {
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  });
  const beside = useRef(null);
  const [side, setSide] = useState(true);
  const inStep = () => beside.current?.(state.time, { playing: Boolean(player.current && !player.current.paused), rate: player.current?.playbackRate || 1 });
  const told = (t, follow) => {
    state.time = t;
    inStep();
    boxes.load(t);
    renew();
    draw();
    timeline.current?.moveHead(t, follow);
    const at = performance.now();
    if (at - state.factsAt > FACTS_EVERY_MS || !follow) {
      state.factsAt = at;
      setFacts(state.model.at(t));
      setTime(t);
    }
  };
  const seek = (t) => {
    // half a millisecond past the time stamp, so that rounding never lands on the frame before it
    if (player.current) player.current.currentTime = t + 0.0005;
    told(t, false);
  };
  const showInterval = (begin, end, tracks, about) => {
    setBout(about ? { begin, end, tracks, ...about } : null);
    state.interval = [begin, Math.max(end ?? begin, begin)];
    state.marked = tracks || [];
    setHasInterval(true);
    timeline.current?.mark(state.interval, state.marked);
    seek(begin);
  };
  const clear = () => {
    state.interval = null;
    state.marked = [];
    setBout(null);
    setHasInterval(false);
    setLooping(false);
    timeline.current?.mark(null, []);
    draw();
  };
  const step = (direction) => {
    player.current?.pause();
    const there = boxes.neighbour(state.time, direction);
    seek(Math.min(Math.max(there ?? state.time + direction / 25, 0), content.duration_s));
  };
  useEffect(() => {
    handle.current = { showInterval };
    if (show) showInterval(show[0], show[1], []);
    else told(0, false);
    const watcher = new ResizeObserver(() => draw());
    if (canvas.current) watcher.observe(canvas.current);
    return () => {
      watcher.disconnect();
      boxes.close();
    };
  }, []);
  useEffect(() => {
    const film = player.current;
    if (!film) return undefined;
    let gone = false;
    const next = (_, frame) => {
      if (gone) return;
      const t = frame ? frame.mediaTime : film.currentTime;
      if (loop.current && state.interval && t >= state.interval[1] - 0.01 && state.interval[1] > state.interval[0]) film.currentTime = state.interval[0] + 0.0005;
      told(t, !film.paused);
      wait();
    };
    const wait = () => (film.requestVideoFrameCallback ? film.requestVideoFrameCallback(next) : requestAnimationFrame(() => next()));
    wait();
    return () => (gone = true);
  }, [source]);
  const ready = () => {
    const at = state.interval ? state.interval[0] : state.time;
    if (at > 0) player.current.currentTime = at + 0.0005;
    draw();
  };
  const shape = (place) => {
    stage.current = place;
    if (!place) return;
    place.style.aspectRatio = `${content.width} / ${content.height}`;
    place.style.maxWidth = `calc(62vh * ${content.width / content.height})`;
  };
  return html`<div class="player">
    <section class="panel stage-panel" aria-label="Player">
      ${video.playable && source && html`<div class=${correcting ? "stage correcting" : "stage"} ref=${shape}>
        <video ref=${player} src=${source} muted=${!sound} playsinline preload="auto" onClick=${toggle} onPlay=${() => setPlaying(true)} onPause=${() => (setPlaying(false), inStep())} aria-label=${`Video ${video.name || video.video_id}`}
          onTimeUpdate=${() => told(player.current.currentTime, !player.current.paused)} onSeeked=${() => told(player.current.currentTime, false)} onLoadedData=${ready} onError=${failed}></video>
        <canvas ref=${canvas} aria-hidden="true" ...${correcting ? edit : {}}></canvas>
      </div>`}
      ${video.playable && source && side && camerasBeside(content, video.video_id).length > 0 && html`<${Cameras} content=${content} id=${video.video_id} handle=${beside} />`}
      ${video.playable && !source && html`<p class="note" role="status">A copy that browsers can play is being made …</p>`}
      ${!video.playable && html`<p class="note">No copy of this video is kept here, so it cannot be played; its results are below. To play it, upload it, or name its folder in <code>serve.media_dirs</code>.</p>`}
      ${source === null && html`<p class="refused">This browser cannot play the video; the timeline works all the same.</p>`}
      <div class="now">
        <span class="clock">${clock(time, 2)}</span>
        ${video.playable && html`<span class="tools">
          <button class="button small play" onClick=${toggle}>${playing ? "Pause" : "Play"}</button>
          <button class="button small" onClick=${() => step(-1)} aria-label="Previous processed frame" title="Previous processed frame">◂▮</button>
          <button class="button small" onClick=${() => step(1)} aria-label="Next processed frame" title="Next processed frame">▮▸</button>
          <label>Speed <select aria-label="Speed" onChange=${(event) => (player.current.playbackRate = parseFloat(event.target.value))}>${SPEEDS.map((one) => html`<option value=${one} selected=${one === 1}>${one}×</option>`)}</select></label>
          <button class="button small" aria-pressed=${sound} onClick=${() => setSound(!sound)}>Sound</button>
          <button class="button small" onClick=${() => stage.current?.requestFullscreen?.()} >Full screen</button>
          ${camerasBeside(content, video.video_id).length > 0 && html`<button class="button small" aria-pressed=${side} onClick=${() => setSide(!side)}>Other cameras</button>`}
          ${hasInterval && html`<label><input type="checkbox" checked=${looping} onChange=${(event) => setLooping(event.target.checked)} /> loop this bout</label> <button class="button small quiet" onClick=${clear}>Clear</button>`}
        </span>`}
        ${may && html`<button class="button small" aria-pressed=${correcting} onClick=${() => setCorrecting(!correcting)}>Correct</button>`}
        ${facts.slice(0, MOST_FACTS).map((fact) => html`<${Fact} key=${fact.text} fact=${fact} />`)}
        ${facts.length > MOST_FACTS && html`<span class="note">and ${facts.length - MOST_FACTS} more</span>`}
      </div>
      ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    </section>
    ${content.session && html`<${Session} content=${content} id=${video.video_id} time=${time} />`}
    ${correcting && html`<${CorrectionPanel} content=${content} corrections=${corrections} chosen=${chosen} bout=${bout} boxes=${boxes.at(state.time)} time=${time} draft=${draft} onDraft=${setDraft} onChoose=${choose} onBout=${(next) => (next ? setBout(next) : clear())} />`}
    <${Timeline} model=${model} handle=${timeline} kept=${state} edge=${correcting && bout && !bout.event ? (begin, end) => setBout({ ...bout, edited: [begin, end] }) : null} onSeek=${seek} onShow=${showInterval} onClear=${clear} />
    <${CodingBesideModel} comparisons=${comparisons} onShow=${showInterval} />
    <${People} id=${video.video_id} source=${video.playable ? source : null} may=${may} corrections=${corrections} changed=${changed} />
    <${TimeNotKnown} content=${content} onShow=${showInterval} />
  </div>`;
}

function Fact({ fact }) {
  return html`<span class="fact" ref=${(place) => place && (place.style.borderColor = fact.colour)}>${fact.text}</span>`;
}

const REACH = 9;
const CORNERS = [["x1", "y1"], ["x2", "y1"], ["x1", "y2"], ["x2", "y2"]];

// Choosing a box in the picture, and dragging its corners. On release the box is sent as corrected.
function usePicture({ canvas, state, boxes, content, choose, draw, send, setDraft }) {
  const place = (event) => {
    const frame = canvas.current.getBoundingClientRect();
    const zoom = content.width / frame.width;
    return { x: (event.clientX - frame.left) * zoom, y: (event.clientY - frame.top) * zoom, reach: REACH * zoom };
  };
  const corner = ({ x, y, reach }) => {
    const box = state.chosen?.box;
    return box && CORNERS.find(([a, b]) => Math.abs(box[a] - x) <= reach && Math.abs(box[b] - y) <= reach);
  };
  const under = ({ x, y }) => {
    const hit = boxes.at(state.time).filter((one) => one.track >= 0 && x >= one.x1 && x <= one.x2 && y >= one.y1 && y <= one.y2);
    return hit.sort((a, b) => (a.x2 - a.x1) * (a.y2 - a.y1) - (b.x2 - b.x1) * (b.y2 - b.y1))[0];
  };
  return {
    onPointerDown: (event) => {
      const at = place(event);
      if (state.draft) {
        state.grip = { from: at };
        return canvas.current.setPointerCapture(event.pointerId);
      }
      const found = corner(at);
      if (!found) return choose(under(at));
      state.grip = { corner: found, box: { ...state.chosen.box } };
      return canvas.current.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event) => {
      const at = place(event);
      if (state.grip?.from) {
        state.draft = { ...state.draft, box: sidesBetween(state.grip.from, at, content) };
        return draw();
      }
      canvas.current.style.cursor = !state.draft && corner(at) ? "nwse-resize" : "crosshair";
      if (!state.grip) return undefined;
      const [a, b] = state.grip.corner;
      const box = { ...state.grip.box };
      box[a] = Math.min(Math.max(at.x, 0), content.width);
      box[b] = Math.min(Math.max(at.y, 0), content.height);
      state.grip.now = box;
      state.chosen = { ...state.chosen, box };
      return draw();
    },
    onPointerUp: () => {
      const { grip, chosen } = state;
      state.grip = null;
      if (grip?.from) return setDraft({ ...state.draft, time: boxes.frame(state.time)?.time ?? state.time });
      const box = grip?.now;
      if (!box) return undefined;
      const sides = [Math.min(box.x1, box.x2), Math.min(box.y1, box.y2), Math.max(box.x1, box.x2), Math.max(box.y1, box.y2)].map((one) => Math.round(one * 10) / 10);
      return send({ kind: "box", action: "set", track_id: chosen.track, boxes: [{ time_s: chosen.time, box_xyxy: sides }] });
    },
    onPointerCancel: () => {
      state.grip = null;
    },
  };
}

// A box between two places of the picture, within it; in pixels of the video.
function sidesBetween(a, b, { width, height }) {
  const within = (value, most) => Math.round(10 * Math.min(Math.max(value, 0), most)) / 10;
  return {
    x1: within(Math.min(a.x, b.x), width), y1: within(Math.min(a.y, b.y), height),
    x2: within(Math.max(a.x, b.x), width), y2: within(Math.max(a.y, b.y), height),
  };
}

function drawBoxes(canvas, boxes, { content, marked, model, chosen, draft }) {
  if (!canvas) return;
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, w, h);
  const zoom = w / content.width;
  for (const box of boxes) {
    // Detections that began no track are noise below the confidence with which tracks begin.
    if (box.track < 0 && box.confidence < content.min_confidence) continue;
    const dim = marked.length > 0 && !marked.includes(box.track);
    const own = chosen && chosen.track === box.track;
    if (own) drawChosen(pen, chosen.box, zoom);
    drawBox(pen, own ? { ...box, ...sidesOf(chosen.box) } : box, { zoom, dim, colour: model.colours.get(box.track) || "#9aa7b3", name: model.names.get(box.track) || box.category });
  }
  if (draft?.box) drawChosen(pen, draft.box, zoom);
}

const sidesOf = ({ x1, y1, x2, y2 }) => ({ x1, y1, x2, y2 });

function drawChosen(pen, box, zoom) {
  pen.setLineDash([]);
  pen.lineWidth = 6;
  pen.strokeStyle = "#ffffffcc";
  pen.strokeRect(box.x1 * zoom, box.y1 * zoom, (box.x2 - box.x1) * zoom, (box.y2 - box.y1) * zoom);
  for (const [a, b] of CORNERS) {
    pen.fillStyle = "#fff";
    pen.fillRect(box[a] * zoom - 6, box[b] * zoom - 6, 12, 12);
    pen.fillStyle = "#14405f";
    pen.fillRect(box[a] * zoom - 4, box[b] * zoom - 4, 8, 8);
  }
}

function drawBox(pen, box, { zoom, dim, colour, name }) {
  const [x, y, w, h] = [box.x1 * zoom, box.y1 * zoom, (box.x2 - box.x1) * zoom, (box.y2 - box.y1) * zoom];
  pen.globalAlpha = dim ? 0.35 : 1;
  pen.lineWidth = 2;
  pen.strokeStyle = colour;
  pen.setLineDash(box.track < 0 || box.interpolated ? [5, 4] : []);
  pen.strokeRect(x, y, w, h);
  const text = `${name} ${Math.round(box.confidence * 100)}%`;
  pen.font = "600 12px system-ui, sans-serif";
  const top = y >= 18 ? y - 18 : y, wide = pen.measureText(text).width + 8;
  const left = Math.max(0, Math.min(x - 1, pen.canvas.clientWidth - wide)); // whole, also at the right edge
  pen.fillStyle = colour;
  pen.fillRect(left, top, wide, 18);
  pen.fillStyle = "#10161c";
  pen.fillText(text, left + 4, top + 13);
  pen.globalAlpha = 1;
}

function Session({ content, id, time }) {
  const { session } = content;
  const whole = Math.max(...session.videos.map((one) => one.end_s));
  const cameras = [...new Set(session.videos.map((one) => one.camera || ""))];
  const placed = (one) => (link) => {
    if (!link) return;
    link.style.left = `${(100 * one.begin_s) / whole}%`;
    link.style.width = `${(100 * (one.end_s - one.begin_s)) / whole}%`;
  };
  return html`<section class="panel session" aria-labelledby="session-title">
    <h2 id="session-title">Session ${session.session}</h2>
    ${cameras.map((camera) => html`<div class="session-row">
      ${camera && html`<span class="session-camera">${camera}</span>`}
      <div class="session-track">${session.videos.filter((one) => (one.camera || "") === camera).map((one) => html`<a class=${one.video_id === id ? "here" : ""} ref=${placed(one)}
        href=${`/ui${videoPath(one.video_id)}`} title=${`${one.name}, from ${one.begin_s.toFixed(2)} s to ${one.end_s.toFixed(2)} s`}>${one.name}</a>`)}</div>
    </div>`)}
    <p class="note">${(session.offset_s + time).toFixed(2)} s of the session; it lasts ${whole.toFixed(2)} s.</p>
  </section>`;
}
