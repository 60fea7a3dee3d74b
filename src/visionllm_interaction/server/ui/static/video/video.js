// The page of one video: player, timeline, ask box; or how far its analysis is, or why it failed.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { AskBox } from "../shared/ask.js";
import { api, videoPath, watch } from "../shared/api.js";
import { mayChange, useMe } from "../shared/me.js";
import { day, seconds, VIEWS } from "../shared/format.js";
import { openEvidence } from "../home/home.js";
import { EraseButton, Failure, stateOf } from "../home/video_list.js";
import { AboutVideo } from "./about_video.js";
import { Exports } from "./exports.js";
import { Player } from "./player.js";

const POLL_S = 1;
const LATER_MS = 300;

// The answer to the request of before_paint.js; null where it has to be asked for again, which then says what is wrong.
const earlyTimeline = () => (window.earlyTimeline || Promise.resolve(null)).then((response) => (response && response.ok ? response.json() : null)).catch(() => null);

function asked() {
  const query = new URLSearchParams(location.search);
  const time = (name) => (Number.isFinite(parseFloat(query.get(name))) ? parseFloat(query.get(name)) : null);
  return time("t") === null ? null : [time("t"), time("end")];
}

export function VideoPage({ id }) {
  const may = mayChange(useMe());
  const [video, setVideo] = useState(null);
  const [problem, setProblem] = useState(null);
  const player = useRef(null);
  // Asked for at once: the timeline of hours takes longer than to learn that the video is analysed.
  const [early] = useState(() => earlyTimeline());
  // What nobody waits for is asked once the timeline is there.
  const [drawn] = useState(() => early.then(() => new Promise((done) => setTimeout(done, LATER_MS))));
  useEffect(() => {
    const stop = watch(videoPath(id), POLL_S, (content, trouble) => {
      setProblem(trouble);
      if (content) setVideo(content);
      if (content && content.analysed) stop();
      if (trouble && trouble.status === 404) stop();
    });
    return stop;
  }, [id]);
  useEffect(() => {
    if (video) document.title = `${video.name || id} · VisionLLM`;
  }, [video]);
  if (problem && problem.status === 404) return html`<main class="page"><section class="panel empty"><h1>${video ? "This video has been erased." : "There is no video with this id."}</h1><p><a href="/ui/">All videos</a></p></section></main>`;
  if (!video) return html`<main class="page"><h1 class="hidden">Video</h1><p class="panel">${problem ? problem.words : "Loading …"}</p></main>`;
  const evidence = (item) => {
    if (item.video_id === id && item.begin_s !== null) player.current?.showInterval(item.begin_s, item.end_s, item.track_ids);
    else openEvidence(item);
  };
  const { child, age_months: age, recorded_on: on } = video.covariates || {};
  const facts = [child && `child ${child}`, age !== undefined && `${age} months`, on && `recorded ${on}`, seconds(video.duration_s), video.width ? `${video.width} × ${video.height}` : "", VIEWS[video.view],
    video.uploaded_at ? `uploaded ${day(video.uploaded_at)}` : `analysed ${day(video.analysed_at)}`, `id ${id}`];
  return html`<main class="page wide">
    <div class="title-row"><h1>${video.name || id}</h1><span class="note grow">${facts.filter(Boolean).join(" · ")}</span>
      ${may && html`<span class="actions"><${AboutVideo} video=${video} changed=${setVideo} /><${EraseButton} video=${video} erased=${() => location.assign("/ui/")} /></span>`}</div>
    ${video.analysed
      ? html`<div class="columns"><${Player} video=${video} early=${early} show=${asked()} handle=${player} /><div class="side"><${AskBox} videoId=${id} onEvidence=${evidence} after=${drawn} /><${Exports} id=${id} may=${may} /></div></div>`
      : html`<${Waiting} video=${video} may=${may} />`}
  </main>`;
}

function Waiting({ video, may }) {
  const state = stateOf(video);
  if (state.kind === "bad") return html`<section class="panel"><h2>This video is not analysed</h2><${Failure} video=${video} mayChange=${may} /></section>`;
  return html`<section class="panel" role="status"><h2>The analysis is ${state.text}</h2>
    <progress class="wide-bar" value=${state.share ?? undefined} aria-label="Progress of the analysis"></progress>
    <p class="note">${state.left || "The page opens by itself once it is done."}</p></section>`;
}
