// The review queue: people whose role nobody has confirmed, one after the other, by keys.
import { html, useEffect, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { mayChange, useMe } from "../shared/me.js";
import { CropCutter } from "../shared/video_source.js";
import { Crops, CROP_PX, estimateOf, ROLES, spanOf } from "./roles.js";

const FILMS_KEPT = 2;
const keyOf = (person) => `${person.video_id} ${person.track_id}`;

export function Review() {
  const me = useMe();
  const [queue, setQueue] = useState(null);
  const [names, setNames] = useState({});
  const [total, setTotal] = useState(0);
  const [made, setMade] = useState([]);
  const [problem, setProblem] = useState(null);
  const [cropsOf] = useState(() => new CropsOfPeople());
  const read = () => api("/roles?limit=500").then((found) => {
    setQueue(found.people);
    setNames(found.names);
    setTotal(found.total);
  }, setProblem);
  useEffect(() => {
    read();
    return () => cropsOf.close();
  }, []);
  const person = queue && queue[0];
  useEffect(() => {
    if (queue && queue[1]) cropsOf.get(queue[1]).catch(() => {});
  }, [queue]);
  const send = (one, role) => api(videoPath(one.video_id, "/roles"), { method: "PUT", body: { roles: { [one.track_id]: role } } });
  const give = async (role) => {
    if (!person || !mayChange(me)) return;
    // The next one is shown at once; if this one is refused, it comes back.
    setQueue((all) => all.slice(1));
    setMade((all) => [...all, { person, role }]);
    setProblem(null);
    await send(person, role).catch((error) => {
      setProblem(error);
      setMade((all) => all.filter((one) => one.person !== person));
      setQueue((all) => [person, ...all]);
    });
  };
  const skip = () => person && setQueue((all) => [...all.slice(1), person]);
  const undo = async () => {
    const last = made[made.length - 1];
    if (!last) return;
    setMade((all) => all.slice(0, -1));
    setQueue((all) => [last.person, ...all]);
    await send(last.person, "estimated").catch(setProblem);
  };
  const keys = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) return;
    const key = event.key.toLowerCase();
    const role = ROLES.find((one) => one[2] === key);
    if (role) give(role[0]);
    else if (key === "s") skip();
    else if (key === "z") undo();
    else return;
    event.preventDefault();
  };
  useEffect(() => {
    addEventListener("keydown", keys);
    return () => removeEventListener("keydown", keys);
  });
  const left = total - made.length;
  return html`<main class="page"><section class="panel review" aria-labelledby="review-title">
    <div class="title-row"><h1 id="review-title">Roles to confirm</h1><span class="note grow" role="status">${queue === null ? "" : `${left} left, ${made.length} confirmed now`}</span>
      <button class="button small" onClick=${undo} disabled=${!made.length}>Undo <kbd>Z</kbd></button></div>
    ${queue !== null && total > 0 && html`<progress class="wide-bar" value=${total ? made.length / total : 1} aria-label="Confirmed of those that waited"></progress>`}
    ${problem && html`<p class="refused" role="alert">${problem.words}</p>`}
    ${queue === null && !problem && html`<p class="note" role="status">Looking …</p>`}
    ${queue !== null && !person && html`<div class="empty"><p><strong>Nobody waits.</strong></p><p>Every tracked person has a role that somebody confirmed. <a href="/ui/">To the videos</a></p></div>`}
    ${person && html`<${Card} key=${keyOf(person)} person=${person} name=${names[person.video_id] || person.video_id} cut=${() => cropsOf.get(person)} give=${give} skip=${skip} may=${mayChange(me)} />`}
  </section></main>`;
}

function Card({ person, name, cut, give, skip, may }) {
  const link = `/ui${videoPath(person.video_id)}?t=${person.begin_s}&end=${person.end_s}`;
  return html`<div class="card">
    <${Crops} cut=${cut} who=${keyOf(person)} label=${`Images of track ${person.track_id} of ${name}`} />
    <p class="who-is"><strong>Who is this?</strong> <span class="note">Track ${person.track_id} in <a href=${link}>${name}</a>, ${spanOf(person)}; now ${person.role || "unknown"}; ${estimateOf(person)}.</span></p>
    <div class="role-buttons" role="group" aria-label="Role">${ROLES.map(([role, text, key]) => html`<button class="button" disabled=${!may} onClick=${() => give(role)}>${text} <kbd>${key.toUpperCase()}</kbd></button>`)}
      <button class="button quiet" onClick=${skip}>Later <kbd>S</kbd></button></div>
    ${!may && html`<p class="note">Your key may look but not confirm.</p>`}
  </div>`;
}

// The crops of people, cut ahead; the films of the last videos stay open.
class CropsOfPeople {
  constructor() {
    this.known = new Map();
    this.videos = new Map();
  }

  get(person) {
    const key = keyOf(person);
    if (!this.known.has(key)) this.known.set(key, this.cut(person));
    return this.known.get(key);
  }

  async cut(person) {
    const { cutter, people } = await this.video(person.video_id);
    const found = people.find((one) => one.track_id === person.track_id);
    return found ? cutter.cut(found.crops, CROP_PX) : [];
  }

  video(id) {
    if (!this.videos.has(id)) {
      for (const old of [...this.videos.keys()].slice(0, Math.max(0, this.videos.size - FILMS_KEPT + 1))) {
        this.videos.get(old).then((one) => one.cutter.close(), () => {});
        this.videos.delete(old);
      }
      this.videos.set(id, this.open(id));
    }
    return this.videos.get(id);
  }

  async open(id) {
    const [video, { people }] = await Promise.all([api(videoPath(id)), api(videoPath(id, "/roles"))]);
    if (!video.playable) throw new Error("The file of this video is not here, so there are no images of it.");
    if (!video.browser_plays) await copyMade(id);
    return { cutter: new CropCutter(`/v1${videoPath(id, video.browser_plays ? "/file" : "/copy")}`), people };
  }

  close() {
    for (const one of this.videos.values()) one.then(({ cutter }) => cutter.close(), () => {});
  }
}

async function copyMade(id) {
  for (;;) {
    const response = await fetch(`/v1${videoPath(id, "/copy")}`, { method: "HEAD" });
    if (response.status === 200) return;
    if (response.status !== 202) throw new Error("Browsers cannot play this video, and no copy of it could be made.");
    await new Promise((go) => setTimeout(go, 2000));
  }
}
