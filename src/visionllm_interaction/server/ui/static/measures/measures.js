// The measures page: one measure as a table and as plots, the file of it, and the command that computes it anew.
import { html, useEffect, useMemo, useState } from "../vendor/htm-preact.js";
import { CopyButton } from "../shared/ask.js";
import { api, videoPath } from "../shared/api.js";
import { clock, number } from "../shared/format.js";
import { BoutRaster } from "./bout_raster.js";
import { LookTransitions } from "./look_transitions.js";
import { saveSvg } from "./save_svg.js";

const FILTERS = [["subject", "Subject"], ["object", "Object"], ["predicate", "Predicate"], ["video_id", "Video"]];
const BINS = [["", "whole video"], ["10", "10 s"], ["30", "30 s"], ["60", "1 min"], ["300", "5 min"]];
const SHOWN_ROWS = 200;
const COLOURS = ["#e07a1f", "#3a8fcf", "#2e9e5b", "#c25aa3", "#8a6fd6", "#d05252", "#0f9aa8", "#a3831f"];

// What is chosen is in the address, so that it can be kept and sent.
function chosen() {
  const query = new URLSearchParams(location.search);
  const names = ["measure", "bin_s", ...FILTERS.map(([name]) => name)];
  return Object.fromEntries(names.map((name) => [name, query.get(name) || ""]));
}

function address(wanted) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(wanted)) if (value && name !== "measure") query.set(name, value);
  const text = query.toString();
  return text ? `?${text}` : "";
}

export function Measures() {
  const [catalogue, setCatalogue] = useState(null);
  const [wanted, setWanted] = useState(() => ({ ...chosen(), measure: chosen().measure || "visible_duration" }));
  const [table, setTable] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    api("/measures").then((found) => setCatalogue(found.measures), setProblem);
  }, []);
  useEffect(() => {
    const asking = new AbortController();
    setTable(null);
    setProblem(null);
    api(`/measures/${encodeURIComponent(wanted.measure)}${address(wanted)}`, { signal: asking.signal }).then(setTable, (error) => asking.signal.aborted || setProblem(error));
    const kept = new URLSearchParams(Object.entries(wanted).filter(([, value]) => value));
    history.replaceState(null, "", `?${kept}`);
    return () => asking.abort();
  }, [wanted]);
  const choose = (name) => (event) => {
    const value = event.target.value;
    // Another measure has other subjects.
    setWanted((old) => (name === "measure" ? { measure: value, bin_s: old.bin_s, video_id: old.video_id, subject: "", object: "", predicate: "" } : { ...old, [name]: value }));
  };
  const definition = catalogue && catalogue.find((one) => one.name === wanted.measure);
  return html`<main class="page wide">
    <section class="panel" aria-labelledby="measures-title">
      <h1 id="measures-title">Measures</h1>
      <div class="choices">
        <label>Measure <select value=${wanted.measure} onChange=${choose("measure")}>${(catalogue || [{ name: wanted.measure }]).map((one) => html`<option value=${one.name}>${one.name.replaceAll("_", " ")}</option>`)}</select></label>
        ${FILTERS.map(([name, text]) => html`<${Choice} key=${name} name=${name} text=${text} value=${wanted[name]} table=${table} onChange=${choose(name)} />`)}
        <label>Time bins <select value=${wanted.bin_s} onChange=${choose("bin_s")}>${BINS.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></label>
      </div>
      ${definition && html`<p class="definition">${definition.definition} <span class="note">Unit: ${definition.unit || "none"}. Source: ${definition.source}.</span></p>`}
      ${problem && html`<p class="refused" role="alert">${problem.words} ${problem.status === 409 && html`<a href="/ui/">To the videos</a>`}</p>`}
      ${!table && !problem && html`<p class="note" role="status">Computing …</p>`}
    </section>
    ${table && html`<${Result} table=${table} wanted=${wanted} />`}
    ${problem?.status !== 409 && html`<${BoutRaster} /><${LookTransitions} videoId=${wanted.video_id} />`}
  </main>`;
}

function Choice({ name, text, value, table, onChange }) {
  const values = table ? table.choices[name] : value ? [value] : [];
  if (!values.length) return null;
  const shown = (one) => (name === "video_id" && table && table.names[one] ? `${table.names[one]} (${one})` : one);
  return html`<label>${text} <select value=${value} onChange=${onChange}><option value="">all</option>${values.map((one) => html`<option value=${one}>${shown(one)}</option>`)}</select></label>`;
}

