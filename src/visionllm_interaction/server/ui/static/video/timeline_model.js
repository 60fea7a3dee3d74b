// What a timeline shows, as rows of layers: sorted arrays of begins and ends, so that hours of it can be searched.
export const ROW = 24;
export const SUB = 19;
export const COLOURS = ["#e07a1f", "#3a8fcf", "#2e9e5b", "#c25aa3", "#8a6fd6", "#d05252", "#0f9aa8", "#a3831f", "#74879a", "#d45fa0"];
const KINDS = {
  gaze: ["looks", "#8a6fd6"], speech: ["speaks", "#0f9aa8"], naming: ["names", "#c25aa3"],
  word: ["words", "#a3831f"], code: ["", "#74879a"],
};
const BY_PEOPLE = "#c25aa3", BY_MODEL = "#3a8fcf";
const PREDICATES = { near: [4, 0.45], in_contact: [8, 0.7], holding: [12, 1] };
const WORDS = { near: "near", in_contact: "in contact with", holding: "holding" };
// Why less is known of some time: what it is called, and what it means.
export const POOR = {
  not_processed: ["not processed", "no frame of it was looked at: nothing is known"],
  dark: ["dark", "too little light: people and objects are missed"],
  blurred: ["blurred", "the image is not sharp: people and objects are missed"],
  moving_camera: ["camera moves", "the camera moves: boxes and distances are less certain"],
  small: ["people small", "people are far away: hands and faces cannot be seen"],
  edge: ["people cut off", "an edge of the image cuts the people: part of them is unseen"],
};
const two = (value) => value.toFixed(2);

// spans: [begin, end] pairs in any order; more: what the layer looks like and says.
function layer(spans, more) {
  const items = [...spans].sort((a, b) => a[0] - b[0]);
  const ends = Float64Array.from(items, (one) => one[1]);
  // The latest end so far rises, also where coded intervals overlap, so that it can be searched.
  const reach = Float64Array.from(ends);
  for (let n = 1; n < reach.length; n++) reach[n] = Math.max(reach[n], reach[n - 1]);
  return { begins: Float64Array.from(items, (one) => one[0]), ends, reach, items, ...more };
}

