"use strict";
(() => {
  const root = document.documentElement;
  const bar = document.querySelector(".bar");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const shown = (node) => node.getClientRects().length > 0;
  const kept = (name, value) => {
    try {
      if (value === undefined) return localStorage.getItem("presscheck." + name);
      localStorage.setItem("presscheck." + name, value);
    } catch { /* a browser that keeps nothing still reads */ }
    return null;
  };
  const language = () => document.querySelector("[name=language]:checked")?.value ?? root.lang;

  /* The choices of the last visit; on the first, the reader's own language if the page has it. */
  const korean = navigator.language.toLowerCase().startsWith("ko") ? "ko" : null;
  for (const name of ["language", "style", "scheme"]) {
    const wish = kept(name) ?? (name === "language" ? korean : null);
    const input = wish && all(`[name=${name}]`).find((each) => each.value === wish);
    if (input) input.checked = true;
  }
  root.lang = language();

  /* The place that is being read: statement, part, entry, whichever is still there after a switch. */
  let place = [];
  const top = (node) => node.getBoundingClientRect().top;
  const notePlace = () => {
    const edge = bar.getBoundingClientRect().bottom;
    const below = (node) => shown(node) && node.getBoundingClientRect().bottom > edge;
    place = [];
    if (scrollY === 0) return;
    const entry = all(".entry").find(below);
    if (!entry || top(entry) > edge + innerHeight / 3) return;
    const statements = all(".said > li", entry).filter(below);
    const whole = statements.find((node) => top(node) >= edge - 4);
    const statement = whole && top(whole) < edge + innerHeight / 3 ? whole : statements[0];
    if (statement && top(statement) < edge + innerHeight / 3) {
      const part = statement.closest(".part, .note-of-press");
      place.push({ list: part, index: [...statement.parentNode.children].indexOf(statement), top: top(statement) });
      place.push({ node: part, top: top(part) });
    }
    place.push({ node: entry, top: top(entry) });
  };
  const keepPlace = () => {
    for (const { node, list, index, top: was } of place) {
      const found = node ?? all(".said > li", list).filter(shown)[index];
      if (!found || !shown(found)) continue;
      scrollBy({ top: found.getBoundingClientRect().top - was, behavior: "instant" });
      return;
    }
  };
  bar.addEventListener("pointerdown", notePlace, true);
  bar.addEventListener("keydown", notePlace, true);
  document.addEventListener("change", (event) => {
    const { name, value } = event.target;
    if (!["language", "style", "scheme"].includes(name)) return;
    kept(name, value);
    darken();
    root.lang = language();
    if (name === "scheme") return;
    root.style.overflowAnchor = "none";
    keepPlace();
    requestAnimationFrame(() => root.style.removeProperty("overflow-anchor"));
    notePlace();
  });

  /* The evidence of one statement at a time. */
  let lit = null, pinned = false;
  const note = document.createElement("div");
  note.className = "evidence";
  note.id = "evidence";
  const make = (name, text, lang) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    if (lang) node.lang = lang;
    return node;
  };
  const words = (sentence, span) => {
    const quote = make("blockquote", "", sentence.parentNode.lang);
    quote.dir = "auto";
    const letters = [...sentence.textContent];
    const [from, to] = span ? span.split(":").map(Number) : [0, 0];
    quote.append(letters.slice(0, from).join(""));
    if (to > from) quote.append(make("mark", letters.slice(from, to).join("")));
    quote.append(letters.slice(to).join(""));
    return quote;
  };
  /* A page of a site has no abstracts: their sentences lie in a file beside it, asked for when one is wanted. */
  let sentences = null;
  window.presscheck = {
    evidence: (papers) => { sentences = papers; if (lit) { const [statement, pin] = [lit, pinned]; darken(); light(statement, pin); } },
  };
  const apart = (at) => {
    const [, paper, number] = at.getAttribute("href")?.match(/papers\/([^\/]+)\.html#p1s(\d+)$/) ?? [];
    const file = document.getElementById("main").dataset.evidence;
    if (!paper || !file) return null;
    if (sentences) {
      const text = sentences[paper]?.[number - 1];
      const list = make("ol", "", /[\uac00-\ud7a3]/.test(text) ? "ko" : "en");
      if (text) list.append(make("li", text));
      return list.firstChild;
    }
    if (!document.querySelector("script[data-evidence]")) {
      const script = make("script");
      script.dataset.evidence = "";
      script.src = file;
      document.head.append(script);
    }
    return null;
  };
  const held = (at) => {
    const target = at.getAttribute("href")?.startsWith("#") && document.getElementById(at.hash.slice(1));
    return target && target.matches(".source li") ? target : apart(at);
  };
  const name = (at) => {
    if (at.title) { at.setAttribute("aria-label", at.title); at.removeAttribute("title"); }
    return at.getAttribute("aria-label");
  };
  const darken = () => {
    if (!lit) return;
    lit.classList.remove("lit");
    for (const at of all(".at", lit)) at.removeAttribute("aria-describedby");
    for (const each of all(".source li.lit")) each.classList.remove("lit");
    note.remove();
    lit = null;
    pinned = false;
  };
  /* In the margin of a wide page the evidence follows the mark, and says what a folded mark would. */
  const margin = matchMedia("(min-width: 66rem)");
  const folded = (statement) => all(":scope > .margin > details:not([open])", statement).map((mark) => {
    const box = make("div");
    box.className = "noted " + statement.className;
    box.append(...all("p", mark).map((each) => each.cloneNode(true)));
    return box;
  });
  const light = (statement, pin) => {
    if (lit === statement) { pinned ||= pin; return; }
    darken();
    const cell = margin.matches && statement.closest(".entry") && statement.querySelector(".margin");
    const says = cell ? folded(statement) : [];
    const marks = all(".at", statement)
      .filter((at, place, every) => !at.href || place === every.findIndex((each) => each.href === at.href));
    if (!marks.length && !says.length) return;
    note.replaceChildren(...says, ...marks.map((at) => {
      const box = make("div");
      const sentence = held(at);
      box.append(make("p", name(at)));
      if (sentence) { box.append(words(sentence, at.dataset.span)); sentence.classList.add("lit"); }
      if (at.href) {
        const link = make("a", document.querySelector(sentence || at.hash ? "#say-here" : "#say-there").content
          .querySelector(`[lang=${statement.closest("[lang]").lang}]`).textContent);
        link.href = at.href;
        link.tabIndex = -1;
        box.append(link);
      }
      at.setAttribute("aria-describedby", "evidence");
      return box;
    }));
    (cell || statement).append(note);
    statement.classList.add("lit");
    lit = statement;
    pinned = pin;
  };
  const statementOf = (node) => node instanceof Element ? node.closest(".said > li") : null;
  const wide = matchMedia("(min-width: 66rem) and (hover: hover)");
  document.addEventListener("toggle", (event) => {
    if (!lit?.contains(event.target)) return;
    const [statement, pin] = [lit, pinned];
    darken();
    light(statement, pin);
  }, true);
  document.addEventListener("pointerover", (event) => {
    const statement = statementOf(event.target);
    if (statement) for (const at of all(".at[title]", statement)) name(at);
    if (!wide.matches || pinned || event.pointerType === "touch") return;
    if (statement?.closest(".entry")) light(statement, false); else darken();
  });
  document.addEventListener("focusin", (event) => {
    const statement = event.target.matches(".at:focus-visible") && statementOf(event.target);
    if (statement) light(statement, true);
    else if (pinned && !statementOf(event.target)) darken();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("a, summary, label, input")) return;
    const statement = statementOf(event.target);
    if (!statement || event.target.closest(".evidence") || String(getSelection())) return;
    if (lit === statement && pinned) darken(); else { darken(); light(statement, true); }
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") darken(); });
})();
