// The timeline: rows drawn on one canvas as large as its window, so that hours and hundreds of tracks pan smoothly.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { clock } from "../shared/format.js";
import { barAt, firstAfter } from "./timeline_model.js";

const AXIS = 22;
const MIN_SPAN_S = 2;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const NAMES = ["text", "muted", "line", "unknown-back", "unknown-line", "panel", "mark", "row", "bout"];

// Everything drawn: where in time and rows the window is, and what is below the pointer.
export class TimelineView {
  constructor(model, canvas, scroller, changed) {
    Object.assign(this, { model, canvas, scroller, changed });
    this.begin = 0;
    this.span = model.duration;
    this.interval = null;
    this.marked = [];
    this.row = -1;
    this.waiting = false;
    this.readColours();
  }

  readColours() {
    const style = getComputedStyle(this.canvas);
    this.colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--tl-${name}`).trim()]));
    this.pattern = null;
  }

  // Draw another model of the same video; the chosen row stays, or none is chosen where it is gone.
  replace(model) {
    if (model === this.model) return;
    const chosen = this.model.rows[this.row];
    this.model = model;
    this.row = chosen ? model.rows.findIndex((one) => one.label === chosen.label && `${one.tracks}` === `${chosen.tracks}`) : -1;
    this.schedule();
  }

  resize() {
    const width = this.scroller.clientWidth, height = this.scroller.clientHeight;
    const ratio = window.devicePixelRatio || 1;
    if (!width || (this.width === width && this.height === height && this.ratio === ratio)) return;
    Object.assign(this, { width, height, ratio, left: width < 560 ? 92 : 158 });
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${height}px`;
    this.draw();
  }

  get scale() {
    return (this.width - this.left - 12) / this.span;
  }

  x(t) {
    return this.left + (t - this.begin) * this.scale;
  }

  time(x) {
    return this.begin + (x - this.left) / this.scale;
  }

  show(begin, span) {
    this.span = Math.min(Math.max(span, Math.min(MIN_SPAN_S, this.model.duration)), this.model.duration);
    this.begin = Math.min(Math.max(begin, 0), this.model.duration - this.span);
    this.changed();
    this.schedule();
  }

  zoom(factor, at) {
    const span = Math.min(Math.max(this.span * factor, MIN_SPAN_S), this.model.duration);
    this.show(at - ((at - this.begin) * span) / this.span, span);
  }

  // Move the window so that a time is in it.
  reveal(t, margin = 0.1) {
    if (t < this.begin || t > this.begin + this.span * (1 - margin)) this.show(t - this.span * margin, this.span);
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    if (!this.width) return;
    const pen = this.canvas.getContext("2d");
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = this.colours.panel;
    pen.fillRect(0, 0, this.width, this.height);
    this.drawAxis(pen);
    const top = this.scroller.scrollTop;
    pen.save();
    pen.beginPath();
    pen.rect(0, AXIS, this.width, this.height - AXIS);
    pen.clip();
    this.drawInterval(pen);
    const rows = this.model.rows;
    for (let n = this.model.rowAt(top); n < rows.length && rows[n].y - top < this.height - AXIS; n++) {
      this.drawRow(pen, rows[n], AXIS + rows[n].y - top, n === this.row);
    }
    pen.restore();
  }

  drawAxis(pen) {
    const step = STEPS.find((one) => one * this.scale >= 74) || 7200;
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (let t = Math.ceil(this.begin / step) * step; t <= this.begin + this.span + 1e-9; t += step) {
      const x = Math.round(this.x(t)) + 0.5;
      pen.fillStyle = this.colours.line;
      pen.fillRect(x, AXIS - 4, 1, this.height);
      pen.fillStyle = this.colours.muted;
      pen.fillText(clock(t, step < 1 ? 1 : 0), Math.min(Math.max(x, this.left + 12), this.width - 16), 9);
    }
    pen.textAlign = "left";
  }

  drawInterval(pen) {
    if (!this.interval) return;
    const [begin, end] = this.interval;
    pen.fillStyle = this.colours.bout;
    const from = Math.max(this.x(begin), this.left);
    const to = Math.max(this.x(end), from + 2);
    if (to > this.left) pen.fillRect(from, AXIS, to - from, this.height);
  }

