// The frame of all pages, and which page an address is.
import { html, render, useState } from "./vendor/htm-preact.js";
import { Home } from "./home/home.js";
import { Measures } from "./measures/measures.js";
import { Review } from "./review/review.js";
import { RunList } from "./training/run_list.js";
import { RunReport } from "./training/run_report.js";
import { VideoPage } from "./video/video.js";

const PAGES = [
  [/^\/ui\/$/, () => html`<${Home} />`, "Videos"],
  [/^\/ui\/review$/, () => html`<${Review} />`, "Review"],
  [/^\/ui\/measures$/, () => html`<${Measures} />`, "Measures"],
  [/^\/ui\/training$/, () => html`<${RunList} />`, "Training"],
  [/^\/ui\/training\/([^/]+)$/, (run) => html`<${RunReport} run=${decodeURIComponent(run)} />`, "Run"],
  [/^\/ui\/videos\/([^/]+)$/, (id) => html`<${VideoPage} id=${decodeURIComponent(id)} />`, "Video"],
];

function Frame() {
  const path = location.pathname;
  const found = PAGES.find(([pattern]) => pattern.test(path));
  const page = found ? found[1](...path.match(found[0]).slice(1)) : html`<main class="page"><p class="panel">There is no such page. <a href="/ui/">All videos</a></p></main>`;
  const here = (address) => (path === address ? "page" : null);
  return html`
    <a class="skip" href="#content">To the content</a>
    <header class="top">
      <a class="brand" href="/ui/" aria-label="VisionLLM Interaction Analysis"><img src="/ui/static/favicon.svg" alt="" width="24" height="24" /> <span>VisionLLM <span class="wide-only">Interaction Analysis</span></span></a>
      <nav aria-label="Pages">
        <a href="/ui/" aria-current=${here("/ui/")}>Videos</a>
        <a href="/ui/review" aria-current=${here("/ui/review")}>Review</a>
        <a href="/ui/measures" aria-current=${here("/ui/measures")}>Measures</a>
        <a href="/ui/training" aria-current=${here("/ui/training")}>Training</a>
      </nav>
      <span class="grow"></span>
      <${ThemeButton} />
      ${document.body.dataset.keys === "true" && html`<form method="post" action="/logout"><button class="plain">Log out</button></form>`}
    </header>
    <div id="content">${page}</div>`;
}

function ThemeButton() {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const [theme, setTheme] = useState(document.documentElement.dataset.theme || system);
  const other = theme === "dark" ? "light" : "dark";
  const choose = () => {
    document.documentElement.dataset.theme = other;
    try {
      localStorage.setItem("theme", other);
    } catch {
      // Not kept: the next page follows the system again.
    }
    setTheme(other);
    dispatchEvent(new Event("themechange"));
  };
  return html`<button class="plain" onClick=${choose} aria-label=${`Use the ${other} theme`} title=${`Use the ${other} theme`}>${theme === "dark" ? "☀" : "☾"}</button>`;
}

render(html`<${Frame} />`, document.getElementById("app"));
