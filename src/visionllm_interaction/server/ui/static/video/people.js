// Everybody in a video: crops, and the role that somebody confirms.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { CropCutter } from "../shared/video_source.js";
import { Crops, estimateOf, ROLES, spanOf } from "../review/roles.js";

const CROP_PX = 110;

// source: the address of the video, if browsers play it; corrections: of this video; changed is called when a role was given.
export function People({ id, source, may, corrections, changed }) {
  const [people, setPeople] = useState(null);
  const [problem, setProblem] = useState(null);
  const [joining, setJoining] = useState(false);
  const [cutter, setCutter] = useState(null);
  useEffect(() => {
    api(videoPath(id, "/roles")).then((found) => setPeople(found.people), setProblem);
  }, [id, corrections.list?.revision]);
  useEffect(() => {
    if (!source) return undefined;
    const made = new CropCutter(source);
    setCutter(made);
    return () => made.close();
  }, [source]);
  const give = async (person, role) => {
    try {
      setPeople((await api(videoPath(id, "/roles"), { method: "PUT", body: { roles: { [person.track_id]: role } } })).people);
      setProblem(null);
      changed();
    } catch (error) {
      setProblem(error);
    }
  };
  // Two tracks of one person, who left and came back: a correction, which the panel lists and undoes.
  const join = (person) => {
    setJoining(true);
    setProblem(null);
    corrections.send({ kind: "identity", action: "merge", track_id: person.may_be_track_id, other_track_id: person.track_id });
  };
  const shown = problem || (joining ? corrections.problem : null);
  if (people !== null && !people.length) return null;
  const waiting = (people || []).filter((one) => !one.reviewed).length;
  return html`<section class="panel" aria-labelledby="people-title">
    <div class="title-row"><h2 id="people-title">Roles</h2><span class="note">${people === null ? "" : waiting ? `${waiting} of ${people.length} to confirm` : "all confirmed"}</span></div>
    ${shown && html`<p class="refused" role="alert">${shown.words}</p>`}
    <ul class="people">${(people || []).map((one) => html`<li key=${one.track_id}>
      <h3>Track ${one.track_id}: ${one.role || "unknown"} <span class="note">${spanOf(one)}; ${one.reviewed ? "confirmed" : estimateOf(one)}</span></h3>
      ${cutter && html`<${Crops} cut=${() => cutter.cut(one.crops, CROP_PX)} who=${one.track_id} label=${`Images of track ${one.track_id}`} />`}
      ${one.may_be_track_id !== null && html`<p class="note">Looks like track ${one.may_be_track_id}, which ended ${one.away_s.toFixed(1)} s before; colours cannot tell whether it is the same person. ${may && html`<button class="button small" disabled=${corrections.busy} onClick=${() => join(one)}>Same person as track ${one.may_be_track_id}</button>`}</p>`}
      ${may && html`<div class="here" role="group" aria-label=${`Role of track ${one.track_id}`}>${ROLES.map(([role, text]) => html`<button class="button small" aria-pressed=${one.reviewed && (one.role || "unknown") === role} onClick=${() => give(one, role)}>${text}</button>`)}
        ${one.reviewed && html`<button class="button small quiet" onClick=${() => give(one, "estimated")}>As estimated</button>`}</div>`}
    </li>`)}</ul>
  </section>`;
}
