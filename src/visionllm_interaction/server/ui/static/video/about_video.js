// What is known of a video beside its images: project, child, age, day; changed in a dialog.
import { html, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";

export function AboutVideo({ video, changed }) {
  const [open, setOpen] = useState(false);
  const [problem, setProblem] = useState(null);
  const known = video.covariates || {};
  const save = async (event) => {
    event.preventDefault();
    const given = new FormData(event.target);
    const text = (name) => (given.get(name) || "").trim() || null;
    const body = { child: text("child"), age_months: text("age_months") === null ? null : Number(text("age_months")), recorded_on: text("recorded_on"), group: text("group") };
    if (text("project") && text("project") !== video.project) body.project = text("project");
    try {
      changed(await api(videoPath(video.video_id), { method: "PATCH", body }));
      setProblem(null);
      setOpen(false);
    } catch (error) {
      setProblem(error);
    }
  };
  const shown = (dialog) => dialog && !dialog.open && dialog.showModal();
  const field = (name, text, more) => html`<label>${text} <input name=${name} value=${known[name] ?? ""} autocomplete="off" ...${more} /></label>`;
  return html`<button class="button" onClick=${() => setOpen(true)}>Details</button>
    ${open && html`<dialog ref=${shown} class="panel" aria-labelledby="about-title" onClose=${() => setOpen(false)}>
      <h2 id="about-title">Details of ${video.name || video.video_id}</h2>
      <form class="about" onSubmit=${save}>
        ${field("child", "Child (an id, no name)", { type: "text", maxlength: 200 })}
        ${field("age_months", "Age in months", { type: "number", min: 0, max: 1200, step: "any" })}
        ${field("recorded_on", "Day of the recording", { type: "date" })}
        ${field("group", "Group", { type: "text", maxlength: 200 })}
        <label>Project <input name="project" type="text" value=${video.project || ""} pattern="[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}" /></label>
        ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
        <p class="buttons"><button class="button primary">Save</button> <button type="button" class="button" onClick=${() => setOpen(false)}>Cancel</button></p>
      </form></dialog>`}`;
}
