// A plot as a file of its own: its looks go with it, since a style sheet does not.
const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "font-family", "font-size", "text-anchor"];

export function saveSvg(plot, name) {
  const copy = plot.cloneNode(true);
  const [from, to] = [plot, copy].map((one) => one.querySelectorAll("*"));
  from.forEach((element, n) => {
    const style = getComputedStyle(element);
    for (const look of LOOKS) to[n].setAttribute(look, style.getPropertyValue(look));
  });
  const [, , width, height] = plot.getAttribute("viewBox").split(" ");
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of Object.entries({ width, height, fill: getComputedStyle(plot.closest(".panel")).backgroundColor })) back.setAttribute(key, value);
  copy.prepend(back);
  for (const [key, value] of Object.entries({ width, height, xmlns: "http://www.w3.org/2000/svg" })) copy.setAttribute(key, value);
  const address = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
