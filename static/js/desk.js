// A rater's desk: what the browser keeps, drafts, active time and leases, and ways of reading a comparison.
// Loaded before rate.js, whose shell it works with; see there.
"use strict";
window.Touchstone = { kinds: {} };

// What the browser keeps for one person: answers to be sent, drafts, ways of reading.
Touchstone.store = (person) => {
  const own = `touchstone:${person}:`, memory = new Map();  // the memory is for what the storage doesn't take
  return {
    get(name) {
      const text = memory.get(name) ?? localStorage.getItem(own + name);
      return text ? JSON.parse(text) : null;
    },
    set(name, value) {
      const text = JSON.stringify(value);
      memory.delete(name);
      try { localStorage.setItem(own + name, text); } catch { memory.set(name, text); }
    },
    drop(name) { memory.delete(name); localStorage.removeItem(own + name); },
    names(prefix) {
      const kept = Object.keys(localStorage).filter((name) => name.startsWith(own)).map((name) => name.slice(own.length));
      return [...new Set([...kept, ...memory.keys()])].filter((name) => name.startsWith(prefix)).sort();
    },
  };
};

// Drafts: here at once, on the server after some quiet.
Touchstone.drafts = (shell, store) => {
  const PASSING = /^(csrfmiddlewaretoken|idempotency_key|lease|guideline|sides|active_ms|attention-.*)$/;
  const QUIET = 3_000, AGAIN = 5_000, KEPT = 14 * 86_400_000;
  const nameOf = (task) => `draft:${task.dataset.lease}`;
  const baseOf = (task) => Date.parse(task.dataset.draftAt) || 0;
  let timer = 0, kept = "";

  function content(form) {
    const data = new FormData(form);
    for (const name of new Set(data.keys())) if (PASSING.test(name)) data.delete(name);
    return new URLSearchParams(data).toString();
  }

  function fill(form, body) {
    const said = new URLSearchParams(body);
    for (const field of form.elements) {
      if (!field.name || PASSING.test(field.name)) continue;
      if (field.type === "radio" || field.type === "checkbox") field.checked = said.getAll(field.name).includes(field.value);
      else if (field.type !== "submit") field.value = said.get(field.name) ?? "";
    }
  }

  // the newer one wins: what this browser kept, or what the server has (from another browser, perhaps)
  function restore() {
    const task = shell.task(), local = store.get(nameOf(task)), base = baseOf(task);
    clearTimeout(timer);
    if (local?.dirty && (base <= local.base || base < local.at + shell.skew)) {
      fill(shell.form(), local.body);
      shell.status("here");
      timer = setTimeout(save, QUIET);
    } else if (base) shell.status("saved");
    return local;
  }

  function changed() {
    const form = shell.form();
    if (!form || shell.sent(shell.task())) return;
    const body = content(form);
    if (body === kept) return;
    kept = body;
    const task = shell.task();
    store.set(nameOf(task), { body, at: Date.now(), base: baseOf(task), dirty: true, times: shell.times() });
    shell.status("here");
    clearTimeout(timer);
    timer = setTimeout(save, QUIET);
  }

  async function save() {
    const task = shell.task(), form = shell.form();
    if (!form || !store.get(nameOf(task))?.dirty) return;
    const body = content(form);
    try {
      const response = await shell.post(task.dataset.draft, new FormData(form));
      if (!response.ok) throw new Error(response.status);
      task.dataset.draftAt = (await response.json()).at || task.dataset.draftAt;
      const local = store.get(nameOf(task));
      if (local?.body === body) store.set(nameOf(task), { ...local, dirty: false, base: baseOf(task) });
      if (task === shell.task() && content(form) === body) shell.status("saved");
    } catch {
      if (task !== shell.task()) return;
      shell.status("unsaved");
      timer = setTimeout(save, AGAIN);
    }
  }

  addEventListener("online", save);
  addEventListener("pagehide", () => {
    const task = shell.task();
    if (shell.form() && store.get(nameOf(task))?.dirty) navigator.sendBeacon(task.dataset.draft, new FormData(shell.form()));
  });
  for (const name of store.names("draft:")) if (Date.now() - store.get(name).at > KEPT) store.drop(name);

  return {
    restore, changed,
    settle() { kept = content(shell.form()); },  // what the page fills in by itself is no draft
    stop() { clearTimeout(timer); },
    drop(lease) { store.drop(`draft:${lease}`); },
  };
};

