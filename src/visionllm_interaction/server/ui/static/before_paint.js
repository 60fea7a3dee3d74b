// Runs before the page is drawn: the theme that was chosen here last, else the one of the system; and on the page of a
// video the request for its timeline, which takes longest, so that it is on its way while the scripts are loaded.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("theme");
  } catch {
    // Storage is closed: the system decides.
  }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  const video = location.pathname.match(/^\/ui\/videos\/([^/]+)$/);
  if (video) window.earlyTimeline = fetch(`/v1/videos/${video[1]}/timeline`).catch(() => null);
})();
