"use strict";
/* A measurement from the page: start, follow, stop. */
(() => {
  const box = document.querySelector(".runs");
  if (!box) return;
  const [start, stop] = [box.querySelector("[data-run]"), box.querySelector("[data-stop]")];
  const status = box.querySelector("[role=status]"), log = box.querySelector("pre");
  const bar = document.createElement("progress");
  bar.hidden = true;
  bar.setAttribute("aria-label", "progress");
  status.after(bar);
  const send = (method, body) => fetch("../api/runs", {
    method, headers: { "content-type": "application/json", "x-presscheck": "1" }, body: body && JSON.stringify(body),
  });
  const line = (text) => { log.hidden = false; log.textContent += text + "\n"; log.scrollTop = log.scrollHeight; };
  let source = null;
  const follow = () => {
    source?.close();
    source = new EventSource("../api/runs/events");
    let seen = 0;
    source.onmessage = (event) => {
      const told = JSON.parse(event.data);
      if (told.waiting || told.number <= seen) return;
      seen = told.number;
      if (told.started) { status.textContent = `presscheck run ${told.started} --size ${told.size}`; stop.hidden = false; start.disabled = true; }
      if (told.of) { bar.hidden = false; bar.max = told.of; bar.value = told.done; status.textContent = `${told.system} · ${told.arm} · ${told.done} / ${told.of}`; }
      if (told.said) line(told.said);
      if ("ended" in told) {
        source.close();
        stop.hidden = true;
        start.disabled = false;
        bar.hidden = true;
        for (const verdict of told.verdicts ?? []) line(`${verdict.claim}: ${verdict.answer}`);
        status.textContent = told.ended ? `exit ${told.ended}` : "";
        if (!told.ended) location.reload();
      }
    };
    source.addEventListener("end", () => source.close());
  };
  start.addEventListener("click", async () => {
    log.textContent = "";
    const answer = await send("POST", { system: box.dataset.slug, size: "quick" });
    if (answer.ok) follow(); else status.textContent = (await answer.json()).error;
  });
  stop.addEventListener("click", () => send("DELETE"));
  fetch("../api/runs").then((answer) => answer.json()).then((state) => { if (state.running) follow(); });
})();