// Active time, by what it went to, and the lease that it extends.
Touchstone.clock = (shell) => {
  const IDLE = 30_000;
  const times = new WeakMap();  // task → {all, prompt, 0, 1, …} in milliseconds
  let lastTouch = 0, lastCount = performance.now(), lastBeat = 0, touched = false, where = null;

  function count() {
    const now = performance.now(), passed = now - lastCount, task = shell.task();
    lastCount = now;
    if (document.visibilityState !== "visible" || !document.hasFocus() || now - lastTouch > IDLE || !task.dataset.lease) return;
    const spent = times.get(task) || { all: 0 };
    spent.all += passed;
    if (where !== null) spent[where] = (spent[where] || 0) + passed;
    times.set(task, spent);
  }

  for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "scroll", "touchmove", "focusin"])
    addEventListener(name, (event) => {
      count();
      lastTouch = performance.now();
      touched = true;
      if (name === "keydown") return;
      const side = event.target.closest?.("[data-side]")?.dataset.side;
      where = side ?? (name === "scroll" ? where : null);
    }, { passive: true, capture: true });

  const left = (task) => (Date.parse(task.dataset.leaseUntil) - Date.now() - shell.skew) / 1000;

  setInterval(() => {
    const task = shell.task(), minutes = Number(task.dataset.leaseMinutes);
    count();
    if (!task.dataset.lease) return;
    const seconds = left(task), soon = seconds < Math.min(120, minutes * 20);  // a short lease warns at its end only
    if (touched && performance.now() - lastBeat > (soon ? 5_000 : Math.min(60_000, minutes * 20_000))) beat(task);
    if (seconds <= 0) shell.status("lapsed");
    else if (soon) shell.status("left", `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`);
  }, 1000);

  async function beat(task) {
    const behind = shell.ahead();
    lastBeat = performance.now();
    touched = false;
    try {
      const response = await shell.post(task.dataset.heartbeat, new URLSearchParams({ lease: task.dataset.lease }));
      if (!response.ok) return;
      const until = (await response.json()).lease_until;
      for (const held of [task, behind]) if (held?.dataset.lease) held.dataset.leaseUntil = until;
      if (task === shell.task() && task.querySelector(".saved.trouble")) shell.status("");
    } catch { /* offline: the next beat tries again */ }
  }

  return {
    lapsed: (task) => left(task) < 0,
    times: () => times.get(shell.task()),
    begin(before) {
      lastTouch = lastBeat = performance.now();
      where = null;
      if (before && !times.has(shell.task())) times.set(shell.task(), before);
    },
    write(form) {
      count();
      const spent = times.get(shell.task()) || { all: 0 };
      for (const field of form.querySelectorAll("[name^=attention-]")) field.value = Math.round(spent[field.name.slice("attention-".length)] || 0);
      if (form.elements.active_ms) form.elements.active_ms.value = Math.round(spent.all);
    },
  };
};

// Ways of reading a comparison: raw or rendered, differences, scrolling together, one card after the other.
Touchstone.reading = (shell, store) => {
  const ways = store.get("ways") || {};
  let echo = null;
  const answers = () => shell.task().querySelector(".answers");
  const press = (way, on) => shell.task().querySelector(`[data-toggle=${way}]`)?.setAttribute("aria-pressed", Boolean(on));
  const demand = () => shell.load("reading");  // streaming and differences are fetched when first used

  document.addEventListener("scroll", ({ target }) => {
    if (target.matches?.(".compare .answers")) return markCard(target);
    if (!ways.lock || echo === target || !target.matches?.(".answer")) { echo = null; return undefined; }
    const share = target.scrollTop / Math.max(1, target.scrollHeight - target.clientHeight);
    for (const other of answers().querySelectorAll(".answer")) {
      const top = Math.round(share * (other.scrollHeight - other.clientHeight));
      if (other !== target && Math.abs(other.scrollTop - top) > 1) { echo = other; other.scrollTop = top; }
    }
    return undefined;
  }, { capture: true, passive: true });

  function markCard(cards) {
    const links = shell.task().querySelectorAll(".cards a");
    const at = Math.round(Math.abs(cards.scrollLeft) / Math.max(1, cards.scrollWidth - cards.clientWidth) * (links.length - 1));
    links.forEach((link, number) => { if (number === at) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); });
  }

  return {
    prepare() {
      const field = shell.form().elements.display_rate, rate = shell.reducedMotion ? 0 : Number(answers().dataset.rate);
      answers().classList.toggle("raw", Boolean(ways.raw));
      for (const way of ["raw", "lock"]) press(way, ways[way]);
      if (field.value !== "") return;  // once begun, an answer is there: a draft or an undone verdict knows how it came
      field.value = rate;
      if (rate) demand().then(() => Touchstone.stream(shell, rate));
    },
    toggle: {
      raw() { ways.raw = answers().classList.toggle("raw"); press("raw", ways.raw); store.set("ways", ways); },
      lock() { ways.lock = !ways.lock; press("lock", ways.lock); store.set("ways", ways); },
      diff: () => Promise.all([demand(), shell.load("diff")]).then(() => press("diff", Touchstone.markDifferences(shell))),
      all() { shell.task().dispatchEvent(new Event("showall")); },
    },
  };
};

