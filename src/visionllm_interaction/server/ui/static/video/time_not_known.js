// What the analysis does not know of a video, or knows less well: a table with the share of each reason.
import { html } from "../vendor/htm-preact.js";
import { clock } from "../shared/format.js";
import { POOR } from "./timeline_model.js";

export function TimeNotKnown({ content, onShow }) {
  const { poor, quality_measured: measured } = content.unknown;
  const whole = Math.max(content.duration_s, 0.001);
  return html`<section class="panel" aria-labelledby="unknown-title"><h2 id="unknown-title">What is not known</h2>
    ${poor.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label="Time of which less is known"><table>
      <thead><tr><th>Why</th><th class="num">Time</th><th class="num">Share</th><th>First</th><th>What it means</th></tr></thead>
      <tbody>${poor.map((one) => html`<tr key=${one.reason}><td>${POOR[one.reason][0]}</td><td class="num">${clock(one.seconds, 1)}</td>
        <td class="num share"><meter min="0" max="1" value=${one.seconds / whole} aria-label=${`Share of the video: ${POOR[one.reason][0]}`}></meter> ${(100 * one.seconds / whole).toFixed(1)} %</td>
        <td><button class="chip" onClick=${() => onShow(one.intervals[0][0], one.intervals[0][1], [])}>▸ ${clock(one.intervals[0][0], 1)}</button></td><td>${POOR[one.reason][1]}</td></tr>`)}</tbody></table></div>`}
    ${poor.length === 0 && measured && html`<p>All of the video was processed, and nothing of it is dark, blurred or shaken.</p>`}
    ${poor.length === 0 && !measured && html`<p>All of the video was processed.</p>`}
    ${!measured && html`<p class="note">Light, blur and camera motion were not measured when this video was analysed: nothing is said of them.</p>`}
    ${poor.length > 0 && html`<p class="note">Measures count this time like any other, except what was not processed. To leave it out: <code>${"& !poor_quality()"}</code>.</p>`}
  </section>`;
}
