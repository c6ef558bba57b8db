"use strict";
// What is being written of a guideline stands beside it as raters will see it, as soon as the writer pauses.

const PAUSE = 400; // milliseconds

const form = document.querySelector("form[data-preview]");
if (form) {
  const text = form.elements.text, shown = document.getElementById("shown");
  let timer = 0;
  let latest = 0;

  async function show() {
    const mine = ++latest;
    shown.setAttribute("aria-busy", "true");
    try {
      const body = new URLSearchParams({ text: text.value, csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
      const answer = await fetch(form.dataset.preview, { method: "POST", body, credentials: "same-origin" });
      if (answer.ok && !answer.redirected && mine === latest) shown.innerHTML = await answer.text();
    } catch {
      // the connection is gone: the last preview stays until the next pause
    } finally {
      if (mine === latest) shown.removeAttribute("aria-busy");
    }
  }

  form.querySelector("[data-without-scripts]").hidden = true;
  text.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(show, PAUSE);
  });
}
