"use strict";
(() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const bar = document.querySelector(".bar");
  const kept = () => { try { return localStorage.getItem("presscheck.style"); } catch { return null; } };
  const keep = (style) => { try { localStorage.setItem("presscheck.style", style); } catch { /* it is asked again */ } };

  /* On a site a style is a page of its own, and a heavy edition has parts: the way keeps the entry. */
  const wish = kept();
  for (const link of all("[data-style]")) {
    link.addEventListener("click", () => {
      keep(link.dataset.style);
      const edge = bar.getBoundingClientRect().bottom;
      const entry = scrollY > 0 && all(".entry").find((node) => node.getBoundingClientRect().bottom > edge + 8);
      if (entry && link.getAttribute("href") !== "#main") link.hash = entry.id;
    });
    const first = /\/(index\.html)?$/.test(location.pathname);
    if (wish === link.dataset.style && first && link.getAttribute("href") !== "#main") {
      location.replace(link.href + location.hash);
    }
  }
  let wanted = location.hash.slice(1);
  try { wanted = decodeURIComponent(wanted); } catch { /* it is no id of ours */ }
  if (wanted) addEventListener("DOMContentLoaded", () => {
    if (document.getElementById(wanted)) return;
    const link = all(".contents a").find((each) => each.getAttribute("href").endsWith("#" + wanted));
    if (link) location.replace(link.href);
  });
})();
