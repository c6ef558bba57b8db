// Rating: keys, drafts, heartbeats, active time, and the next task in place of the last.
"use strict";
(() => {
  const work = document.getElementById("work");
  const HEADERS = { "X-Fragment": "1" };
  const IDLE = 30_000;
  let busy = false;
  let active = 0;
  let lastTouch = performance.now();
  let touchedSinceBeat = false;
  let lastBeat = performance.now();
  let draftTimer = 0;
  let refreshTimer = 0;
  let typed = "";

  const task = () => work.querySelector(".task");
  const form = () => document.getElementById("answer-form");
  const isText = (node) => node.matches("textarea, input[type=text]");

  // -- sending, and what comes back --------------------------------------------------------------

  async function send(sent) {
    if (busy) return;
    busy = true;
    work.setAttribute("aria-busy", "true");
    clearTimeout(draftTimer);
    if (sent.active_ms) sent.active_ms.value = Math.round(active);
    try {
      const response = await fetch(sent.action, { method: "POST", body: new FormData(sent), headers: HEADERS });
      if (response.redirected || !response.headers.get("Content-Type")?.includes("text/html")) location.reload();
      else if (response.status === 403) location.reload();
      else if (response.status >= 500) say(response.statusText, "error");
      else show(await response.text(), response.status === 400);
    } catch {
      say(document.getElementById("offline").dataset.text, "error");
    }
    work.removeAttribute("aria-busy");
    busy = false;
  }

  function show(html, kept) {
    work.innerHTML = html;
    if (!kept) active = 0;
    prepare();
    work.focus({ preventScroll: true });
  }

  function say(text, kind) {
    work.querySelector(".messages")?.remove();
    const list = document.createElement("ul");
    list.className = "messages";
    const item = document.createElement("li");
    item.className = `message ${kind}`;
    item.textContent = text;
    list.append(item);
    list.setAttribute("role", "alert");
    work.prepend(list);
  }

  function prepare() {
    clearTimeout(refreshTimer);
    lastTouch = lastBeat = performance.now();
    work.querySelectorAll("[data-opens=keys]").forEach((button) => { button.hidden = false; });
    const turns = work.querySelector(".turns");
    if (turns) turns.scrollTop = turns.scrollHeight;
    const waiting = work.querySelector("[data-refresh]");
    if (waiting && waiting.dataset.refresh !== "0") refreshTimer = setTimeout(() => again(waiting.dataset.again), waiting.dataset.refresh * 1000);
    if (form()) typed = content();
    prepareEdit();
  }

  async function again(url) {
    try {
      const response = await fetch(url, { headers: HEADERS });
      if (response.ok && !response.redirected) return show(await response.text());
    } catch { /* offline: try again below */ }
    refreshTimer = setTimeout(() => again(url), 10_000);
  }

  work.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-swap]")) return;
    event.preventDefault();
    send(event.target);
  });

  // -- drafts ------------------------------------------------------------------------------------

  // what was typed, without the parts that change by themselves
  function content() {
    const data = new FormData(form());
    for (const name of ["csrfmiddlewaretoken", "idempotency_key", "active_ms", "guideline"]) data.delete(name);
    return new URLSearchParams(data).toString();
  }

  function status(name) {
    const saved = work.querySelector(".saved");
    if (!saved) return;
    saved.textContent = name ? saved.dataset[name] : "";
    saved.classList.toggle("trouble", name === "unsaved" || name === "lapsed");
  }

  async function saveDraft() {
    const now = form();
    if (!now || busy) return;
    const current = content();
    if (current === typed) return;
    const of = task();
    try {
      const response = await fetch(of.dataset.draft, { method: "POST", body: new FormData(now) });
      if (task() !== of) return;
      if (!response.ok) return status("unsaved");
      typed = current;
      status("saved");
    } catch {
      status("unsaved");
      draftTimer = setTimeout(saveDraft, 5000);
    }
  }

  work.addEventListener("input", (event) => {
    if (!form() || event.target.form !== form()) return;
    status("");
    clearTimeout(draftTimer);
    draftTimer = setTimeout(saveDraft, 600);
    if (event.target.matches("[name=comment]")) event.target.classList.toggle("long", event.target.value.length > 0);
    if (event.target.id === "text" || event.target.id === "already-good") showEdit();
  });

  addEventListener("pagehide", () => {
    if (form() && !busy && content() !== typed) navigator.sendBeacon(task().dataset.draft, new FormData(form()));
  });

  // -- time and lease ----------------------------------------------------------------------------

  for (const kind of ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchmove"])
    addEventListener(kind, () => { lastTouch = performance.now(); touchedSinceBeat = true; }, { passive: true, capture: true });

  setInterval(() => {
    const now = performance.now();
    const of = task();
    if (!of || document.visibilityState !== "visible") return;
    if (now - lastTouch < IDLE) active += 1000;
    const every = Math.min(60_000, of.dataset.leaseMinutes * 20_000);
    if (touchedSinceBeat && now - lastBeat > every) {
      lastBeat = now;
      touchedSinceBeat = false;
      beat(of);
    }
  }, 1000);

  async function beat(of) {
    try {
      const response = await fetch(of.dataset.heartbeat, { method: "POST", body: new FormData(form()) });
      if (response.status === 409 && task() === of) status("lapsed");
    } catch { /* offline: the next beat tries again */ }
  }

  // -- the edit ----------------------------------------------------------------------------------

  function prepareEdit() {
    const text = document.getElementById("text");
    if (!text) return;
    document.getElementById("reset").onclick = () => {
      text.value = document.getElementById("original").value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    };
    showEdit();
  }

  function showEdit() {
    const text = document.getElementById("text");
    const original = document.getElementById("original").value;
    const diff = document.getElementById("diff");
    const count = document.getElementById("count");
    const good = document.getElementById("already-good").checked;
    // "already good" is about the original: what was typed waits, and is not sent
    text.disabled = good;
    const parts = good || text.value === original ? [] : wordDiff(original, text.value);
    const words = (piece) => (piece.match(/\S+/g) || []).length;
    // a replaced word counts once, as it does when the edit is stored
    let changed = 0, hunk = { "-": 0, "+": 0 };
    for (const [kind, piece] of [...(parts || []), ["=", ""]]) {
      if (kind !== "=") { hunk[kind] += words(piece); continue; }
      changed += Math.max(hunk["-"], hunk["+"]);
      hunk = { "-": 0, "+": 0 };
    }
    count.textContent = `${words(text.value)} ${count.dataset.words}` + (changed ? `, ${changed} ${count.dataset.changed}` : "");
    document.getElementById("reset").hidden = good || text.value === original;
    diff.hidden = !parts || parts.length === 0;
    diff.replaceChildren(...(parts || []).map(([kind, piece]) => {
      const node = document.createElement(kind === "+" ? "ins" : kind === "-" ? "del" : "span");
      node.textContent = piece;
      return node;
    }));
  }

  // -- sheets and keys ---------------------------------------------------------------------------

  async function open(name, link) {
    const dialog = document.getElementById(name);
    if (dialog.open) return dialog.close();
    if (name === "guideline") {
      const body = document.getElementById("guideline-body");
      try {
        body.innerHTML = await (await fetch(link.href, { headers: HEADERS })).text();
      } catch { return; }
    }
    dialog.showModal();
  }

  work.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (!opener || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(opener.dataset.opens, opener);
  });

  const keys = {
    u: () => document.getElementById("undo-form")?.requestSubmit(),
    s: () => {
      const skip = work.querySelector(".skip");
      if (!skip) return;
      skip.open = !skip.open;
      if (skip.open) skip.querySelector("input[name=reason]").focus();
    },
    g: () => work.querySelector("[data-opens=guideline]")?.click(),
    "?": () => open("keys"),
    p: () => { const prompt = work.querySelector(".prompt"); if (prompt) prompt.open = !prompt.open; },
    c: () => form()?.querySelector("[name=comment], [name=instruction]")?.focus(),
    e: () => document.getElementById("text")?.focus(),
    Enter: () => form()?.requestSubmit(),
  };

  document.addEventListener("keydown", (event) => {
    const inDialog = event.target.closest("dialog");
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && form() && !inDialog) {
      event.preventDefault();
      return form().requestSubmit();
    }
    if (event.key === "Escape") {
      const skip = work.querySelector(".skip[open]");
      if (skip) skip.open = false;
      if (isText(event.target) || skip) work.focus({ preventScroll: true });
      return undefined;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || inDialog || isText(event.target)) return undefined;
    if (event.key === "Enter" && event.target.closest("a, button, summary, .skip")) return undefined;
    const point = /^[0-9]$/.test(event.key) && work.querySelector(`[name=verdict][data-key="${event.key}"]`);
    if (!point && !keys[event.key]) return undefined;
    event.preventDefault();
    if (!point) return keys[event.key]();
    point.checked = true;
    point.dispatchEvent(new Event("input", { bubbles: true }));
    return undefined;
  });

  prepare();
})();
