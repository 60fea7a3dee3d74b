// Losses and average precision over the epochs of a training, as two plots.
import { html } from "../vendor/htm-preact.js";
import { number } from "../shared/format.js";
import { saveSvg } from "../measures/save_svg.js";

const PLOTS = [
  ["Average precision", [["AP", "AP"], ["AP50", "AP50"]]],
  ["Loss", [["train_loss", "all, train"], ["val_loss", "all, val"], ["classifier", "category"], ["box_reg", "box"], ["objectness", "proposals"], ["rpn_box_reg", "proposal boxes"]]],
];
const COLOURS = ["#e07a1f", "#3a8fcf", "#2e9e5b", "#c25aa3", "#8a6fd6", "#d05252"];
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [560, 260, 48, 34, 10, 14];

export function Curves({ epochs, best }) {
  if (!epochs.length) return html`<p class="note">No epoch was completed.</p>`;
  return html`<div class="side-by-side">${PLOTS.map(([title, lines]) => {
    const drawn = lines.filter(([name]) => epochs.some((row) => Number.isFinite(row[name])));
    return drawn.length > 0 && html`<${Plot} key=${title} title=${title} lines=${drawn} epochs=${epochs} best=${best} />`;
  })}</div>`;
}

// The top of an axis from 0 that holds a value, and round marks on it, at most six.
export function scaleOf(most) {
  const unit = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * unit).find((one) => 5 * one >= most);
  const count = Math.ceil(most / step - 1e-9);
  return [count * step, Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(6)))];
}

function Plot({ title, lines, epochs, best }) {
  const values = lines.flatMap(([name]) => epochs.map((row) => row[name])).filter(Number.isFinite);
  const [high, marks] = scaleOf(Math.max(...values, 0.01)), last = Math.max(...epochs.map((row) => row.epoch), 1), first = Math.min(...epochs.map((row) => row.epoch), last);
  const x = (epoch) => LEFT + ((epoch - first) / Math.max(last - first, 1)) * (WIDTH - LEFT - RIGHT), y = (value) => TOP + (1 - Math.max(value, 0) / high) * (HEIGHT - TOP - BOTTOM);
  const step = Math.max(1, Math.ceil((last - first) / 8));
  const ticks = [...new Set(epochs.map((row) => row.epoch))].filter((epoch) => (epoch - first) % step === 0);
  const about = `${title} over ${epochs.length} epochs: ${lines.map(([name, text]) => `${text} ${number(epochs[0][name])} at first, ${number(epochs[epochs.length - 1][name])} at last`).join("; ")}`;
  const save = (event) => saveSvg(event.target.closest(".curve-plot").querySelector("svg"), `${title.toLowerCase().replace(" ", "_")}.svg`);
  return html`<div class="curve-plot"><div class="title-row"><h3>${title}</h3><span class="grow"></span><button class="button small quiet" onClick=${save} aria-label=${`Download SVG of ${title}`}>SVG</button></div>
    <svg class="plot narrow" viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label=${about}>
      ${marks.map((mark) => html`<g key=${mark}><line class="grid" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${y(mark)} y2=${y(mark)} /><text class="tick" x=${LEFT - 6} y=${y(mark) + 4} text-anchor="end">${mark}</text></g>`)}
      ${ticks.map((epoch) => html`<text key=${epoch} class="tick" x=${x(epoch)} y=${HEIGHT - 18} text-anchor="middle">${epoch}</text>`)}
      ${best !== null && html`<line class="best" x1=${x(best)} x2=${x(best)} y1=${TOP} y2=${HEIGHT - BOTTOM}><title>best epoch ${best}</title></line>`}
      ${lines.map(([name, text], n) => {
        const known = epochs.filter((row) => Number.isFinite(row[name]));
        return html`<g key=${name} stroke=${COLOURS[n]} fill=${COLOURS[n]}><polyline class="curve" points=${known.map((row) => `${x(row.epoch).toFixed(1)},${y(row[name]).toFixed(1)}`).join(" ")} />
          ${known.map((row) => html`<circle cx=${x(row.epoch)} cy=${y(row[name])} r="3"><title>${text}, epoch ${row.epoch}: ${number(row[name])}</title></circle>`)}</g>`;
      })}
      <text class="tick" x=${WIDTH - RIGHT} y=${HEIGHT - 3} text-anchor="end">epoch; the dashed line is the best</text>
    </svg><p class="legend">${lines.map(([name, text], n) => html`<span key=${name}><i class=${`key c${n}`}></i> ${text}</span>`)}</p></div>`;
}
