// From where a video is played, and crops of its frames.
import { useEffect, useState } from "../vendor/htm-preact.js";
import { videoPath } from "./api.js";

const COPY_POLL_MS = 2000;
const MARGIN = 0.1;

// The address to play: the file where browsers play it, else a copy; undefined while it is made, null where none plays.
export function useSource(video) {
  const path = (part) => `/v1${videoPath(video.video_id, part)}`;
  const [source, setSource] = useState(video.browser_plays ? path("/file") : undefined);
  const [wanted, setWanted] = useState(!video.browser_plays && video.playable);
  useEffect(() => {
    if (!wanted) return undefined;
    let timer = null;
    const look = async () => {
      const response = await fetch(path("/copy"), { method: "HEAD" }).catch(() => null);
      if (response && response.status === 200) setSource(path("/copy"));
      else if (response && response.status !== 202) setSource(null);
      else timer = setTimeout(look, COPY_POLL_MS);
    };
    look();
    return () => clearTimeout(timer);
  }, [wanted]);
  const failed = () => {
    if (wanted) return setSource(null);
    setSource(undefined);
    return setWanted(true);
  };
  return [source, failed];
}

// Cuts people out of the frames of one video, one frame after the other.
export class CropCutter {
  constructor(source) {
    this.film = document.createElement("video");
    Object.assign(this.film, { muted: true, preload: "auto", playsInline: true, src: source });
    this.last = Promise.resolve();
  }

  // crops: [{time_s, box_xyxy}]; gives a canvas for each, in order.
  cut(crops, height) {
    const job = this.last.then(async () => {
      const found = [];
      for (const crop of crops) {
        await this.seek(crop.time_s);
        found.push(this.draw(crop.box_xyxy, height));
      }
      return found;
    });
    this.last = job.catch(() => {});
    return job;
  }

  seek(time) {
    return new Promise((resolve, reject) => {
      const { film } = this;
      const done = (how) => () => {
        film.onseeked = film.onerror = null;
        how();
      };
      film.onseeked = done(resolve);
      film.onerror = done(() => reject(new Error("The video cannot be played.")));
      film.currentTime = time + 0.0005;
    });
  }

  draw([x1, y1, x2, y2], height) {
    const { film } = this;
    const more = MARGIN * Math.max(x2 - x1, y2 - y1);
    const [left, top] = [Math.max(x1 - more, 0), Math.max(y1 - more, 0)];
    const [w, h] = [Math.min(x2 + more, film.videoWidth) - left, Math.min(y2 + more, film.videoHeight) - top];
    const canvas = document.createElement("canvas");
    canvas.height = 2 * height;
    canvas.width = Math.max(1, Math.round((2 * height * w) / h));
    canvas.getContext("2d").drawImage(film, left, top, w, h, 0, 0, canvas.width, canvas.height);
    return canvas;
  }

  close() {
    this.film.removeAttribute("src");
    this.film.load();
  }
}
