// A card in Markdown (headings, lists, tables, paragraphs), made into elements; its text is never markup.
import { html } from "../vendor/htm-preact.js";

export function Card({ title, text, name }) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
    Object.assign(document.createElement("a"), { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  };
  return html`<details class="panel model-card"><summary><h2>${title}</h2></summary><p><button class="button small" onClick=${save}>Download ${name}</button></p>${text.split(/\n{2,}/).map(block)}</details>`;
}

const cells = (line) => line.replace(/^\| | \|$/g, "").split(/(?<!\\) \| /).map((cell) => cell.replaceAll("\\|", "|"));

function block(text, n) {
  if (text.startsWith("# ")) return null; // the name of the card is above it
  if (text.startsWith("## ")) return html`<h3 key=${n}>${text.slice(3)}</h3>`;
  const lines = text.trim().split("\n");
  if (lines[0].startsWith("| ")) {
    const [head, , ...rows] = lines;
    return html`<div class="scroll" key=${n} tabindex="0" role="region" aria-label=${`Table of ${cells(head)[0]}`}><table><thead><tr>${cells(head).map((cell) => html`<th>${cell}</th>`)}</tr></thead><tbody>${rows.map((row) => html`<tr>${cells(row).map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
  }
  if (lines[0].startsWith("* ")) return html`<ul key=${n}>${lines.map((line) => html`<li>${line.slice(2)}</li>`)}</ul>`;
  return html`<p key=${n}>${text}</p>`;
}
