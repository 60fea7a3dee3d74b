// A video with the detections of its frames drawn over it, and a timeline of tracks, relations and events.
// The boxes are those of the last processed frame: only detections are drawn.
const CHUNK_S = 30;
const COLOURS = ["#e07a1f", "#1f77b4", "#2e9e5b", "#b5338a", "#7a5cc4", "#c23b3b", "#0f9aa8", "#8a6d1f", "#5b6b7b", "#d45fa0"];
const ROW = 26;
const LANE = 14;
// Lanes of codes: the words of a row, and the colour of its bars.
const KINDS = {
  gaze: ["looks", "#7a5cc4"], speech: ["speaks", "#0f9aa8"], naming: ["names", "#b5338a"],
  word: ["words", "#8a6d1f"], code: ["", "#5b6b7b"],
};
const PREDICATES = { near: [4, 0.35], in_contact: [8, 0.6], holding: [12, 1] };
const WORDS = { near: "near", in_contact: "in contact with", holding: "holding" };

export default {
  template: `
    <div class="player">
      <div class="panel stage-panel">
        <div class="stage" v-if="playable" :style="stageStyle">
          <video ref="video" :src="source" controls muted playsinline preload="auto" @timeupdate="tick" @seeked="tick"
                 @loadeddata="ready" @error="broken = true"></video>
          <canvas ref="canvas"></canvas>
        </div>
        <p v-else class="note">No copy of this video is kept here, so it cannot be played.</p>
        <p v-if="broken" class="refused">This browser cannot play the video; the timeline works all the same.</p>
        <div class="now">
          <span class="clock">{{ time.toFixed(2) }} s</span>
          <span v-for="fact in facts" :key="fact.text" class="fact" :style="{ borderColor: fact.colour }">{{ fact.text }}</span>
        </div>
      </div>
      <div class="panel session" v-if="timeline && timeline.session">
        <h2>Session {{ timeline.session.session }}</h2>
        <div v-for="row in sessionRows" :key="row.camera" class="session-row">
          <span class="session-camera" v-if="row.camera">{{ row.camera }}</span>
          <div class="session-track">
            <a v-for="one in row.videos" :key="one.video_id" :class="{ here: one.video_id === video_id }" :style="sessionStyle(one)"
               :href="one.video_id" :title="one.name + ', from ' + one.begin_s.toFixed(2) + ' s to ' + one.end_s.toFixed(2) + ' s'">{{ one.name }}</a>
          </div>
        </div>
        <p class="note">{{ (timeline.session.offset_s + time).toFixed(2) }} s of the session; it lasts {{ sessionEnd.toFixed(2) }} s.</p>
      </div>
      <div class="panel timeline" v-if="timeline">
        <svg :viewBox="'0 0 ' + width + ' ' + height" :width="width" :height="height" ref="svg" role="img"
             aria-label="Timeline of tracks, relations, events, codes and recordings" @click="clickEmpty">
          <defs><pattern id="unknown" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="6" height="6" fill="#eef1f4"></rect><line y2="6" stroke="#c3ccd5" stroke-width="2"></line></pattern></defs>
          <g class="axis">
            <g v-for="t in ticks" :key="t" :transform="'translate(' + x(t) + ' 0)'">
              <line :y1="16" :y2="height"></line><text y="11" text-anchor="middle">{{ t }} s</text>
            </g>
          </g>
          <rect v-if="interval" class="interval" :x="x(interval[0])" y="16" :width="span(interval[0], interval[1])" :height="height - 16"></rect>
          <g v-for="row in rows" :key="row.key" :transform="'translate(0 ' + row.y + ')'" :class="{ dim: row.dim }">
            <text class="label" :class="{ sub: row.sub }" :x="row.sub ? 16 : 4" :y="LANE - 2">{{ short(row.label) }}<title>{{ row.label }}</title></text>
            <rect v-for="gap in row.gaps" :key="gap[0]" class="unknown" :x="x(gap[0])" :width="span(gap[0], gap[1])" y="1" :height="LANE"
                  fill="url(#unknown)"><title>not known from {{ gap[0].toFixed(2) }} to {{ gap[1].toFixed(2) }} s: not coded</title></rect>
            <rect v-for="bar in row.bars" :key="bar.key" class="bar" :x="x(bar.begin)" :width="span(bar.begin, bar.end)"
                  :y="(LANE - bar.size) / 2 + 1" :height="bar.size" rx="2" :fill="bar.colour" :opacity="bar.opacity"
                  @click.stop="showInterval(bar.begin, bar.end, bar.tracks)"><title>{{ bar.title }}</title></rect>
            <path v-for="mark in row.marks" :key="mark.key" class="mark" :transform="'translate(' + x(mark.begin) + ' 1)'"
                  d="M0 0 L5 7 L0 14 L-5 7 Z" @click.stop="showInterval(mark.begin, mark.end, mark.tracks)"><title>{{ mark.title }}</title></path>
          </g>
          <line class="head" :x1="x(time)" :x2="x(time)" y1="14" :y2="height"></line>
        </svg>
        <p class="legend">
          <span><i style="height:10px;opacity:.9"></i> seen</span>
          <span><i style="height:4px;opacity:.35"></i> near</span>
          <span><i style="height:8px;opacity:.6"></i> in contact</span>
          <span><i style="height:12px"></i> holding</span>
          <span><b>◆</b> event</span>
          <span v-if="timeline.lanes.some((lane) => lane.uncoded.length)"><i class="hatched"></i> not coded: unknown</span>
          <span class="note">Click a bar to go there.</span>
        </p>
      </div>
      <p v-if="problem" class="refused">{{ problem }}</p>
    </div>`,
  props: { video_id: String, playable: Boolean, show: Array },
  data() {
    return { LANE, timeline: null, time: 0, width: 900, interval: null, marked: [], broken: false, problem: null };
  },
  computed: {
    source() {
      return `/v1/videos/${this.video_id}/file`;
    },
    stageStyle() {
      const t = this.timeline;
      return t ? { aspectRatio: `${t.width} / ${t.height}`, maxWidth: `calc(62vh * ${t.width / t.height})` } : {};
    },
    colours() {
      return Object.fromEntries(this.timeline.tracks.map((track, n) => [track.track_id, COLOURS[n % COLOURS.length]]));
    },
    names() {
      return Object.fromEntries(this.timeline.tracks.map((t) => [t.track_id, `${t.role || t.category} ${t.track_id}`]));
    },
    left() {
      return 150;
    },
    scale() {
      return (this.width - this.left - 16) / Math.max(this.timeline.duration_s, 0.001);
    },
    ticks() {
      const steps = [0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
      const step = steps.find((s) => s * this.scale >= 60) || 7200;
      return Array.from({ length: Math.floor(this.timeline.duration_s / step) + 1 }, (_, n) => n * step);
    },
    rows() {
      const rows = [];
      let y = 24;
      const add = (row, advance) => {
        rows.push({ bars: [], marks: [], gaps: [], ...row, y });
        y += advance;
      };
      if (this.timeline.events.length) add({ key: "events", label: "events", marks: this.eventMarks() }, ROW);
      for (const track of this.timeline.tracks) {
        add({ key: track.track_id, label: this.names[track.track_id], bars: this.seenBars(track), dim: this.isDim(track.track_id) }, ROW - 4);
        for (const pair of this.pairs(track.track_id)) add({ ...pair, sub: true }, ROW - 8);
        y += 4;
      }
      for (const [n, lane] of this.timeline.lanes.entries()) add(this.codeRow(lane, n), ROW - 4);
      for (const one of this.timeline.recordings) add(this.recordingRow(one), ROW - 6);
      return rows;
    },
    height() {
      const last = this.rows[this.rows.length - 1];
      return (last ? last.y : 20) + ROW;
    },
    sessionEnd() {
      return Math.max(...this.timeline.session.videos.map((one) => one.end_s));
    },
    sessionRows() {
      const videos = this.timeline.session.videos;
      const cameras = [...new Set(videos.map((one) => one.camera || ""))];
      return cameras.map((camera) => ({ camera, videos: videos.filter((one) => (one.camera || "") === camera) }));
    },
    facts() {
      if (!this.timeline) return [];
      const within = (item) => item.begin_s <= this.time && this.time < item.end_s;
      const strongest = new Map();
      for (const r of this.timeline.relations.filter((r) => within(r) && r.predicate in PREDICATES)) {
        const pair = `${r.subject_track_id}-${r.object_track_id}`;
        const known = strongest.get(pair);
        if (!known || PREDICATES[r.predicate][0] > PREDICATES[known.predicate][0]) strongest.set(pair, r);
      }
      const seen = [...strongest.values()].map((r) => ({
        text: `${this.names[r.subject_track_id]} ${WORDS[r.predicate]} ${this.names[r.object_track_id]}`,
        colour: this.colours[r.subject_track_id],
      }));
      const coded = this.timeline.lanes.filter((lane) => lane.kind !== "word").flatMap((lane) =>
        lane.intervals.filter(within).map((item) => ({
          text: [this.laneName(lane), item.label].filter(Boolean).join(": "), colour: (KINDS[lane.kind] || KINDS.code)[1],
        })));
      return [...seen, ...coded];
    },
  },
  async mounted() {
    this.chunks = new Map();
    this.loading = new Set();
    try {
      this.timeline = await get(`/v1/videos/${this.video_id}/timeline`);
    } catch (problem) {
      this.problem = problem;
      return;
    }
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.$el);
    this.resize();
    if (this.show.length) this.showInterval(this.show[0], this.show[1], []);
    else this.load(0);
    this.follow();
  },
  unmounted() {
    this.watcher?.disconnect();
    this.gone = true;
  },
  methods: {
    x(t) {
      return this.left + t * this.scale;
    },
    span(begin, end) {
      return Math.max((end - begin) * this.scale, 2);
    },
    isDim(id) {
      return this.marked.length > 0 && !this.marked.includes(id);
    },
    seenBars(track) {
      return track.visible.map(([begin, end], n) => ({
        key: n, begin, end, size: 10, opacity: 0.9, colour: this.colours[track.track_id], tracks: [track.track_id],
        title: `${this.names[track.track_id]} seen ${begin.toFixed(2)}–${end.toFixed(2)} s`,
      }));
    },
    pairs(id) {
      const mine = this.timeline.relations.filter((r) => r.subject_track_id === id && r.predicate in PREDICATES);
      const others = [...new Set(mine.map((r) => r.object_track_id))];
      return others.map((other) => ({
        key: `${id}-${other}`,
        label: `↳ ${this.names[other]}`,
        dim: this.isDim(id) || this.isDim(other),
        bars: mine
          .filter((r) => r.object_track_id === other)
          .sort((a, b) => PREDICATES[a.predicate][0] - PREDICATES[b.predicate][0])
          .map((r) => ({
            key: `${r.predicate}${r.begin_s}`, begin: r.begin_s, end: r.end_s, tracks: [id, other],
            size: PREDICATES[r.predicate][0], opacity: PREDICATES[r.predicate][1], colour: this.colours[id],
            title: `${this.names[id]} ${WORDS[r.predicate]} ${this.names[other]} ${r.begin_s.toFixed(2)}–${r.end_s.toFixed(2)} s`,
          })),
      }));
    },
    short(label) {
      return label.length > 24 ? `${label.slice(0, 23)}…` : label;
    },
    laneName(lane) {
      const [verb] = KINDS[lane.kind] || KINDS.code;
      return [lane.participant || (verb ? "somebody" : ""), verb || lane.tier].filter(Boolean).join(" ");
    },
    codeRow(lane, n) {
      const name = this.laneName(lane);
      const colour = (KINDS[lane.kind] || KINDS.code)[1];
      const about = (item) => `${name}${item.label ? `: ${item.label}` : ""} ${item.begin_s.toFixed(2)}–${item.end_s.toFixed(2)} s`;
      const item = (one, key) => ({ key, begin: one.begin_s, end: one.end_s, tracks: [], title: about(one) });
      return {
        key: `lane${n}`, label: name, gaps: lane.uncoded,
        bars: lane.intervals.filter((one) => one.end_s > one.begin_s)
          .map((one, key) => ({ ...item(one, key), size: 10, opacity: 0.85, colour })),
        marks: lane.intervals.filter((one) => one.end_s <= one.begin_s).map(item),
      };
    },
    recordingRow(one) {
      const begin = Math.max(one.offset_s, 0);
      const exact = one.residual_s === null ? "" : ` within ${one.residual_s.toFixed(3)} s`;
      const place = `${one.offset_s >= 0 ? "+" : "−"}${Math.abs(one.offset_s).toFixed(2)} s`;
      const bar = {
        key: 0, begin, end: this.timeline.duration_s, size: 4, opacity: 0.5, colour: "#1c2733", tracks: [],
        title: `${one.kind} ${one.name}: its clock shows 0 at ${place} (by ${one.known_by}${exact})`,
      };
      return { key: `recording ${one.name}`, label: `${one.name} ${place}`, sub: true, bars: begin < bar.end ? [bar] : [] };
    },
    sessionStyle(one) {
      const whole = this.sessionEnd;
      return { left: `${(100 * one.begin_s) / whole}%`, width: `${(100 * (one.end_s - one.begin_s)) / whole}%` };
    },
    eventMarks() {
      return this.timeline.events.map((e) => ({
        key: e.event_id, begin: e.begin_s, end: e.end_s, tracks: e.track_ids,
        title: `${e.kind.replace("_", " ")}: ${e.track_ids.map((t) => this.names[t]).join(", ")} at ${e.begin_s.toFixed(2)} s`,
      }));
    },
    showInterval(begin, end, tracks) {
      this.interval = [begin, Math.max(end ?? begin, begin)];
      this.marked = tracks || [];
      this.seek(begin);
    },
    clickEmpty(event) {
      const box = this.$refs.svg.getBoundingClientRect();
      const t = (((event.clientX - box.left) / box.width) * this.width - this.left) / this.scale;
      this.interval = null;
      this.marked = [];
      if (t >= 0) this.seek(Math.min(t, this.timeline.duration_s));
    },
    seek(t) {
      this.time = t;
      // half a millisecond past the time stamp, so that rounding never lands on the frame before it
      if (this.$refs.video) this.$refs.video.currentTime = t + 0.0005;
      this.load(t);
      this.draw();
    },
    ready() {
      if (this.interval) this.$refs.video.currentTime = this.interval[0] + 0.0005;
      this.draw();
    },
    tick() {
      this.time = this.$refs.video.currentTime;
      this.load(this.time);
      this.draw();
    },
    follow() {
      const video = this.$refs.video;
      if (!video || this.gone) return;
      const next = (_, frame) => {
        this.time = frame ? frame.mediaTime : video.currentTime;
        this.load(this.time);
        this.draw();
        this.follow();
      };
      if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(next);
      else requestAnimationFrame(() => next());
    },
    resize() {
      this.width = Math.max(480, this.$el.clientWidth - 40);
      this.$nextTick(() => this.draw());
    },
    load(t) {
      for (const n of [Math.floor(t / CHUNK_S), Math.floor(t / CHUNK_S) + 1]) {
        if (n * CHUNK_S > this.timeline.duration_s || this.loading.has(n)) continue;
        this.loading.add(n);
        get(`/v1/videos/${this.video_id}/detections?begin_s=${n * CHUNK_S}&end_s=${(n + 1) * CHUNK_S}`).then(
          (columns) => {
            this.chunks.set(n, byFrame(columns));
            this.draw();
          },
          (problem) => {
            this.loading.delete(n);
            this.problem = problem;
          },
        );
      }
    },
    current() {
      const t = this.time + 0.001;
      for (const n of [Math.floor(t / CHUNK_S), Math.floor(t / CHUNK_S) - 1]) {
        const frame = this.chunks.get(n)?.findLast((f) => f.time <= t);
        if (frame) return frame.boxes;
      }
      return [];
    },
    draw() {
      const canvas = this.$refs.canvas;
      if (!canvas || !this.timeline) return;
      const ratio = window.devicePixelRatio || 1;
      const [w, h] = [canvas.clientWidth, canvas.clientHeight];
      if (canvas.width !== w * ratio || canvas.height !== h * ratio) {
        canvas.width = w * ratio;
        canvas.height = h * ratio;
      }
      const pen = canvas.getContext("2d");
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, w, h);
      const zoom = w / this.timeline.width;
      for (const box of this.current()) this.drawBox(pen, box, zoom);
    },
    drawBox(pen, box, zoom) {
      const [x, y, w, h] = [box.x1 * zoom, box.y1 * zoom, (box.x2 - box.x1) * zoom, (box.y2 - box.y1) * zoom];
      const colour = this.colours[box.track] || "#9aa7b3";
      pen.globalAlpha = this.isDim(box.track) ? 0.35 : 1;
      pen.lineWidth = 2;
      pen.strokeStyle = colour;
      pen.setLineDash(box.track < 0 || box.interpolated ? [5, 4] : []);
      pen.strokeRect(x, y, w, h);
      const text = `${this.names[box.track] || box.category} ${Math.round(box.confidence * 100)}%`;
      pen.font = "600 12px system-ui, sans-serif";
      const wide = pen.measureText(text).width + 8;
      const top = y >= 18 ? y - 18 : y;
      pen.fillStyle = colour;
      pen.fillRect(x - 1, top, wide, 18);
      pen.fillStyle = "#fff";
      pen.fillText(text, x + 3, top + 13);
      pen.globalAlpha = 1;
    },
  },
};

async function get(address) {
  const response = await fetch(address);
  const content = await response.json().catch(() => ({}));
  if (!response.ok) throw content.detail || `the service answered ${response.status}`;
  return content;
}

function byFrame(columns) {
  const frames = new Map(columns.processed_s.map((time) => [time, { time, boxes: [] }]));
  columns.timestamp_s.forEach((time, n) => {
    if (!frames.has(time)) frames.set(time, { time, boxes: [] });
    frames.get(time).boxes.push({
      track: columns.track_id[n], category: columns.category[n], confidence: columns.confidence[n],
      interpolated: columns.interpolated[n],
      x1: columns.x1[n], y1: columns.y1[n], x2: columns.x2[n], y2: columns.y2[n],
    });
  });
  return [...frames.values()].sort((a, b) => a.time - b.time);
}
