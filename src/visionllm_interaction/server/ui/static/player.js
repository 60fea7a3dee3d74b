// A video with the detections of its frames drawn over it, and its timeline below.
// The boxes are those of the last processed frame: only detections are drawn.
import { html, useEffect, useRef, useState } from "./vendor/htm-preact.js";
import { api, videoPath } from "./api.js";
import { clock } from "./format.js";
import { Timeline } from "./timeline.js";
import { TimelineModel } from "./timeline_model.js";

const CHUNK_S = 30;
const CHUNKS = 6;
const FACTS_EVERY_MS = 200;
const MOST_FACTS = 10;
const COPY_POLL_MS = 2000;
const SPEEDS = [0.25, 0.5, 1, 1.5, 2, 4];

// The detections around the time that is shown; older ones are forgotten.
class Boxes {
  constructor(id, duration, changed, failed) {
    Object.assign(this, { id, duration, changed, failed });
    this.chunks = new Map();
    this.loading = new Set();
  }

  load(t) {
    const here = Math.floor(t / CHUNK_S);
    for (const n of [here, here + 1]) {
      if (n * CHUNK_S > this.duration || this.loading.has(n) || this.chunks.has(n)) continue;
      this.loading.add(n);
      api(videoPath(this.id, `/detections?begin_s=${n * CHUNK_S}&end_s=${(n + 1) * CHUNK_S}`)).then((columns) => {
        this.chunks.set(n, byFrame(columns));
        for (const old of this.chunks.keys()) if (this.chunks.size > CHUNKS && Math.abs(old - here) > 2) this.chunks.delete(old);
        this.changed();
      }, this.failed).finally(() => this.loading.delete(n));
    }
  }

  at(time) {
    const t = time + 0.001;
    const here = Math.floor(t / CHUNK_S);
    for (const n of [here, here - 1]) {
      const frame = this.chunks.get(n)?.findLast((one) => one.time <= t);
      if (frame) return frame.boxes;
    }
    return [];
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

// handle.current gets {showInterval}.
export function Player({ video, show, handle }) {
  const [content, setContent] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    api(videoPath(video.video_id, "/timeline")).then(setContent, setProblem);
  }, [video.video_id]);
  if (problem) return html`<div class="player"><p class="panel refused" role="alert">${problem.words}</p></div>`;
  if (!content) return html`<div class="player"><p class="panel">Loading …</p></div>`;
  return html`<${Loaded} video=${video} content=${content} show=${show} handle=${handle} />`;
}

