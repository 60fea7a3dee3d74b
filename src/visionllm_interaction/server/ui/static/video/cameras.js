// The other cameras of a session beside the player, in step with it on the clock of the session.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { api, videoPath } from "../shared/api.js";
import { useSource } from "../shared/video_source.js";

const SEEK_FROM_S = 0.25;
const IN_STEP_S = 0.005;
const MOST_FASTER = 0.1;

// Other videos of the session that run at some time of this one.
export function camerasBeside(content, id) {
  const { session } = content;
  if (!session) return [];
  const [begin, end] = [session.offset_s, session.offset_s + content.duration_s];
  return session.videos.filter((one) => one.video_id !== id && one.begin_s < end && one.end_s > begin);
}

// handle.current gets a function that brings all cameras to a time of the player: (seconds, {playing, rate}).
export function Cameras({ content, id, handle }) {
  const places = camerasBeside(content, id);
  const followers = useRef(new Map()).current;
  handle.current = (time, how) => followers.forEach((follow) => follow(content.session.offset_s + time, how));
  useEffect(() => () => {
    handle.current = null;
  }, []);
  return html`<div class="cameras" role="group" aria-label="Other cameras">${places.map((one) => html`<${Camera} key=${one.video_id} place=${one} followers=${followers} />`)}</div>`;
}

function Camera({ place, followers }) {
  const [video, setVideo] = useState(null);
  useEffect(() => {
    api(videoPath(place.video_id)).then(setVideo, () => setVideo({ playable: false }));
  }, [place.video_id]);
  const name = place.camera || place.name;
  return html`<figure class="camera"><figcaption><a href=${`/ui${videoPath(place.video_id)}`} title=${place.name}>${name}</a></figcaption>
    ${video === null ? html`<p class="note">Loading …</p>` : video.playable ? html`<${Film} place=${place} video=${video} name=${name} followers=${followers} />` : html`<p class="note">No copy of it is kept here.</p>`}</figure>`;
}

function Film({ place, video, name, followers }) {
  const film = useRef(null);
  const last = useRef([0, { playing: false, rate: 1 }]);
  const [source, failed] = useSource(video);
  const [away, setAway] = useState(false);
  const follow = (time, how) => {
    last.current = [time, how];
    const own = film.current;
    if (!own || !own.duration) return;
    // Both ends are known on the clock of the session, so that a clock that runs faster is followed, too.
    const pace = own.duration / (place.end_s - place.begin_s);
    const wanted = (time - place.begin_s) * pace;
    const outside = wanted < 0 || wanted > own.duration;
    setAway(outside);
    if (outside || !how.playing) own.pause();
    if (outside) return;
    const behind = wanted - own.currentTime;
    if (!how.playing || Math.abs(behind) > SEEK_FROM_S) {
      if (Math.abs(behind) > IN_STEP_S && !own.seeking) own.currentTime = wanted;
    }
    own.playbackRate = how.rate * pace * (1 + Math.max(-MOST_FASTER, Math.min(MOST_FASTER, behind)));
    if (how.playing && own.paused) own.play().catch(() => {});
  };
  useEffect(() => {
    followers.set(place.video_id, follow);
    return () => followers.delete(place.video_id);
  }, []);
  const again = () => follow(...last.current);
  if (source === null) return html`<p class="note">This browser cannot play it.</p>`;
  return html`<div class=${away ? "camera-film away" : "camera-film"}>${source && html`<video ref=${film} src=${source} muted playsinline preload="auto" onLoadedData=${again} onSeeked=${again} onError=${failed} aria-label=${`Camera ${name}`}></video>`}
    ${away && html`<p class="note">This camera does not run at this time.</p>`}</div>`;
}
