// When something holds in all videos: a row per video, a bar per bout, hatched where it is not known.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { CopyButton } from "../shared/ask.js";
import { api, videoPath } from "../shared/api.js";
import { clock, number } from "../shared/format.js";
import { saveSvg } from "./save_svg.js";

const [WIDTH, LEFT, LINE, TOP, RIGHT] = [860, 220, 24, 8, 80];
const EXAMPLES = ["holding(child)", "near(child, caregiver)", "visible(child) & !visible(caregiver)"];

export function BoutRaster() {
  const first = new URLSearchParams(location.search).get("bouts") || EXAMPLES[0];
  const [text, setText] = useState(first);
  const [asked, setAsked] = useState(first);
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    const asking = new AbortController();
    setProblem(null);
    api(`/bouts?${new URLSearchParams({ expression: asked })}`, { signal: asking.signal }).then(setFound, (error) => {
      if (asking.signal.aborted) return;
      setFound(null);
      setProblem(error);
    });
    return () => asking.abort();
  }, [asked]);
  const show = (expression) => {
    setText(expression);
    setAsked(expression);
  };
  const send = (event) => {
    event.preventDefault();
    if (text.trim()) show(text.trim());
  };
  const save = () => saveSvg(document.querySelector("svg.raster"), "bouts.svg");
  return html`<section class="panel" aria-labelledby="raster-title">
    <div class="title-row plot-head"><h2 id="raster-title">Bouts in all videos</h2><span class="grow"></span>
      ${found && html`<button class="button small" onClick=${save}>Download SVG</button><a class="button small" href=${`/v1/bouts/csv?${new URLSearchParams({ expression: asked })}`} download="bouts.csv">Download CSV</a>`}</div>
    <form class="ask-row" onSubmit=${send}><input type="text" class="expression" value=${text} onInput=${(event) => setText(event.target.value)} aria-label="When does this hold?" maxlength="1000" spellcheck=${false} /><button class="button">Show</button></form>
    <p class="examples">${EXAMPLES.map((one) => html`<button class="button small quiet" key=${one} onClick=${() => show(one)}>${one}</button>`)}</p>
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${!found && !problem && html`<p class="note" role="status">Computing …</p>`}
    ${found && html`<${Raster} found=${found} />
      <p class="legend"><span><i class="key"></i> it holds (a click plays it)</span><span><i class="key hatched"></i> not known</span><span>nothing drawn: ${found.videos.some((one) => one.unknown === null) ? "it does not hold, or that is not known (moments and several names do not tell)" : "it does not hold"}</span>${found.left_out > 0 && html`<span>${found.left_out} more videos are in the CSV</span>`}</p>
      <p class="command"><code>${found.command}</code> <${CopyButton} text=${found.command} label="Copy" /></p>`}
  </section>`;
}

const there = (video, [begin, end]) => `/ui${videoPath(video.video_id)}?t=${begin}${end > begin ? `&end=${end}` : ""}`;

function Raster({ found }) {
  const { videos } = found;
  const longest = Math.max(...videos.map((one) => one.duration_s), 1);
  const x = (t) => LEFT + (t / longest) * (WIDTH - LEFT - RIGHT);
  const height = TOP + videos.length * LINE + 26;
  const about = `When ${found.expression} holds: ${videos.map((one) => `${one.name} ${one.bouts.length} times, ${number(one.seconds)} s`).join("; ")}`;
  const called = (one) => [one.child && `${one.child}${one.age_months === null ? "" : `, ${one.age_months} mo`}`, one.name].filter(Boolean).join(" · ");
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Bouts in all videos"><svg class="plot raster" viewBox=${`0 0 ${WIDTH} ${height}`} role="group" aria-label=${about}>
    <defs><pattern id="not-known" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-back" width="6" height="6" /><rect class="hatch-line" width="2" height="6" /></pattern></defs>
    ${[0, 0.25, 0.5, 0.75, 1].map((share) => html`<g key=${share}><line class="grid" x1=${x(share * longest)} x2=${x(share * longest)} y1=${TOP} y2=${height - 24} /><text class="tick" x=${x(share * longest)} y=${height - 8} text-anchor="middle">${clock(share * longest)}</text></g>`)}
    ${videos.map((one, n) => {
      const y = TOP + n * LINE + 4;
      const name = called(one);
      return html`<g key=${one.video_id}><a href=${there(one, one.bouts[0] || [0, 0])}><text class="name" x=${LEFT - 10} y=${y + 12} text-anchor="end">${name.length > 32 ? `${name.slice(0, 31)}…` : name}<title>${name}</title></text></a>
        <rect class="film-length" x=${x(0)} y=${y} width=${x(one.duration_s) - LEFT} height=${LINE - 8} rx="2" />
        ${(one.unknown || []).map(([begin, end]) => html`<rect fill="url(#not-known)" x=${x(begin)} y=${y} width=${Math.max(x(end) - x(begin), 1)} height=${LINE - 8}><title>not known from ${clock(begin, 1)} to ${clock(end, 1)}</title></rect>`)}
        ${one.bouts.map(([begin, end]) => html`<rect key=${begin} class="bout" x=${x(begin)} y=${y} width=${Math.max(x(end) - x(begin), 1.5)} height=${LINE - 8} rx="1" onClick=${() => location.assign(there(one, [begin, end]))}><title>${clock(begin, 1)} to ${clock(end, 1)}</title></rect>`)}
        <text class="tick" x=${WIDTH - RIGHT + 8} y=${y + 12}>${one.bouts.length} · ${number(one.seconds)} s</text></g>`;
    })}
  </svg></div>`;
}