  drawRow(pen, row, y, chosen) {
    const dim = this.marked.length > 0 && row.tracks.length > 0 && !row.tracks.every((id) => this.marked.includes(id));
    if (chosen) {
      pen.fillStyle = this.colours.row;
      pen.fillRect(0, y, this.width, row.height);
    }
    pen.globalAlpha = dim ? 0.3 : 1;
    this.drawLabel(pen, row, y);
    pen.save();
    pen.beginPath();
    pen.rect(this.left, y, this.width - this.left, row.height);
    pen.clip();
    if (row.gaps) this.drawGaps(pen, row.gaps, y, row.height);
    for (const layer of row.layers) this.drawLayer(pen, layer, y + row.height / 2, dim);
    if (row.marks) this.drawMarks(pen, row.marks, y + row.height / 2);
    pen.restore();
    pen.globalAlpha = 1;
  }

  drawLabel(pen, row, y) {
    pen.font = row.sub ? "11px system-ui, sans-serif" : "12.5px system-ui, sans-serif";
    pen.fillStyle = row.sub ? this.colours.muted : this.colours.text;
    const from = row.sub ? 14 : 4;
    pen.fillText(fitted(pen, row.label, this.left - from - 8), from, y + row.height / 2);
  }

  // Bars closer than half a pixel are one: a layer costs at most one rectangle per pixel.
  drawLayer(pen, layer, middle, dim) {
    pen.fillStyle = layer.colour || this.colours.muted;
    pen.globalAlpha = layer.opacity * (dim ? 0.3 : 1);
    const { begins, ends, size } = layer;
    const last = this.begin + this.span;
    let from = null, to = null;
    const flush = () => from !== null && pen.fillRect(from, middle - size / 2, Math.max(to - from, 1.5), size);
    for (let n = firstAfter(layer, this.begin); n < begins.length && begins[n] < last; n++) {
      if (ends[n] <= this.begin) continue;
      const x = Math.max(this.x(begins[n]), this.left - 2);
      const right = Math.min(this.x(ends[n]), this.width);
      if (from !== null && x <= to + 0.5) {
        to = Math.max(to, right);
        continue;
      }
      flush();
      from = x;
      to = right;
    }
    flush();
  }

  drawGaps(pen, gaps, y, height) {
    this.pattern ||= hatched(pen, this.colours);
    pen.fillStyle = this.pattern;
    const last = this.begin + this.span;
    for (let n = firstAfter(gaps, this.begin); n < gaps.begins.length && gaps.begins[n] < last; n++) {
      const x = this.x(gaps.begins[n]);
      pen.fillRect(x, y + 3, Math.max(this.x(gaps.ends[n]) - x, 1), height - 6);
    }
  }

  drawMarks(pen, marks, middle) {
    pen.fillStyle = this.colours.mark;
    let last = -10;
    for (let n = firstAfter(marks, this.begin - 1e-6); n < marks.begins.length && marks.begins[n] <= this.begin + this.span; n++) {
      const x = this.x(marks.begins[n]);
      if (x - last < 1) continue;
      last = x;
      pen.beginPath();
      pen.moveTo(x, middle - 7);
      pen.lineTo(x + 5, middle);
      pen.lineTo(x, middle + 7);
      pen.lineTo(x - 5, middle);
      pen.fill();
    }
  }

  // The bar, mark, gap or label at a place of the canvas.
  find(x, y) {
    if (y < AXIS) return null;
    const row = this.model.rows[this.model.rowAt(y - AXIS + this.scroller.scrollTop)];
    if (!row) return null;
    if (x < this.left) return { row, title: row.label };
    const reach = 3 / this.scale, t = this.time(x);
    for (const layer of [row.marks, ...[...row.layers].reverse(), row.gaps]) {
      if (!layer) continue;
      const n = barAt(layer, t, layer === row.marks ? 2 * reach : reach);
      if (n >= 0) {
        const item = layer.items[n];
        const bar = layer === row.gaps ? {} : { begin: item[0], end: item[1], tracks: layer.of ? layer.of(item) : layer.tracks, about: layer.about?.(item) };
        return { row, title: layer.title(item), ...bar };
      }
    }
    return { row };
  }
}

function fitted(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let end = text.length - 1;
  while (end > 1 && pen.measureText(`${text.slice(0, end)}…`).width > width) end -= 1;
  return `${text.slice(0, end)}…`;
}

