"use strict";
// The manager's pages: what a form asks depends on a choice, and what is under way is shown as it goes.

const SECONDS = 3;

for (const part of document.querySelectorAll("[data-base]")) {
  const show = () => {
    const chosen = document.querySelector('input[name="base"]:checked');
    part.hidden = !chosen || !part.dataset.base.split(" ").includes(chosen.value);
  };
  for (const input of document.querySelectorAll('input[name="base"]')) input.addEventListener("change", show);
  show();
}

function every(seconds, action) {
  const again = async () => {
    if (!document.hidden) {
      try {
        await action();
      } catch {
        // the server is being restarted, or the connection is gone: the next time may work
      }
    }
    window.setTimeout(again, seconds * 1000);
  };
  window.setTimeout(again, seconds * 1000);
}

// What changes by itself: a whole region, or the parts of it that are named in both. A part under somebody's
// hands is left as it is.
const live = document.querySelector("[data-live]");
if (live) {
  let etag = "";
  const held = (part) => part.contains(document.activeElement);
  every(SECONDS, async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const parts = [...live.querySelectorAll("[data-live-part]")];
    if (parts.length ? parts.some(held) : held(live)) return;
    const answer = await fetch(live.dataset.live, { credentials: "same-origin", cache: "no-store", headers });
    if (!answer.ok || answer.redirected) return;
    const html = await answer.text();
    if (parts.length ? parts.some(held) : held(live)) return;
    etag = answer.headers.get("ETag") || "";
    if (!parts.length) {
      live.innerHTML = html;
      return;
    }
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    for (const part of parts) part.replaceChildren(...fresh.content.querySelector(`[data-live-part="${part.dataset.livePart}"]`).childNodes);
  });
}

const log = document.getElementById("run-log");
if (log) log.scrollTop = log.scrollHeight;
if (log && "follow" in log.dataset) {
  let etag = "", status = "";
  every(2, async () => {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(log.dataset.run, { credentials: "same-origin", cache: "no-store", headers });
    if (!answer.ok || answer.redirected) return;
    etag = answer.headers.get("ETag") || "";
    const run = await answer.json();
    if (status && status !== run.status) {
      window.location.reload();
      return;
    }
    status = run.status;
    const bar = document.getElementById("run-progress");
    if (bar && run.progress.total) {
      bar.max = run.progress.total;
      bar.value = run.progress.done;
      document.getElementById("run-stage").textContent = `${run.progress.stage}: ${run.progress.done} / ${run.progress.total}`;
    }
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    if (log.textContent !== run.log) {
      log.textContent = run.log;
      if (atEnd) log.scrollTop = log.scrollHeight;
    }
  });
}
