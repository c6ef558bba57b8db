"use strict";
// The page of one import: its first rows as they are chosen to be read; then the bar follows it, and its
// report takes the bar's place when it is over.

const SECONDS = 1;
const TOLD_EVERY = 25; // percent: what is read aloud

const UNDER_WAY = new Set(["fetching", "queued", "running"]);

async function follow(section) {
  const bar = section.querySelector("progress");
  const percent = section.querySelector("[data-percent]");
  const said = section.querySelector("[data-said]");
  const sentence = section.querySelector("[data-sentence]").innerHTML;
  let told = 0;
  for (;;) {
    await new Promise((resolve) => window.setTimeout(resolve, SECONDS * 1000));
    if (document.hidden) continue;
    let state;
    try {
      const answer = await fetch(section.dataset.progress, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) continue;
      state = await answer.json();
    } catch {
      continue; // the server is being restarted, or the connection is gone: the next time may work
    }
    if (!UNDER_WAY.has(state.status)) return show(section);
    if (state.status !== "running") continue;
    bar.value = state.percent;
    percent.textContent = `${state.percent} %`;
    if (state.percent >= told + TOLD_EVERY) {
      told = state.percent - (state.percent % TOLD_EVERY);
      said.textContent = `${sentence} ${told} %`;
    }
  }
}

async function show(section) {
  const answer = await fetch(window.location.href, { credentials: "same-origin" });
  if (!answer.ok || answer.redirected) return window.location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  section.replaceWith(page.getElementById("import"));
  const steps = page.querySelector("nav.steps");
  if (steps) document.querySelector("nav.steps")?.replaceWith(steps);
  const reading = page.getElementById("reading");
  if (reading) {
    document.getElementById("import").after(reading);
    listen();
  }
  document.getElementById("report").focus();
}

// What is chosen of format and columns shows at once how the first records come in.
let latest = 0;

async function showAgain(form) {
  const mine = ++latest, records = document.getElementById("records");
  records.setAttribute("aria-busy", "true");
  const chosen = new URLSearchParams(new FormData(form));
  chosen.delete("csrfmiddlewaretoken");
  try {
    const answer = await fetch(`${form.dataset.again}?${chosen}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected || mine !== latest) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("reading");
    if (!fresh) return;
    const isMapped = Boolean(fresh.querySelector(".columns")), wasMapped = Boolean(form.querySelector(".columns"));
    if (isMapped === wasMapped && form.dataset.format === chosen.get("format")) {
      records.replaceWith(page.getElementById("records")); // the selects stay under one's hands
      return;
    }
    document.getElementById("reading").replaceWith(fresh);
    listen();
    document.getElementById("id_format").focus();
  } catch {
    // the connection is gone: “Show again” is still there
  } finally {
    document.getElementById("records")?.removeAttribute("aria-busy");
  }
}

function listen() {
  const form = document.getElementById("reading-form");
  if (!form) return;
  form.dataset.format = form.elements.format.value;
  form.addEventListener("change", (event) => {
    if (event.target.tagName !== "SELECT") return;
    // what a column is holds for the format chosen by then, even while its own guesses are still coming
    if (event.target.name !== "format") form.elements.columns.value = form.elements.format.value;
    showAgain(form);
  });
}

const section = document.querySelector("#import[data-progress]");
if (section) follow(section);
listen();