// Say which required choice of a form is still missing, and go there; true when one is.
Touchstone.missing = (shell, form) => {
  const stop = (text, field) => {
    shell.say(text, "error");
    shell.task().querySelector(".bar")?.classList.add("open");
    field.focus();
    return true;
  };
  if (form.id === "skip-form") {
    const { kind, reason } = form.elements;
    return kind.value === "cannot_judge" && !reason.value.trim() && stop(form.dataset.why, reason);
  }
  const verdicts = form.dataset.first && [...form.querySelectorAll("[name=verdict]")];
  if (verdicts && !verdicts.some((radio) => radio.checked)) return stop(form.dataset.first, verdicts[0]);
  for (const criterion of form.querySelectorAll("[data-required]"))
    for (const grade of criterion.querySelectorAll("[role=radiogroup]"))
      if (!grade.querySelector(":checked")) return stop(criterion.dataset.required, grade.querySelector("input"));
  return false;
};

// How a text came about: what was pasted from elsewhere, what was typed, and the time from key to key, counted into
// a field of its form. A hint for reviewers, never a verdict: see labeling/typing_signals.py.
Touchstone.typing = (() => {
  const PAUSE = 10_000, own = new Set();  // what was copied here and is only moved about
  let dragged = false;
  for (const kind of ["copy", "cut"]) document.addEventListener(kind, () => {
    const at = document.activeElement;
    own.add((at.matches("textarea") ? at.value.slice(at.selectionStart, at.selectionEnd) : getSelection().toString()).trim());
  });
  document.addEventListener("dragstart", () => { dragged = true; });
  document.addEventListener("dragend", () => { dragged = false; });

  return (text, field) => {
    const counts = { pastes: 0, bursts: 0, pasted: 0, typed: 0, typing_ms: 0, ...JSON.parse(field.value || "{}") };
    let lastKey = -Infinity, lastPaste = -Infinity;

    function note(changes) {
      for (const [name, more] of Object.entries(changes)) counts[name] += more;
      field.value = JSON.stringify(counts);
    }

    function typed(characters) {
      const now = performance.now(), gap = now - lastKey;
      lastKey = now;
      note({ typed: characters, typing_ms: gap < PAUSE ? Math.round(gap) : 0 });
    }

    function pasted(words) {
      const now = performance.now(), gap = now - lastPaste;
      if (!words || own.has(words.trim())) return;
      lastPaste = now;
      note({ pastes: 1, bursts: gap < PAUSE ? 0 : 1, pasted: words.length });
    }

    text.addEventListener("input", (event) => {
      if (event.inputType === "insertText") typed((event.data || "").length);
      else if (event.inputType === "insertLineBreak") typed(1);
    });
    text.addEventListener("compositionend", (event) => typed((event.data || "").length));
    text.addEventListener("paste", (event) => pasted(event.clipboardData?.getData("text/plain")));
    text.addEventListener("drop", (event) => { if (!dragged) pasted(event.dataTransfer?.getData("text/plain")); });
  };
})();
{
  const counted = new WeakSet();
  document.addEventListener("focusin", ({ target }) => {
    if (target.name !== "comment" || !target.form?.elements.signals || counted.has(target)) return;
    counted.add(target);
    Touchstone.typing(target, target.form.elements.signals);
  });
}
