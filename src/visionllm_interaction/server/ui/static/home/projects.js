// The projects that the key sees, as a row of links; a new one is there once it has a video.
import { html, useState } from "../vendor/htm-preact.js";

const PATTERN = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}";
const MADE = "projects-made";

export const chosenProject = () => new URLSearchParams(location.search).get("project") || null;

// Names of projects that were made here and may have no video yet.
export function madeProjects() {
  try {
    const found = JSON.parse(sessionStorage.getItem(MADE) || "[]");
    return found.filter((one) => typeof one === "string");
  } catch {
    return [];
  }
}

function keepMade(name) {
  try {
    sessionStorage.setItem(MADE, JSON.stringify([...new Set([...madeProjects(), name])]));
  } catch {
    // Not kept: an empty project is forgotten with the page.
  }
}

// All names of projects; videos: null before they are known.
export function projectNames(me, videos, chosen) {
  const own = me ? me.projects || [...me.known_projects, "default"] : [];
  const found = new Set([...own, ...(me?.projects ? [] : madeProjects()), ...(videos || []).map((one) => one.project).filter(Boolean)]);
  if (chosen && !me?.projects) found.add(chosen);
  return [...found].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}

export function Projects({ names, videos, chosen, choose, mayMake }) {
  const [making, setMaking] = useState(false);
  const count = (name) => (videos || []).filter((one) => name === null || one.project === name).length;
  const link = (name, text) => html`<a class="tab" href=${name ? `/ui/?project=${encodeURIComponent(name)}` : "/ui/"} aria-current=${chosen === name ? "true" : null}
    onClick=${(event) => { event.preventDefault(); choose(name); }}>${text} <span class="count">${count(name)}</span></a>`;
  const make = (event) => {
    event.preventDefault();
    const name = new FormData(event.target).get("name").trim();
    keepMade(name);
    setMaking(false);
    choose(name);
  };
  return html`<nav class="tabs" aria-label="Projects">
    ${link(null, "All projects")}${names.map((name) => link(name, name))}
    ${mayMake && !making && html`<button class="button small" onClick=${() => setMaking(true)}>+ New project</button>`}
    ${making && html`<form class="form-row" onSubmit=${make}><label class="hidden" for="project-name">Name of the new project</label>
      <input id="project-name" name="name" type="text" required pattern=${PATTERN} title="1 to 64 letters, digits, dots, hyphens or underscores" placeholder="Name, such as dyads-2026" autofocus autocomplete="off" />
      <button class="button small primary">Create</button><button type="button" class="button small quiet" onClick=${() => setMaking(false)}>Cancel</button></form>`}
  </nav>`;
}