function Result({ table, wanted }) {
  const { rows, measure } = table;
  const known = rows.filter((row) => row.value !== null);
  const missing = rows.filter((row) => row.missing !== null);
  const reasons = [...new Set(missing.map((row) => row.missing))];
  const file = (ending) => `/v1/measures/${encodeURIComponent(measure.name)}/${ending}${address(wanted)}`;
  const savePlot = () => saveSvg(document.querySelector("svg.plot"), `${measure.name}.svg`);
  if (!rows.length) return html`<section class="panel empty"><p><strong>No value.</strong></p><p>Nothing fits what is chosen; choose <em>all</em> in one of the lists.</p></section>`;
  return html`
    ${known.length > 0 && html`<section class="panel" aria-labelledby="plot-title"><div class="title-row plot-head"><h2 id="plot-title">${wanted.bin_s ? "Over time" : "By video"}</h2><span class="grow"></span><button class="button small" onClick=${savePlot}>Download SVG</button></div>
      ${wanted.bin_s ? html`<${OverTime} rows=${known} table=${table} />` : html`<${ByPair} rows=${known} table=${table} />`}</section>`}
    ${reasons.length > 0 && html`<section class="panel" aria-labelledby="missing-title"><h2 id="missing-title">What is not known</h2>
      <p>${missing.length} of ${rows.length} values cannot be given:</p><ul>${reasons.map((reason) => html`<li>${reason}: ${missing.filter((row) => row.missing === reason).length}</li>`)}</ul></section>`}
    <section class="panel" aria-labelledby="table-title">
      <div class="title-row"><h2 id="table-title">Table</h2><span class="note grow">${rows.length} row${rows.length === 1 ? "" : "s"}${rows.length > SHOWN_ROWS ? `, the first ${SHOWN_ROWS} below` : ""}</span>
        <a class="button small" href=${file("csv")} download=${`${measure.name}.csv`}>Download CSV</a>
        <a class="button small" href=${file("parquet")} download=${`${measure.name}.parquet`}>Download Parquet</a></div>
      <${Table} rows=${rows.slice(0, SHOWN_ROWS)} table=${table} binned=${Boolean(wanted.bin_s)} />
      <p class="note">The command that computes the table of all measures anew:</p>
      <p class="command"><code>${table.command}</code> <${CopyButton} text=${table.command} label="Copy" /></p>
    </section>`;
}

const who = (row) => [row.subject, row.predicate && row.predicate.replaceAll("_", " "), row.object].filter(Boolean).join(" · ") || "the video";
const film = (row, table) => table.names[row.video_id] || row.video_id;
const corrected = (row) => (row.corrected === null ? "" : `${number(row.corrected)}${row.corrected_low === null ? "" : ` (${number(row.corrected_low)} to ${number(row.corrected_high)})`}`);

function Table({ rows, table, binned }) {
  const has = rows.some((row) => row.corrected !== null);
  return html`<div class="scroll tall" tabindex="0" role="region" aria-label="Values"><table>
    <thead><tr><th>Video</th><th>About</th>${binned && html`<th class="num">Bin</th>`}<th class="num">Value (${table.measure.unit || "no unit"})</th>${has && html`<th class="num">Corrected (95 %)</th>`}<th class="num">Processed</th><th>Rests on</th><th>Moment</th></tr></thead>
    <tbody>${rows.map((row) => html`<tr>
      <td><a href=${`/ui${videoPath(row.video_id)}`} title=${row.video_id}>${film(row, table)}</a></td><td>${who(row)}</td>
      ${binned && html`<td class="num">${clock(row.bin_begin_s ?? 0)}–${clock(row.bin_end_s ?? 0)}</td>`}
      <td class="num">${row.value === null ? html`<span class="note">${row.missing ? `not known: ${row.missing}` : "none"}</span>` : number(row.value)}</td>
      ${has && html`<td class="num">${corrected(row)}</td>`}
      <td class="num">${row.processed_s === null ? "" : `${number(row.processed_s)} s`}</td><td>${row.basis || ""}${row.values === "corrected" ? ", corrected by people" : ""}</td>
      <td>${row.begin_s === null ? "" : html`<a href=${`/ui${videoPath(row.video_id)}?t=${row.begin_s}${row.end_s === null ? "" : `&end=${row.end_s}`}`}>${clock(row.begin_s, 1)}</a>`}</td>
    </tr>`)}</tbody></table></div>`;
}

function grouped(rows, key) {
  const groups = new Map();
  for (const row of rows) (groups.get(key(row)) || groups.set(key(row), []).get(key(row))).push(row);
  return groups;
}

function niceMax(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= value * 0.999);
}

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b), n = sorted.length;
  return n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
};