function hatched(pen, colours) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 8;
  const drawn = tile.getContext("2d");
  drawn.fillStyle = colours["unknown-back"];
  drawn.fillRect(0, 0, 8, 8);
  drawn.strokeStyle = colours["unknown-line"];
  drawn.lineWidth = 2;
  for (const shift of [-8, 0, 8]) {
    drawn.beginPath();
    drawn.moveTo(shift, 8);
    drawn.lineTo(shift + 8, 0);
    drawn.stroke();
  }
  return pen.createPattern(tile, "repeat");
}

const HELP = "Left and right: one second, with Shift ten. Plus and minus: zoom. Up and down: choose a row. N and P: next and previous bout of the row. Home and End.";

// handle.current gets {moveHead, showInterval}; onSeek is called with a time, onShow with begin, end, tracks and what it is.
// kept holds what the player shows. A corrected video brings another model: window, row, search and focus stay. edge is
// called when an edge of the marked bout was dragged, and is null where that is not wanted.
export function Timeline({ model, handle, kept, edge, onSeek, onShow, onClear }) {
  const canvas = useRef(null), scroller = useRef(null), head = useRef(null), tip = useRef(null), view = useRef(null);
  const [window_, setWindow] = useState({ begin: 0, span: model.duration });
  const [said, setSaid] = useState("");
  const [wanted, setWanted] = useState("");
  const now = useRef(0);
  const moveHead = (t, follow) => {
    const drawn = view.current;
    now.current = t;
    if (!drawn || !drawn.width) return;
    if (follow) drawn.reveal(t);
    const x = drawn.x(t);
    head.current.hidden = x < drawn.left - 1 || x > drawn.width;
    head.current.style.transform = `translateX(${x}px)`;
    scroller.current.setAttribute("aria-valuenow", t.toFixed(2));
  };
  useEffect(() => {
    const drawn = new TimelineView(model, canvas.current, scroller.current, () => {
      setWindow({ begin: drawn.begin, span: drawn.span });
      moveHead(now.current, false);
    });
    view.current = drawn;
    const watcher = new ResizeObserver(() => {
      drawn.resize();
      moveHead(now.current, false);
    });
    watcher.observe(scroller.current);
    const recolour = () => {
      drawn.readColours();
      drawn.schedule();
    };
    addEventListener("themechange", recolour);
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", recolour);
    Object.assign(drawn, { interval: kept.interval, marked: kept.marked });
    drawn.resize();
    moveHead(kept.time, false);
    performance.mark("timeline-drawn");
    handle.current = {
      moveHead,
      mark: (interval, tracks) => {
        drawn.interval = interval;
        drawn.marked = tracks;
        if (interval) drawn.reveal(interval[0]);
        drawn.schedule();
      },
    };
    const wheel = (event) => turnWheel(event, drawn, scroller.current);
    scroller.current.addEventListener("wheel", wheel, { passive: false });
    return () => {
      watcher.disconnect();
      removeEventListener("themechange", recolour);
      system.removeEventListener("change", recolour);
      handle.current = null;
    };
  }, []);
  useEffect(() => view.current.replace(model), [model]);
  const pick = (event) => {
    const { x, y } = place(event, scroller.current);
    const found = view.current.find(x, y);
    if (found && found.begin !== undefined) return onShow(found.begin, found.end, found.tracks, found.about);
    if (x >= view.current.left) {
      onClear();
      onSeek(Math.min(Math.max(view.current.time(x), 0), model.duration));
    }
    return undefined;
  };
  const hover = (event) => {
    const { x, y } = place(event, scroller.current);
    const found = view.current.find(x, y);
    tip.current.textContent = (found && found.title) || "";
    tip.current.hidden = !tip.current.textContent;
    tip.current.style.transform = `translate(${Math.min(x + 12, Math.max(view.current.width - 260, 0))}px, ${y + 18}px)`;
    scroller.current.classList.toggle("pointing", Boolean(found && found.begin !== undefined));
  };
  const drag = useDrag(view, scroller, pick, hover, tip, edge);
  const keys = (event) => {
    const done = press(event, view.current, now.current, { onSeek, onShow, setSaid });
    if (done) event.preventDefault();
  };
  const whole = window_.span >= model.duration - 1e-6;
  const zoom = (factor) => view.current.zoom(factor, view.current.begin + view.current.span / 2);
  return html`<section class="panel timeline" aria-label="Timeline">
    <div class="tl-tools">
      <h2>Timeline</h2><span class="grow"></span>
      <input type="search" class="tl-find" placeholder="Find: child holding ball" aria-label="Find bouts and events" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
      <button class="button small" onClick=${() => zoom(0.5)} aria-label="Zoom in">+</button>
      <button class="button small" onClick=${() => zoom(2)} disabled=${whole} aria-label="Zoom out">−</button>
      <button class="button small" onClick=${() => view.current.show(0, model.duration)} disabled=${whole}>Whole video</button>
    </div>
    ${wanted.trim().length > 1 && html`<${Found} model=${model} text=${wanted} onShow=${onShow} />`}
    <div class="tl-frame">
      <div class="tl-scroll" ref=${scroller} tabindex="0" role="slider" aria-label="Time in the video" aria-orientation="horizontal"
        aria-valuemin="0" aria-valuemax=${model.duration.toFixed(2)} aria-valuenow="0" aria-valuetext=${said || null} aria-describedby="tl-help"
        onScroll=${() => view.current?.schedule()} onKeyDown=${keys} ...${drag}>
        <div class="tl-space" ref=${(space) => space && (space.style.height = `${model.height + AXIS + 8}px`)}><canvas ref=${canvas}></canvas></div>
      </div>
      <div class="tl-head" ref=${head}></div>
      <div class="tl-tip" ref=${tip} hidden></div>
    </div>
    ${!whole && html`<input class="tl-pan" type="range" min="0" max=${model.duration - window_.span} step="any" value=${window_.begin} aria-label="Scroll in time"
      onInput=${(event) => view.current.show(parseFloat(event.target.value), view.current.span)} />`}
    <p class="hidden" id="tl-help">${HELP}</p>
    <p class="hidden" aria-live="polite">${said}</p>
    <p class="legend">
      <span><i class="key seen"></i> seen</span><span><i class="key near"></i> near</span><span><i class="key contact"></i> in contact</span><span><i class="key holding"></i> holding</span>
      <span><b aria-hidden="true">◆</b> event</span>${model.hasComparisons && html`<span><i class="key difference by-people"></i> coded by people</span><span><i class="key difference by-model"></i> found by the model</span>`}${model.hasGaps && html`<span><i class="key hatched"></i> not known</span>`}
      <span>Click a bar to go there; drag to pan, Ctrl and wheel to zoom. <kbd>N</kbd> <kbd>P</kbd> next, previous bout.</span>
    </p>
  </section>`;
}

