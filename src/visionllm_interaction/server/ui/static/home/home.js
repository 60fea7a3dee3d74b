// The home page: projects, uploads, the videos with their states, the ask box.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { AskBox } from "../shared/ask.js";
import { videoPath, watch } from "../shared/api.js";
import { mayChange, useMe } from "../shared/me.js";
import { chosenProject, projectNames, Projects } from "./projects.js";
import { Uploader } from "./uploader.js";
import { VideoList } from "./video_list.js";

const REFRESH_S = 2;

export function Home() {
  const [videos, setVideos] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const me = useMe();
  const [project, setProject] = useState(chosenProject);
  useEffect(() => watch("/videos", REFRESH_S, (content, problem) => {
    setTrouble(problem);
    if (content) setVideos(content.videos);
  }), []);
  const choose = (name) => {
    history.replaceState(null, "", name ? `?project=${encodeURIComponent(name)}` : "/ui/");
    setProject(name);
  };
  const names = projectNames(me, videos, project);
  const may = mayChange(me);
  const shown = videos && videos.filter((one) => project === null || one.project === project);
  const some = videos && videos.some((one) => one.analysed);
  return html`<main class="page wide">
    <div class="columns">
      <section class="panel" aria-labelledby="videos-title">
        <h1 id="videos-title">${project === null ? "Videos" : `Videos of ${project}`}</h1>
        <${Notice} />
        <${Projects} names=${names} videos=${videos} chosen=${project} choose=${choose} mayMake=${may && me.projects === null} />
        ${trouble && html`<p class="refused" role="alert">${trouble.words}</p>`}
        ${may && html`<${Uploader} projects=${names} project=${project} />`}
        ${videos === null ? !trouble && html`<p class="note">Loading …</p>` : html`<${VideoList} videos=${shown} project=${project} mayChange=${may} />`}
      </section>
      ${some ? html`<${AskBox} onEvidence=${openEvidence} />` : html`<${FirstSteps} />`}
    </div>
  </main>`;
}

export function openEvidence(item) {
  const times = item.begin_s === null ? "" : `?t=${item.begin_s}${item.end_s === null ? "" : `&end=${item.end_s}`}`;
  location.assign(`/ui${videoPath(item.video_id)}${times}`);
}

// What is wrong with the service, above the uploads.
function Notice() {
  const [text, setText] = useState("");
  useEffect(() => {
    let timer = null, gone = false;
    const look = async () => {
      const response = await fetch("/v1/readyz").catch(() => null);
      const ready = response && (await response.json().catch(() => null));
      if (gone) return;
      setText(ready ? notice(ready) : "");
      timer = setTimeout(look, ready && ready.parts.detector === "loading" ? 1500 : 15000);
    };
    look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, []);
  return text && html`<p class="notice" role="status">${text}</p>`;
}

function notice({ parts, reasons }) {
  if (parts.detector === "loading") return "The detector is still loading; uploads wait for it.";
  if (parts.detector === "failed") return `Videos cannot be analysed: ${reasons.detector}`;
  if (parts.detector === "not configured") return "This service has no detector: it answers questions about its store, and takes no videos. Start it with -o serve.detector=FILE to analyse some.";
  if (parts.disk === "nearly full") return "The disk is nearly full: erase videos that are no longer needed.";
  if (parts.store === "not writable") return "The store cannot be written: check the rights of its folder.";
  return "";
}

function FirstSteps() {
  return html`<aside class="panel ask" aria-labelledby="first-title">
    <h2 id="first-title">Ask</h2>
    <p>Once a video is analysed, questions are answered here: each number with the moment in the video that proves it.</p>
    <ol class="steps"><li>Drop a video on the left, or on a command line <code>visionllm analyze VIDEO --store STORE</code>.</li>
    <li>Wait until it says <em>analysed</em>.</li><li>Open it, or ask.</li></ol>
  </aside>`;
}

