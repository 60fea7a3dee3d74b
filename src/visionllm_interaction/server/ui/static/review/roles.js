// Who somebody is: crops of a tracked person, and the roles that can be given.
import { html, useEffect, useRef, useState } from "../vendor/htm-preact.js";
import { clock } from "../shared/format.js";

export const CROP_PX = 150;
export const ROLES = [
  ["child", "Child", "c"],
  ["caregiver", "Caregiver", "a"],
  ["other", "Other adult", "o"],
  ["unknown", "Cannot tell", "u"],
];
const EVIDENCE = { face: "the face", proportions: "proportions of the body", look: "looks", size: "size beside others" };

// What the analysis says about somebody, in words.
export function estimateOf({ child_probability: chance, evidence }) {
  if (chance === null) return "the images do not tell a child from an adult";
  const by = evidence.length ? `, by ${evidence.map((one) => EVIDENCE[one] || one).join(", ")}` : "";
  return `the images say: child with ${Math.round(100 * chance)} %${by}`;
}

export const spanOf = (person) => `${clock(person.begin_s, 1)} to ${clock(person.end_s, 1)}`;

// cut: gives a promise of canvases; it is asked again when who changes.
export function Crops({ cut, who, label }) {
  const place = useRef(null);
  const [state, setState] = useState("cutting");
  useEffect(() => {
    let gone = false;
    setState("cutting");
    place.current.replaceChildren();
    cut().then((found) => {
      if (gone) return;
      place.current.replaceChildren(...found);
      setState(found.length ? "there" : "none");
    }, (problem) => gone || setState(problem.message));
    return () => (gone = true);
  }, [who]);
  return html`<div class="crops" role="img" aria-label=${label}>
    <div class="crop-strip" ref=${place}></div>
    ${state !== "there" && html`<p class="note">${{ cutting: "Cutting images out of the video …", none: "No image of this person." }[state] || state}</p>`}
  </div>`;
}