const MOST_FOUND = 50;

function Found({ model, text, onShow }) {
  const { found, total, seconds } = model.find(text, MOST_FOUND);
  const many = `${total} found${seconds > 0 ? `, ${clock(seconds, 1)} in all` : ""}${total > found.length ? `; the first ${found.length}:` : ""}`;
  return html`<div class="found"><p class="note" role="status">${total ? many : "Nothing fits. Words are those of the rows: child, holding, near, picks up …"}</p>
    ${total > 0 && html`<ol class="clips" aria-label="Found">${found.map((one) => html`<li><button class="chip" onClick=${() => onShow(one.begin, one.end, one.tracks, one.about)}>▸ ${clock(one.begin, 1)}</button> ${one.title}</li>`)}</ol>`}</div>`;
}

function place(event, scroller) {
  const box = scroller.getBoundingClientRect();
  return { x: event.clientX - box.left - scroller.clientLeft, y: event.clientY - box.top - scroller.clientTop };
}

function turnWheel(event, drawn, scroller) {
  const { x } = place(event, scroller);
  if (event.ctrlKey || event.metaKey) drawn.zoom(Math.exp(event.deltaY * 0.002), drawn.time(Math.max(x, drawn.left)));
  else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) drawn.show(drawn.begin + (event.deltaX || event.deltaY) / drawn.scale, drawn.span);
  else return; // rows scroll by themselves
  event.preventDefault();
}

const EDGE_PX = 6;

// Which edge of the marked bout a place is at: 0 or 1; −1: none.
function edgeAt(drawn, x) {
  if (!drawn.interval || x < drawn.left) return -1;
  const away = drawn.interval.map((t) => Math.abs(drawn.x(t) - x));
  const nearest = away[1] <= away[0] ? 1 : 0;
  return away[nearest] <= EDGE_PX ? nearest : -1;
}

