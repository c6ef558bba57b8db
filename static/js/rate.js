// The rating page's shell: an outbox for what is sent, the task before the rater and the one ahead, keys and sheets.
// A kind of task other than the comparison has a script of its own, loaded when the first such task comes near:
// Touchstone.kinds.KIND = { prepare(task, shell), key(event, action, shell), beforeSend(form, shell), actions: […] }.
// Every text comes from the page (data attributes, templates), every key from the person's own bindings.
"use strict";
(() => {
  const work = document.getElementById("work"), page = work.dataset;
  const byId = (id) => document.getElementById(id);
  const bindings = JSON.parse(page.keys);
  const actions = Object.fromEntries(Object.entries(bindings).filter(([, key]) => key).map(([action, key]) => [key, action]));
  const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const store = Touchstone.store(page.user);
  let current = work.querySelector(".task, .waiting"), ahead = null;
  let refreshTimer = 0;

  const form = () => current.querySelector("[data-answer]");
  const leaseOf = (element) => element?.dataset.lease || "";
  const kind = () => Touchstone.kinds[current.dataset.kind];

  // -- talking to the server: one request after the other, so that the server sees answers in their order -----

  let line = Promise.resolve();
  const inTurn = (job) => (line = line.then(job, job));
  const token = () => document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] || document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";

  // leases that need no claiming: before the rater, ahead, or answered and still to be sent
  const holding = (besides = "") => [...new Set([leaseOf(current), leaseOf(ahead), ...store.names("out:").map((name) => store.get(name).lease)])]
    .filter((lease) => lease && lease !== besides).join();

  const post = (url, body, held = holding()) => fetch(url, {
    method: "POST", body, redirect: "manual",
    headers: { "X-Fragment": "1", "X-Holding": held, "X-CSRFToken": token() },
  });
  const get = (url, held = holding()) => fetch(url, { redirect: "manual", headers: { "X-Fragment": "1", "X-Holding": held } });
  const signedOut = (response) => response.type === "opaqueredirect" || response.status === 403;

  // -- the outbox: an answer stays here until the server has said yes or no ----------------------------------

  const sent = new Map();  // lease → its task as it was filled in, should the server refuse it
  let attempts = 0, retryTimer = 0;

  function send() {
    const answer = form();
    if (answer) submit(answer);
  }

  function submit(filled) {
    const of = current, lease = leaseOf(of), answer = filled.matches("[data-answer]");
    if (!lease || sent.has(lease) || Touchstone.missing(shell, filled)) return;
    if (answer) {
      if (scripted(of) && !kind()) return loadKind(of, () => { if (filled.isConnected) submit(filled); });  // typed faster than it came
      if (kind()?.beforeSend?.(filled, shell) === false) return;
      clock.write(filled);
    }
    const body = new URLSearchParams(new FormData(filled));
    body.delete("csrfmiddlewaretoken");
    store.set(`out:${Date.now()}:${lease}`, { url: filled.action, body: body.toString(), lease });
    sent.set(lease, of);
    drafts.stop();
    clearSaid();
    const next = ahead && clock.lapsed(ahead) ? null : ahead;
    ahead = null;
    show(next || byId("fetching").content.firstElementChild.cloneNode(true));
    inTurn(deliverAll);
  }

  async function deliverAll() {
    clearTimeout(retryTimer);
    for (const name of store.names("out:")) if (!(await deliver(name))) break;
  }

  // true when the server has answered for good
  async function deliver(name) {
    const item = store.get(name);
    if (!item) return true;  // another tab has sent it
    let response, html;
    try {
      response = await post(item.url, new URLSearchParams(item.body), holding(item.lease));
      html = response.ok || response.status === 400 || response.status === 409 ? await response.text() : "";
    } catch { return later("waiting"); }
    if (signedOut(response)) return later("signed-out");
    if (response.status >= 500 || response.status === 408 || response.status === 429) return later("waiting");
    const of = sent.get(item.lease);
    store.drop(name);
    sent.delete(item.lease);
    attempts = 0;
    tellWaiting("waiting");
    if (response.ok) {
      drafts.drop(item.lease);
      arrive(html);
    } else if (response.status === 400) {
      await bringBack(item.lease, of, html);
    } else {
      drafts.drop(item.lease);
      if (html) arrive(html); else say(page.gone, "error");
      await fetchAhead();
    }
    return true;
  }

  function later(why) {
    retryTimer = setTimeout(() => inTurn(deliverAll), Math.min(60, 2 ** ++attempts) * 1000);
    tellWaiting(why);
    return false;
  }

  function tellWaiting(why) {
    const count = store.names("out:").length;
    for (const note of byId("outbox").children) {
      note.hidden = count === 0 || note.dataset.says !== why;
      note.querySelector("strong").textContent = count;
    }
  }

  // a refused answer comes back as it was; what took its place waits behind it again
  async function bringBack(lease, of, html) {
    if (!of) {
      await fetchAhead();
      of = leaseOf(ahead) === lease ? ahead : null;
    }
    if (of && of !== current) {
      ahead = current.matches(".task") ? current : null;
      show(of);
    }
    arrive(html);
  }

  async function fetchAhead() {
    try {
      const response = await get(page.url);
      if (response.ok) arrive(await response.text());
    } catch { /* the next answer brings it */ }
  }

  addEventListener("online", () => inTurn(deliverAll));
  addEventListener("focus", () => { if (store.names("out:").length) inTurn(deliverAll); });

  // -- tasks: the one before the rater, and the one ahead ----------------------------------------------------

  function read(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    const parts = [...box.content.children], find = (selector) => parts.find((part) => part.matches(selector));
    const after = find("template.ahead")?.content.firstElementChild;
    hear(find("template.word")?.content.firstElementChild);
    return [find(".messages"), find(".task, .waiting"), after].map((part) => part && document.adoptNode(part));
  }

  // a manager's message stays above the work until it is read
  function hear(word) {
    const place = byId("word"), shown = place.firstElementChild;
    if (word && shown?.dataset.word !== word.dataset.word) place.replaceChildren(document.adoptNode(word));
  }

  // take in what the server sent: anew, or behind the task that is before the rater
  function arrive(html, anew = false) {
    const [messages, next, after] = read(html), was = current;
    if (messages) tell(messages);
    if (!next) return;
    if (anew || !current.matches(".task")) {
      ahead = after && leaseOf(after) === leaseOf(was) ? was : after || null;
      show(next);
    } else if (!sent.has(leaseOf(next)) && leaseOf(next) !== leaseOf(current)) {
      ahead = next;
    }
    if (ahead) loadKind(ahead);
  }

  function show(element) {
    current.replaceWith(element);
    current = element;
    byId("announcer").textContent = element.matches(".task") ? `${page.next} ${element.getAttribute("aria-label")}` : element.querySelector("h2").textContent;
    prepare();
    current.focus({ preventScroll: true });  // after all changes: the page is laid out once
    scrollToQuestion();
  }

  function rerender(html) {
    const [messages, same] = read(html);
    if (messages) tell(messages);
    if (!same) return;
    current.replaceWith(same);
    current = same;
    prepare();
    scrollToQuestion();
  }

  function prepare() {
    clearTimeout(refreshTimer);
    drafts.stop();
    if (byId("guideline").dataset.read) current.querySelector("[data-opens=guideline] .badge")?.remove();
    current.querySelectorAll("[data-opens=keys], .reading, .more").forEach((control) => { control.hidden = false; });
    const seconds = Number(current.dataset.refresh);
    if (seconds) refreshTimer = setTimeout(again, seconds * 1000);
    clock.begin(form() && drafts.restore()?.times);
    if (current.matches(".compare")) reading.prepare();
    if (form()) { grow(); drafts.settle(); }
    loadKind(current, () => { kind()?.prepare?.(current, shell); showRows(); });
    showRows();
  }

  function scrollToQuestion() {
    const turns = current.querySelector(".prompt .turns");
    if (turns?.childElementCount > 1) turns.scrollTop = turns.scrollHeight;
  }

  const scripted = (element) => element.dataset.kind && element.dataset.kind !== "compare";

  function loadKind(element, then = () => {}) {
    const name = element.dataset.kind, of = element;
    if (!scripted(element)) return;
    if (page.styleKinds && !document.querySelector("link[data-kinds]")) {
      const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: page.styleKinds });
      link.dataset.kinds = "";
      document.head.append(link);
    }
    load(name).then(() => { if (of === current || of === ahead) then(); }, () => say(page.trouble, "error"));
  }

  // the sheet lists the keys of every kind of task met so far
  function showRows() {
    document.querySelectorAll("#keys [data-row][hidden]").forEach((row) => {
      const action = row.dataset.row;
      if (bindings[action] && (control(action) || kind()?.actions?.includes(action))) row.hidden = false;
    });
  }

  const scripts = {};
  function load(name) {
    const url = page[`script${name[0].toUpperCase()}${name.slice(1)}`];
    return scripts[name] ||= new Promise((resolve, reject) => {
      const script = Object.assign(document.createElement("script"), { src: url, onload: resolve });
      script.onerror = () => { delete scripts[name]; reject(new Error(name)); };
      document.head.append(script);
    });
  }

  async function again() {
    try {
      const response = await get(page.url);
      if (response.ok && !current.matches(".task")) return arrive(await response.text(), true);
    } catch { /* offline: try again below */ }
    refreshTimer = setTimeout(again, 10_000);
  }

  async function undo(button) {
    await inTurn(deliverAll);
    if (store.names("out:").length) return say(page.undoLater, "warning");
    return inTurn(async () => {
      const response = await post(button.action, new FormData(button), "").catch(() => null);
      if (!response) return say(page.undoLater, "warning");
      if (signedOut(response)) return say(page.signedOut, "error");
      if (response.status >= 500) return say(page.trouble, "error");
      return arrive(await response.text(), response.ok);
    });
  }

  // -- words to the rater ------------------------------------------------------------------------------------

  let saidTimer = 0;
  function tell(messages) {
    clearTimeout(saidTimer);
    byId("said").replaceChildren(messages);
    if (!messages.querySelector(".error, .warning")) saidTimer = setTimeout(clearSaid, 8000);
  }
  const clearSaid = () => byId("said").replaceChildren();

  function say(text, tone) {
    const words = Object.assign(document.createElement("div"), { className: "messages" });
    words.append(Object.assign(document.createElement("p"), { className: `message ${tone}`, textContent: text }));
    words.setAttribute("role", tone === "error" ? "alert" : "status");
    tell(words);
  }

  work.addEventListener("click", (event) => {
    // the second half of a double click belongs to the task before
    if (event.target.closest("[type=submit]") && event.detail > 1) event.preventDefault();
  });
  work.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-swap]")) return;
    event.preventDefault();
    if (event.target.id === "undo-form") undo(event.target); else submit(event.target);
  });

  function status(name, more = "") {
    const saved = current.querySelector(".saved");
    if (!saved) return;
    const text = name ? `${saved.dataset[name]} ${more}`.trim() : "";
    if (saved.textContent !== text) saved.textContent = text;
    saved.classList.toggle("trouble", ["unsaved", "lapsed", "left"].includes(name));
  }

  function grow() {
    const comment = form().querySelector("textarea[name=comment]");
    comment?.classList.toggle("long", comment.value.length > 0);
  }

  work.addEventListener("input", (event) => {
    if (!form() || (event.target.form ?? event.target) !== form()) return;
    grow();
    drafts.changed();
  });

  // -- sheets, clicks and keys -------------------------------------------------------------------------------

  async function open(name, link) {
    const sheet = byId(name);
    if (name === "guideline" && !sheet.hidden) return close();
    if (sheet.open) return sheet.close();
    if (link.href) {
      const response = await get(link.href).catch(() => null);
      if (!response?.ok) return say(response && signedOut(response) ? page.signedOut : page.trouble, "error");
      sheet.querySelector(".body").innerHTML = await response.text();
    }
    if (name !== "guideline") return sheet.showModal();
    sheet.hidden = false;
    cover();
    sheet.dataset.read = "1";
    current.querySelector("[data-opens=guideline] .badge")?.remove();
    return sheet.focus();
  }

  function close() {
    byId("guideline").hidden = true;
    cover();
    current.focus({ preventScroll: true });
  }

  // on a small screen the guideline lies over the page: nobody shall get lost beneath it
  function cover() {
    const covers = !byId("guideline").hidden && getComputedStyle(byId("guideline")).position === "fixed";
    document.querySelectorAll(".topbar, #work").forEach((beneath) => { beneath.inert = covers; });
  }
  addEventListener("resize", cover);

  document.addEventListener("click", (event) => {
    const { target } = event, opener = target.closest("[data-opens]"), toggle = target.closest("[data-toggle]"), card = target.closest(".cards a");
    current.querySelectorAll(".sheet[open]").forEach((sheet) => { if (!sheet.contains(target)) sheet.open = false; });
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (target.closest("[data-closes]")) close();
    else if (opener) { event.preventDefault(); open(opener.dataset.opens, opener); }
    else if (toggle) reading.toggle[toggle.dataset.toggle]();
    else if (card) { event.preventDefault(); current.querySelector(card.hash).scrollIntoView({ behavior: reducedMotion ? "auto" : "smooth", inline: "center", block: "nearest" }); }
    else if (target.matches(".more")) target.setAttribute("aria-expanded", current.querySelector(".bar").classList.toggle("open"));
  });

  const control = (action) => current.querySelector(`[data-action="${action}"]:not([hidden])`);

  function act(action) {
    const target = control(action);
    if (action === "send" && form()) { send(); return true; }
    if (!target) return false;
    if (target.matches("textarea, [type=text], [type=checkbox]")) {
      current.querySelector(".bar")?.classList.add("open");
      target.focus();
    } else if (target.matches("[type=radio]")) {
      target.checked = true;
      target.dispatchEvent(new Event("input", { bubbles: true }));
    } else target.click();
    const sheet = target.closest(".sheet");
    if (sheet && target.matches("[type=radio]")) sheet.open = true;
    if (sheet?.open) sheet.querySelector("[type=text], [type=checkbox]")?.focus();
    return true;
  }

  document.addEventListener("keydown", (event) => {
    const { target } = event, typing = target.matches("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])");
    if (target.closest("dialog[open]")) return;  // a closed one can have the focus until the next layout
    const sends = event.ctrlKey || event.metaKey || ("enterSends" in target.dataset && !event.shiftKey && !event.isComposing);
    if (event.key === "Enter" && sends) {
      event.preventDefault();
      if (!event.repeat) send();
    } else if (event.key === "Escape") {
      const sheet = current.querySelector(".sheet[open]");
      if (sheet) sheet.open = false;
      clearSaid();
      if (!sheet && !typing && !byId("guideline").hidden) close();
      else if (sheet || typing) current.focus({ preventScroll: true });
    } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat && !typing) {
      const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
      if (event.shiftKey && key !== event.key) return;  // Caps Lock changes nothing, Shift does
      if (event.key === "Enter" && target.closest("a, button, summary, .skip")) return;
      const action = actions[key];
      if (kind()?.key?.(event, action, shell) || (action && act(action))) event.preventDefault();
    }
  });

  // -- what the kinds' scripts get ---------------------------------------------------------------------------

  const shell = {
    send, say, load, post, rerender, bindings, reducedMotion, form, status,
    task: () => current,
    ahead: () => ahead,
    sent: (task) => sent.has(leaseOf(task)),
    times: () => clock.times(),
    changed: () => drafts.changed(),
    forget: () => drafts.drop(leaseOf(current)),  // of this task's draft, whose content the server has now
    skew: Date.parse(page.now) - Date.now(),  // leases run by the server's clock
  };
  const drafts = Touchstone.drafts(shell, store), clock = Touchstone.clock(shell), reading = Touchstone.reading(shell, store);

  const first = work.querySelector("template.ahead");
  ahead = first ? document.adoptNode(first.content.firstElementChild) : null;
  first?.remove();
  // what was answered before a reload is not asked again
  const waiting = store.names("out:").map((name) => store.get(name).lease);
  if (waiting.includes(leaseOf(ahead))) ahead = null;
  if (waiting.includes(leaseOf(current))) {
    const next = ahead || byId("fetching").content.firstElementChild.cloneNode(true);
    ahead = null;
    show(next);
  } else { prepare(); scrollToQuestion(); }
  if (ahead) loadKind(ahead);
  if (waiting.length) inTurn(deliverAll);
  page.ready = "";
})();
