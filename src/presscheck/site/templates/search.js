"use strict";
/* Search without a server: the parts of the index that a query needs are loaded as scripts. */
(() => {
  const form = document.querySelector(".asking");
  const status = document.querySelector(".found");
  const list = document.querySelector(".results");
  const more = document.querySelector(".more");
  document.querySelector(".unscripted").remove();
  const PAGE = 20, PREFIXES = 60;

  /* The same as tokens.py. */
  const STOP = new Set(("a an and are as at be by can for from has have in into is it its more of on or our than that the " +
    "their these this to via was we were which while with").split(" "));
  const DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3";
  const dense = new RegExp(`[${DENSE}]`), part = new RegExp(`[${DENSE}]+|[^${DENSE}]+`, "gu");
  const plain = (text) => text.normalize("NFKD").replace(/\p{Mn}/gu, "").normalize("NFC").toLowerCase();
  const stem = (word) => word.length > 3 && word.endsWith("s") && !/(ss|us|is)$/.test(word) ? word.slice(0, -1) : word;
  /* One group a word of the query: its tokens, and whether the word may be the beginning of a longer one. */
  const groups = (text) => {
    const found = [];
    for (const run of plain(text).match(/\d{4}\.\d{4,5}|[\p{L}\p{N}]+/gu) ?? []) {
      if (run.includes(".")) { found.push({ word: run, tokens: [run] }); continue; }
      for (const piece of run.match(part) ?? []) {
        if (!dense.test(piece)) {
          const word = stem(piece.slice(0, 40));
          found.push({ word: piece.slice(0, 40), tokens: [word], stop: STOP.has(word) });
        } else if (piece.length === 1) {
          found.push({ word: piece, tokens: [piece], dense: true });
        } else {
          const tokens = [];
          for (const length of [2, 3]) {
            for (let at = 0; at + length <= piece.length; at++) tokens.push(piece.slice(at, at + length));
          }
          found.push({ word: piece, tokens, dense: true });
        }
      }
    }
    return found;
  };
  const tokens = (text) => groups(text).filter((group) => !group.stop).flatMap((group) => group.tokens);

  /* Parts of the index, each asked for once. */
  const waiting = new Map();
  let index = null, terms = {};
  const parts = new Map(), papers = new Map();
  const load = (name) => {
    if (!waiting.has(name)) {
      waiting.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = "search/" + name + ".js" + (index ? "?" + index.version : "");
        script.onload = resolve;
        script.onerror = () => { waiting.delete(name); script.remove(); reject(new Error(name)); };
        document.head.append(script);
      }));
    }
    return waiting.get(name);
  };
  Object.assign(window.presscheck ??= {}, {
    index: (value) => { index = value; },
    terms: (value) => { terms = value; },
    part: (number, value) => { parts.set(number, value); },
    papers: (number, value) => { papers.set(number, value); },
    tokens,
  });

  /* The index is in the order of code points, which is not that of JavaScript's strings beyond the first plane. */
  const before = (a, b) => {
    const [x, y] = [[...a], [...b]];
    for (let at = 0; at < Math.min(x.length, y.length); at++) {
      if (x[at] !== y[at]) return x[at].codePointAt(0) - y[at].codePointAt(0);
    }
    return x.length - y.length;
  };
  const place = (token) => {
    let low = 0, high = index.prefixes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(index.prefixes[middle], token) <= 0) low = middle + 1; else high = middle;
    }
    return Math.max(0, low - 1);
  };
  const read = (written) => {
    const found = [];
    let at = 0;
    for (const [, step, weight] of written.matchAll(/([0-9a-z]+)([A-H])/g)) {
      at += parseInt(step, 36);
      found.push([at, weight.charCodeAt(0) - 64]);
    }
    return found;
  };
  const posted = async (token) => {
    if (!index.prefixes.length) return [];
    const number = place(token);
    await load("s" + number);
    const written = parts.get(number);
    return Object.hasOwn(written, token) ? read(written[token]) : [];
  };
  const longer = async (word) => {
    if (word.length < 3 || !index.prefixes.length) return [];
    const found = [];
    const first = place(word), last = place(word + "\u{10ffff}");
    for (let number = first; number <= Math.min(last, first + 2); number++) {
      await load("s" + number);
      for (const token of Object.keys(parts.get(number))) {
        if (token.startsWith(word) && token !== word) found.push(token);
      }
    }
    return found.sort((a, b) => a.length - b.length).slice(0, PREFIXES);
  };
  const rare = (n) => Math.log(1 + (index.papers - n + .5) / (n + .5));
  const scored = (lists, of = lists.length) => {
    const sum = new Map();
    for (const found of lists) {
      const idf = rare(found.length);
      for (const [at, weight] of found) sum.set(at, (sum.get(at) ?? 0) + idf * Math.sqrt(weight) / of);
    }
    return sum;
  };
  const best = (into, from, factor) => {
    for (const [at, value] of from) into.set(at, Math.max(into.get(at) ?? 0, value * factor));
  };
  const scoreOf = async (group, whole) => {
    const own = scored(await Promise.all(group.tokens.map(posted)));
    if (!group.dense) {
      for (const token of await longer(group.tokens[0])) best(own, scored([await posted(token)]), .5);
      return own;
    }
    /* A Korean word finds the English terms that it holds or that it is a part of. */
    for (const [term, forms] of Object.entries(terms)) {
      if (!group.word.startsWith(term) && !(whole.includes(term) && term.includes(group.word))) continue;
      for (const form of forms) {
        const lists = await Promise.all(form.split(" ").map(posted));
        const all = scored(lists);
        const every = lists.map((each) => new Set(each.map(([at]) => at)));
        for (const at of all.keys()) if (!every.every((one) => one.has(at))) all.delete(at);
        best(own, all, .9);
      }
    }
    return own;
  };
  const search = async (query, since, field, claims) => {
    await load("index");
    let asked = groups(query.slice(0, 300)).slice(0, 24);
    if (asked.some((group) => !group.stop)) asked = asked.filter((group) => !group.stop);
    if (asked.some((group) => group.dense)) await load("ko");
    const whole = asked.map((group) => group.word).join("");
    const sums = await Promise.all(asked.map((group) => scoreOf(group, whole)));
    const total = new Map(), met = new Map();
    for (const sum of sums) {
      for (const [at, value] of sum) {
        total.set(at, (total.get(at) ?? 0) + value);
        met.set(at, (met.get(at) ?? 0) + 1);
      }
    }
    if (!asked.length && (since || field || claims)) for (let at = 0; at < index.papers; at++) total.set(at, 0);
    const slug = index.fields.findIndex((each) => each[0] === field);
    const mark = slug < 0 ? "" : Math.floor(slug / 36).toString(36) + (slug % 36).toString(36);
    const claimed = new Set(index.claims);
    const inField = (at) => {
      for (let i = 0; i < index.of[at].length; i += 2) if (index.of[at].slice(i, i + 2) === mark) return true;
      return false;
    };
    return [...total.keys()]
      .filter((at) => (!since || dayOf(at) >= since) && (!field || inField(at)) && (!claims || claimed.has(at)))
      .map((at) => [at, total.get(at) * ((met.get(at) ?? 1) / Math.max(1, asked.length)) ** 2])
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .map(([at]) => at);
  };
  const dayOf = (at) => {
    for (const [date, n] of index.days) { if (at < n) return date; at -= n; }
    return "";
  };
  const paperAt = async (at) => {
    const number = Math.floor(at / index.block);
    await load("d" + number);
    const [slug, title, lead, votes, system] = papers.get(number)[at % index.block];
    return { slug, title, lead, votes, system, date: dayOf(at) };
  };

  /* What is shown. All text goes in as text. */
  const make = (name, text, lang) => {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    if (lang) node.lang = lang;
    return node;
  };
  const langOf = (text) => /[\uac00-\ud7a3]/.test(text) ? "ko" : "en";
  const marked = (node, text, words) => {
    let rest = text;
    while (rest && words) {
      const hit = words.exec(rest);
      if (!hit || !hit[0]) break;
      node.append(rest.slice(0, hit.index), make("mark", hit[0]));
      rest = rest.slice(hit.index + hit[0].length);
    }
    node.append(rest);
    return node;
  };
  const show = (paper, words) => {
    const item = make("li");
    const head = make("h2", "", langOf(paper.title));
    head.dir = "auto";
    const link = marked(make("a"), paper.title, words);
    link.href = paper.slug ? "papers/" + paper.slug + ".html" : /^https?:/.test(paper.url) ? paper.url : "#";
    head.append(link);
    item.append(head);
    const both = Object.keys(paper.lead).length > 1;
    for (const [language, text] of Object.entries(paper.lead)) {
      const said = marked(make("p", "", language), text, words);
      if (both) said.className = language;
      item.append(said);
    }
    if (!Object.keys(paper.lead).length && paper.snippet) item.append(marked(make("p", "", langOf(paper.snippet)), paper.snippet, words));
    const of = make("p");
    of.className = "of";
    const time = make("time", paper.date);
    time.dateTime = paper.date;
    const day = make("a");
    day.href = paper.date + "/index.html" + (/^\d{4}\./.test(paper.slug) ? "#" + paper.slug : "");
    day.append(time);
    of.append(paper.date && paper.slug ? day : paper.date, paper.slug || paper.id, paper.why ? " · " + paper.why : "");
    item.append(of);
    return item;
  };
  const say = (key, n) => {
    const node = document.querySelector("#say-" + key).content.cloneNode(true);
    if (n !== undefined) for (const each of node.querySelectorAll("span")) each.textContent = each.textContent.replace("0", n.toLocaleString());
    status.replaceChildren(node);
  };
  let turn = 0, found = [], shown = 0, words = null, ask = null;
  const next = async () => {
    const mine = turn;
    const some = await Promise.all(found.slice(shown, shown + PAGE).map((at) => ask ? at : paperAt(at)));
    if (mine !== turn) return;
    list.append(...some.map((paper) => show(paper, words)));
    shown += some.length;
    more.hidden = shown >= found.length;
  };
  const live = async (query, since, field, claims) => {
    const values = new URLSearchParams({ q: query, limit: "50" });
    if (since) values.set("since", since);
    if (field) values.set("field", field);
    if (claims) values.set("claims", "1");
    const answer = await fetch(form.dataset.live + "?" + values);
    if (!answer.ok) throw new Error(answer.status);
    return (await answer.json()).papers;
  };
  const run = async () => {
    const mine = ++turn;
    const { q, since, field, claims } = form.elements;
    const query = q.value.trim();
    const address = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
    try { history.replaceState(null, "", "?" + address); } catch { /* a page from disk keeps its address */ }
    if (!query && !since.value && !field.value && !claims.checked) {
      found = []; shown = 0; list.replaceChildren(); status.replaceChildren(); more.hidden = true;
      return;
    }
    try {
      ask = form.dataset.live && query ? live : null;
      const answer = await (ask ?? search)(query, since.value, field.value, claims.checked);
      if (mine !== turn) return;
      found = answer;
      shown = 0;
      const parts = groups(query).filter((group) => !group.stop).map((group) => group.word.replace(/[^\p{L}\p{N}.]/gu, ""))
        .filter((word) => word.length > 1 || dense.test(word)).map((word) => word.replaceAll(".", "\\."));
      words = parts.length ? new RegExp(parts.join("|"), "iu") : null;
      list.replaceChildren();
      if (found.length) say("found", found.length); else say("none");
      await next();
    } catch (error) {
      if (mine === turn) { list.replaceChildren(); more.hidden = true; say("failed"); }
    }
  };
  let soon = 0;
  const later = () => { clearTimeout(soon); soon = setTimeout(run, 120); };
  form.addEventListener("input", later);
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(soon); run(); });
  more.firstElementChild.addEventListener("click", next);
  const start = new URLSearchParams(location.search);
  for (const name of ["q", "since"]) if (start.has(name)) form.elements[name].value = start.get(name).slice(0, 2000);
  form.elements.claims.checked = start.has("claims");
  load("index").then(() => {
    const select = form.elements.field;
    for (const [slug, en, ko] of index.fields.slice(0, 400)) {
      const option = make("option", ko && document.documentElement.lang === "ko" ? ko : en);
      option.value = slug;
      select.append(option);
    }
    if (start.has("field")) select.value = start.get("field");
    run();
  }, () => say("failed"));
})();