// Index of the first bar before which all have ended at t.
export function firstAfter(layer, t) {
  let low = 0, high = layer.reach.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (layer.reach[middle] > t) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Index of a bar that is there from t - slack to t + slack; -1 if there is none.
export function barAt(layer, t, slack = 0) {
  for (let n = firstAfter(layer, t - slack); n < layer.begins.length && layer.begins[n] <= t + slack; n++) {
    if (layer.ends[n] > t - slack) return n;
  }
  return -1;
}

export class TimelineModel {
  // compared: codings beside what the model found, as the service compares them.
  constructor(content, compared = []) {
    Object.assign(this, { content, compared });
    this.duration = Math.max(content.duration_s, 0.001);
    this.colours = new Map(content.tracks.map((track, n) => [track.track_id, COLOURS[n % COLOURS.length]]));
    this.names = new Map(content.tracks.map((track) => [track.track_id, `${track.role || track.category} ${track.track_id}`]));
    this.rows = [];
    this.height = 0;
    this.build();
  }

  add(row, height) {
    this.rows.push({ layers: [], marks: null, gaps: null, sub: false, tracks: [], ...row, y: this.height, height });
    this.height += height;
  }

  build() {
    const { tracks, relations, events, lanes, recordings } = this.content;
    for (const one of this.content.unknown.poor) this.add(this.poor(one), SUB);
    if (events.length) this.add({ label: "events", marks: this.events(events) }, ROW);
    for (const one of this.compared) this.comparison(one);
    const pairs = this.pairs(relations);
    for (const track of tracks) {
      const id = track.track_id;
      this.add({ label: this.names.get(id), tracks: [id], layers: [this.seen(track)] }, ROW);
      for (const [other, found] of pairs.get(id) || []) {
        this.add({ label: `↳ ${this.names.get(other)}`, sub: true, tracks: [id, other], layers: this.relation(id, other, found) }, SUB);
      }
    }
    for (const lane of lanes) this.add(this.lane(lane), ROW);
    for (const one of recordings) this.add(this.recording(one), SUB);
  }

  poor({ reason, intervals }) {
    const [name, meaning] = POOR[reason];
    const title = ([begin, end]) => `${name} ${two(begin)}–${two(end)} s: ${meaning}`;
    if (reason === "not_processed") return { label: name, sub: true, gaps: layer(intervals, { title }) };
    return { label: name, sub: true, layers: [layer(intervals, { size: 7, opacity: 0.9, colour: "#b7791f", tracks: [], title })] };
  }

  events(events) {
    return layer(events.map((one) => [one.begin_s, one.end_s, one]), {
      tracks: [],
      title: ([begin, , one]) => `${one.kind.replaceAll("_", " ")}: ${one.track_ids.map((id) => this.names.get(id)).join(", ")} at ${two(begin)} s`,
      of: ([, , one]) => one.track_ids,
      about: ([, , one]) => ({ event: one.kind }),
    });
  }

  pairs(relations) {
    const found = new Map();
    for (const one of relations) {
      if (!(one.predicate in PREDICATES)) continue;
      if (!found.has(one.subject_track_id)) found.set(one.subject_track_id, new Map());
      const others = found.get(one.subject_track_id);
      if (!others.has(one.object_track_id)) others.set(one.object_track_id, {});
      (others.get(one.object_track_id)[one.predicate] ||= []).push([one.begin_s, one.end_s]);
    }
    return found;
  }

  // Three rows: what was coded, what the model found, and where only one of them has it.
  comparison({ coding, state, coded, model, only_coded, only_model }) {
    const name = [coding.participant, coding.tier, coding.label].filter(Boolean).join(" ");
    const bars = (spans, text, colour) => layer(spans, { size: 11, opacity: 0.9, colour, tracks: [], title: ([begin, end]) => `${text} ${two(begin)}–${two(end)} s` });
    this.add({ label: `✎ ${name}`, layers: [bars(coded, `coded ${name}`, BY_PEOPLE)] }, SUB);
    this.add({ label: "↳ model", sub: true, layers: [bars(model, `model: ${state}`, BY_MODEL)] }, SUB);
    this.add({ label: "↳ difference", sub: true, layers: [bars(only_coded, "only coded", BY_PEOPLE), bars(only_model, "only the model", BY_MODEL)] }, SUB);
  }

  seen(track) {
    const name = this.names.get(track.track_id);
    return layer(track.visible, {
      size: 11, opacity: 0.95, colour: this.colours.get(track.track_id), tracks: [track.track_id],
      title: ([begin, end]) => `${name} seen ${two(begin)}–${two(end)} s`,
    });
  }

  relation(id, other, found) {
    return Object.keys(PREDICATES).filter((predicate) => found[predicate]).map((predicate) => {
      const [size, opacity] = PREDICATES[predicate];
      const fact = `${this.names.get(id)} ${WORDS[predicate]} ${this.names.get(other)}`;
      return layer(found[predicate], {
        size, opacity, colour: this.colours.get(id), tracks: [id, other], fact, about: () => ({ predicate }), rank: size, pair: `${id}-${other}`,
        title: ([begin, end]) => `${fact} ${two(begin)}–${two(end)} s`,
      });
    });
  }

  lane(lane) {
    const [verb, colour] = KINDS[lane.kind] || KINDS.code;
    const name = [lane.participant || (verb ? "somebody" : ""), verb || lane.tier].filter(Boolean).join(" ");
    const spans = lane.intervals.map((one) => [one.begin_s, one.end_s, one.label]);
    const title = ([begin, end, label]) => `${name}${label ? `: ${label}` : ""} ${two(begin)}–${two(end)} s`;
    const look = { colour, tracks: [], title, fact: lane.kind === "word" ? null : name };
    return {
      label: name,
      layers: [layer(spans.filter((one) => one[1] > one[0]), { size: 11, opacity: 0.9, ...look })],
      marks: layer(spans.filter((one) => one[1] <= one[0]), look),
      gaps: lane.uncoded.length ? layer(lane.uncoded, { title: ([begin, end]) => `not known from ${two(begin)} to ${two(end)} s: not coded` }) : null,
    };
  }

  recording(one) {
    const place = `${one.offset_s >= 0 ? "+" : "−"}${two(Math.abs(one.offset_s))} s`;
    const exact = one.residual_s === null ? "" : ` within ${one.residual_s.toFixed(3)} s`;
    const begin = Math.max(one.offset_s, 0);
    const title = () => `${one.kind} ${one.name}: its clock shows 0 at ${place} (by ${one.known_by}${exact})`;
    const spans = begin < this.duration ? [[begin, this.duration]] : [];
    return { label: `${one.name} ${place}`, sub: true, layers: [layer(spans, { size: 4, opacity: 0.5, colour: null, tracks: [], title })] };
  }

  get hasComparisons() {
    return this.compared.length > 0;
  }

  get hasGaps() {
    return this.content.lanes.some((lane) => lane.uncoded.length) || this.content.unknown.poor.some((one) => one.reason === "not_processed");
  }

  // Index of the row at a height.
  rowAt(y) {
    let low = 0, high = this.rows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].y + this.rows[middle].height > y) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  // What holds at a time: of each pair the strongest relation, and what was coded.
  at(t) {
    const strongest = new Map(), coded = [];
    for (const row of this.rows) {
      for (const one of row.layers) {
        if (!one.fact) continue;
        const n = barAt(one, t);
        if (n < 0) continue;
        if (one.pair) {
          if (!strongest.has(one.pair) || strongest.get(one.pair).rank < one.rank) strongest.set(one.pair, one);
        } else {
          const label = one.items[n][2];
          coded.push({ text: label ? `${one.fact}: ${label}` : one.fact, colour: one.colour });
        }
      }
    }
    return [...[...strongest.values()].map((one) => ({ text: one.fact, colour: one.colour })), ...coded];
  }

  // Bouts, events and codes whose description has all words, in order of time: {found: [bout], total, seconds}.
  find(text, most) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [];
    for (const row of words.length ? this.rows : []) {
      for (const one of [...row.layers, row.marks].filter(Boolean)) {
        for (const item of one.items) {
          const title = one.title(item);
          const plain = title.toLowerCase();
          if (words.every((word) => plain.includes(word))) found.push({ begin: item[0], end: item[1], tracks: one.of ? one.of(item) : one.tracks, title, about: one.about?.(item) });
        }
      }
    }
    found.sort((a, b) => a.begin - b.begin);
    return { found: found.slice(0, most), total: found.length, seconds: found.reduce((sum, one) => sum + one.end - one.begin, 0) };
  }

  // The bars and marks of a row in order of time, for the keyboard.
  bouts(row) {
    const found = [];
    for (const one of [...row.layers, row.marks].filter(Boolean)) {
      for (const item of one.items) found.push({ begin: item[0], end: item[1], tracks: one.of ? one.of(item) : one.tracks, title: one.title(item), about: one.about?.(item) });
    }
    return found.sort((a, b) => a.begin - b.begin);
  }
}