// One line for each subject and object: a dot per video, a bar at the median.
function ByPair({ rows, table }) {
  const groups = useMemo(() => [...grouped(rows, who)].sort((a, b) => median(b[1].map((r) => r.value)) - median(a[1].map((r) => r.value))).slice(0, 40), [rows]);
  const low = Math.min(0, ...rows.map((row) => row.value)), high = niceMax(Math.max(...rows.map((row) => row.value)));
  const [width, left, line, top] = [860, 220, 26, 8];
  const x = (value) => left + ((value - low) / (high - low || 1)) * (width - left - 30);
  const height = top + groups.length * line + 36;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
  const about = `${table.measure.name.replaceAll("_", " ")}: ${groups.map(([name, found]) => `${name} ${number(median(found.map((r) => r.value)))}`).join(", ")}`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Plot by video"><svg class="plot" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${about}>
    ${ticks.map((value) => html`<g key=${value}><line class="grid" x1=${x(value)} x2=${x(value)} y1=${top} y2=${height - 34} /><text class="tick" x=${x(value)} y=${height - 18} text-anchor="middle">${number(value)}</text></g>`)}
    ${groups.map(([name, found], n) => {
      const y = top + n * line + line / 2, middle = median(found.map((row) => row.value));
      return html`<g key=${name}><text class="name" x=${left - 10} y=${y + 4} text-anchor="end">${name.length > 32 ? `${name.slice(0, 31)}…` : name}<title>${name}</title></text>
        ${found.map((row) => html`<circle class="dot" cx=${x(row.value)} cy=${y} r="5"><title>${film(row, table)}: ${number(row.value)} ${table.measure.unit}</title></circle>`)}
        ${found.length > 1 && html`<line class="median" x1=${x(middle)} x2=${x(middle)} y1=${y - 9} y2=${y + 9}><title>median ${number(middle)}</title></line>`}</g>`;
    })}
    <text class="tick" x=${width - 30} y=${height - 3} text-anchor="end">${table.measure.name.replaceAll("_", " ")}${table.measure.unit ? ` (${table.measure.unit})` : ""}; a dot is a video, the bar their median</text>
  </svg></div>`;
}

// Values of bins as lines, one for each video and pair.
function OverTime({ rows, table }) {
  const several = new Set(rows.map((row) => row.video_id)).size > 1;
  const series = useMemo(() => [...grouped(rows, (row) => `${who(row)}${several ? ` in ${film(row, table)}` : ""}`)].slice(0, 8), [rows]);
  const end = Math.max(...rows.map((row) => row.bin_end_s ?? 0)), high = niceMax(Math.max(...rows.map((row) => row.value)));
  const [width, height, left, bottom, top] = [860, 300, 56, 40, 10];
  const x = (t) => left + (t / (end || 1)) * (width - left - 20), y = (value) => top + (1 - value / high) * (height - top - bottom);
  const middle = (row) => ((row.bin_begin_s ?? 0) + (row.bin_end_s ?? 0)) / 2;
  const hidden = new Set(rows.map((row) => `${who(row)}${row.video_id}`)).size - series.length;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Plot over time"><svg class="plot" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${`${table.measure.name.replaceAll("_", " ")} over time, ${series.length} lines`}>
    ${[0, 0.25, 0.5, 0.75, 1].map((share) => html`<g key=${share}><line class="grid" x1=${left} x2=${width - 20} y1=${y(share * high)} y2=${y(share * high)} /><text class="tick" x=${left - 8} y=${y(share * high) + 4} text-anchor="end">${number(share * high)}</text>
      <text class="tick" x=${x(share * end)} y=${height - 20} text-anchor="middle">${clock(share * end)}</text></g>`)}
    ${series.map(([name, found], n) => {
      const ordered = [...found].sort((a, b) => a.bin_begin_s - b.bin_begin_s);
      return html`<g key=${name} stroke=${COLOURS[n]} fill=${COLOURS[n]}><polyline class="curve" points=${ordered.map((row) => `${x(middle(row)).toFixed(1)},${y(row.value).toFixed(1)}`).join(" ")} />
        ${ordered.map((row) => html`<circle cx=${x(middle(row))} cy=${y(row.value)} r="3"><title>${name}, ${clock(row.bin_begin_s)}: ${number(row.value)} ${table.measure.unit}</title></circle>`)}</g>`;
    })}
    <text class="tick" x=${width - 20} y=${height - 3} text-anchor="end">${table.measure.name.replaceAll("_", " ")}${table.measure.unit ? ` (${table.measure.unit})` : ""} in each bin</text>
  </svg></div>
  <p class="legend">${series.map(([name], n) => html`<span key=${name}><i class=${`key c${n}`}></i> ${name}</span>`)}${hidden > 0 && html`<span>${hidden} more are in the table</span>`}</p>`;
}