function Loaded({ video, content, show, handle }) {
  const player = useRef(null), canvas = useRef(null), timeline = useRef(null);
  const state = useRef({ time: 0, marked: [], interval: null, factsAt: 0 }).current;
  const [facts, setFacts] = useState([]);
  const [time, setTime] = useState(0);
  const [looping, setLooping] = useState(false);
  const [hasInterval, setHasInterval] = useState(false);
  const [problem, setProblem] = useState(null);
  const loop = useRef(false);
  loop.current = looping;
  const [source, failed] = useSource(video);
  const [model] = useState(() => new TimelineModel(content));
  const [boxes] = useState(() => new Boxes(video.video_id, content.duration_s, () => draw(), setProblem));

  const draw = () => drawBoxes(canvas.current, boxes.at(state.time), { content, marked: state.marked, model });
  const told = (t, follow) => {
    state.time = t;
    boxes.load(t);
    draw();
    timeline.current?.moveHead(t, follow);
    const at = performance.now();
    if (at - state.factsAt > FACTS_EVERY_MS || !follow) {
      state.factsAt = at;
      setFacts(model.at(t));
      setTime(t);
    }
  };
  const seek = (t) => {
    // half a millisecond past the time stamp, so that rounding never lands on the frame before it
    if (player.current) player.current.currentTime = t + 0.0005;
    told(t, false);
  };
  const showInterval = (begin, end, tracks) => {
    state.interval = [begin, Math.max(end ?? begin, begin)];
    state.marked = tracks || [];
    setHasInterval(true);
    timeline.current?.mark(state.interval, state.marked);
    seek(begin);
  };
  const clear = () => {
    state.interval = null;
    state.marked = [];
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
    return () => watcher.disconnect();
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
      follow();
    };
    const follow = () => (film.requestVideoFrameCallback ? film.requestVideoFrameCallback(next) : requestAnimationFrame(() => next()));
    follow();
    return () => (gone = true);
  }, [source]);
  const ready = () => {
    const at = state.interval ? state.interval[0] : state.time;
    if (at > 0) player.current.currentTime = at + 0.0005;
    draw();
  };
  const shape = (stage) => {
    if (!stage) return;
    stage.style.aspectRatio = `${content.width} / ${content.height}`;
    stage.style.maxWidth = `calc(62vh * ${content.width / content.height})`;
  };
  return html`<div class="player">
    <section class="panel stage-panel" aria-label="Player">
      ${video.playable && source && html`<div class="stage" ref=${shape}>
        <video ref=${player} src=${source} controls muted playsinline preload="auto" aria-label=${`Video ${video.name || video.video_id}`}
          onTimeUpdate=${() => told(player.current.currentTime, !player.current.paused)} onSeeked=${() => told(player.current.currentTime, false)} onLoadedData=${ready} onError=${failed}></video>
        <canvas ref=${canvas} aria-hidden="true"></canvas>
      </div>`}
      ${video.playable && !source && html`<p class="note" role="status">A copy that browsers can play is being made …</p>`}
      ${!video.playable && html`<p class="note">No copy of this video is kept here, so it cannot be played; its results are below. To play it, upload it, or name its folder in <code>serve.media_dirs</code>.</p>`}
      ${source === null && html`<p class="refused">This browser cannot play the video; the timeline works all the same.</p>`}
      <div class="now">
        <span class="clock">${clock(time, 2)}</span>
        ${video.playable && html`<span class="tools">
          <button class="button small" onClick=${() => step(-1)} aria-label="Previous processed frame" title="Previous processed frame">◂▮</button>
          <button class="button small" onClick=${() => step(1)} aria-label="Next processed frame" title="Next processed frame">▮▸</button>
          <label>Speed <select aria-label="Speed" onChange=${(event) => (player.current.playbackRate = parseFloat(event.target.value))}>${SPEEDS.map((one) => html`<option value=${one} selected=${one === 1}>${one}×</option>`)}</select></label>
          ${hasInterval && html`<label><input type="checkbox" checked=${looping} onChange=${(event) => setLooping(event.target.checked)} /> loop this bout</label> <button class="button small quiet" onClick=${clear}>Clear</button>`}
        </span>`}
        ${facts.slice(0, MOST_FACTS).map((fact) => html`<${Fact} key=${fact.text} fact=${fact} />`)}
        ${facts.length > MOST_FACTS && html`<span class="note">and ${facts.length - MOST_FACTS} more</span>`}
      </div>
      ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    </section>
    ${content.session && html`<${Session} content=${content} id=${video.video_id} time=${time} />`}
    <${Timeline} model=${model} handle=${timeline} onSeek=${seek} onShow=${showInterval} onClear=${clear} />
  </div>`;
}

function Fact({ fact }) {
  return html`<span class="fact" ref=${(place) => place && (place.style.borderColor = fact.colour)}>${fact.text}</span>`;
}

// The address to play: the file where browsers play it, else a copy; undefined while it is made, null where none plays.
function useSource(video) {
  const path = (part) => `/v1${videoPath(video.video_id, part)}`;
  const [source, setSource] = useState(video.browser_plays ? path("/file") : undefined);
  const [wanted, setWanted] = useState(!video.browser_plays && video.playable);
  useEffect(() => {
    if (!wanted) return undefined;
    let timer = null;
    const look = async () => {
      const response = await fetch(path("/copy"), { method: "HEAD" }).catch(() => null);
      if (response && response.status === 200) setSource(path("/copy"));
      else if (response && response.status !== 202) setSource(null);
      else timer = setTimeout(look, COPY_POLL_MS);
    };
    look();
    return () => clearTimeout(timer);
  }, [wanted]);
  const failed = () => {
    if (wanted) return setSource(null);
    setSource(undefined);
    return setWanted(true);
  };
  return [source, failed];
}

function drawBoxes(canvas, boxes, { content, marked, model }) {
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
    drawBox(pen, box, { zoom, dim, colour: model.colours.get(box.track) || "#9aa7b3", name: model.names.get(box.track) || box.category });
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
  const top = y >= 18 ? y - 18 : y;
  pen.fillStyle = colour;
  pen.fillRect(x - 1, top, pen.measureText(text).width + 8, 18);
  pen.fillStyle = "#10161c";
  pen.fillText(text, x + 3, top + 13);
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
