"use strict";
// The page of one import: the bar follows it, and its report takes the bar's place when it is over.

const SECONDS = 1;
const TOLD_EVERY = 25; // percent: what is read aloud

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
    if (state.status !== "queued" && state.status !== "running") return show(section);
    if (state.status === "queued") continue;
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
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  section.replaceWith(page.getElementById("import"));
  document.getElementById("report").focus();
}

const section = document.querySelector("#import[data-progress]");
if (section) follow(section);