function useDrag(view, scroller, pick, hover, tip, edge) {
  const held = useRef(null);
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      const grabbed = edge ? edgeAt(view.current, place(event, scroller.current).x) : -1;
      held.current = { x: event.clientX, y: event.clientY, begin: view.current.begin, top: scroller.current.scrollTop, moved: false, grabbed };
    },
    onPointerMove: (event) => {
      const grip = held.current;
      if (!grip) {
        scroller.current.classList.toggle("edge", Boolean(edge) && edgeAt(view.current, place(event, scroller.current).x) >= 0);
        return hover(event);
      }
      const [dx, dy] = [event.clientX - grip.x, event.clientY - grip.y];
      if (!grip.moved && Math.hypot(dx, dy) > 4) {
        grip.moved = true;
        tip.current.hidden = true;
        scroller.current.setPointerCapture(event.pointerId);
      }
      if (grip.moved && grip.grabbed >= 0) {
        const drawn = view.current;
        const t = Math.min(Math.max(drawn.time(place(event, scroller.current).x), 0), drawn.model.duration);
        const other = drawn.interval[1 - grip.grabbed];
        drawn.interval = grip.grabbed === 0 ? [Math.min(t, other - 0.01), other] : [other, Math.max(t, other + 0.01)];
        drawn.schedule();
      } else if (grip.moved) {
        scroller.current.scrollTop = grip.top - dy;
        view.current.show(grip.begin - dx / view.current.scale, view.current.span);
      }
      return undefined;
    },
    onPointerUp: (event) => {
      const grip = held.current;
      held.current = null;
      if (grip && grip.moved && grip.grabbed >= 0) edge(...view.current.interval);
      else if (grip && !grip.moved) pick(event);
    },
    onPointerCancel: () => (held.current = null),
    onPointerLeave: () => (tip.current.hidden = true),
  };
}

function press(event, drawn, t, { onSeek, onShow, setSaid }) {
  const duration = drawn.model.duration;
  const to = (time) => {
    const there = Math.min(Math.max(time, 0), duration);
    drawn.reveal(there);
    onSeek(there);
    setSaid(`${clock(there, 1)}`);
    return true;
  };
  const far = event.shiftKey ? 10 : 1;
  switch (event.key) {
    case "ArrowLeft": return to(t - far);
    case "ArrowRight": return to(t + far);
    case "Home": return to(0);
    case "End": return to(duration);
    case "PageUp": return to(t - drawn.span / 2);
    case "PageDown": return to(t + drawn.span / 2);
    case "+": case "=": drawn.zoom(0.5, t); return true;
    case "-": drawn.zoom(2, t); return true;
    case "ArrowUp": case "ArrowDown": return chooseRow(drawn, event.key === "ArrowUp" ? -1 : 1, setSaid);
    case "n": case "N": return nextBout(drawn, t, 1, { onShow, setSaid });
    case "p": case "P": return nextBout(drawn, t, -1, { onShow, setSaid });
    default: return false;
  }
}

function chooseRow(drawn, step, setSaid) {
  const rows = drawn.model.rows;
  if (!rows.length) return false;
  drawn.row = Math.min(Math.max(drawn.row + step, 0), rows.length - 1);
  const row = rows[drawn.row];
  const [top, room] = [drawn.scroller.scrollTop, drawn.height - AXIS];
  if (row.y < top) drawn.scroller.scrollTop = row.y;
  else if (row.y + row.height > top + room) drawn.scroller.scrollTop = row.y + row.height - room;
  setSaid(`row ${row.label}, ${drawn.model.bouts(row).length} bouts`);
  drawn.schedule();
  return true;
}

function nextBout(drawn, t, step, { onShow, setSaid }) {
  if (drawn.row < 0) chooseRow(drawn, 1, setSaid);
  const row = drawn.model.rows[drawn.row];
  if (!row) return false;
  const bouts = drawn.model.bouts(row);
  const found = step > 0 ? bouts.find((one) => one.begin > t + 0.01) : bouts.findLast((one) => one.begin < t - 0.01);
  if (!found) {
    setSaid(step > 0 ? "no later bout in this row" : "no earlier bout in this row");
    return true;
  }
  drawn.reveal(found.begin);
  onShow(found.begin, found.end, found.tracks, found.about);
  setSaid(found.title);
  return true;
}
