// The frame of all pages, and which page an address is.
import { html, render, useState } from "./vendor/htm-preact.js";

// Only the scripts of the page that is shown are loaded.
const PAGES = [
  [/^\/ui\/$/, async () => html`<${(await import("./home/home.js")).Home} />`],
  [/^\/ui\/review$/, async () => html`<${(await import("./review/review.js")).Review} />`],
  [/^\/ui\/measures$/, async () => html`<${(await import("./measures/measures.js")).Measures} />`],
  [/^\/ui\/training$/, async () => html`<${(await import("./training/run_list.js")).RunList} />`],
  [/^\/ui\/training\/([^/]+)$/, async (run) => html`<${(await import("./training/run_report.js")).RunReport} run=${decodeURIComponent(run)} />`],
  [/^\/ui\/videos\/([^/]+)$/, async (id) => html`<${(await import("./video/video.js")).VideoPage} id=${decodeURIComponent(id)} />`],
];

async function chosenPage() {
  const path = location.pathname;
  const found = PAGES.find(([pattern]) => pattern.test(path));
  return found ? found[1](...path.match(found[0]).slice(1)) : html`<main class="page"><p class="panel">There is no such page. <a href="/ui/">All videos</a></p></main>`;
}

function Frame({ page }) {
  const path = location.pathname;
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

render(html`<${Frame} page=${await chosenPage()} />`, document.getElementById("app"));
