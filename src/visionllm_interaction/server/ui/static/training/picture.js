// A picture with its caption, fetched when it comes into view; a click shows it large.
import { html, useState } from "../vendor/htm-preact.js";

export function Picture({ address, text }) {
  const [large, setLarge] = useState(false);
  const [gone, setGone] = useState(false);
  const shown = (dialog) => dialog && !dialog.open && dialog.showModal();
  if (gone) return html`<p class="note">${text}: the image cannot be shown.</p>`;
  return html`<figure class="picture"><button class="picture-button" onClick=${() => setLarge(true)} aria-label=${`Show large: ${text}`}><img src=${address} alt="" loading="lazy" onError=${() => setGone(true)} /></button><figcaption>${text}</figcaption></figure>
    ${large && html`<dialog ref=${shown} class="panel large-picture" aria-label=${text} onClose=${() => setLarge(false)} onClick=${() => setLarge(false)}><img src=${address} alt=${text} /><p class="note">${text}</p><button class="button small" autofocus>Close</button></dialog>`}`;
}
