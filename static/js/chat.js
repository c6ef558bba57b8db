// A live conversation: its message and its picks go to the server without leaving the task; htmx shows both answers
// while they grow. Only the last pick, and the end, are sent as every other answer is, with the next task at once.
"use strict";
Touchstone.kinds.chat = (() => {
  let busy = false;

  const announce = (task) => {
    const news = task.querySelector("[data-announce]");
    if (news) document.getElementById("announcer").textContent = news.dataset.announce;
  };

  // the server answers with the conversation as it is now, or with what is wrong
  function take(html, shell) {
    const before = shell.task();
    shell.rerender(html);
    const task = shell.task();
    if (task === before) return;
    announce(task);
    const message = task.querySelector("[name=message]");
    (message || task).focus({ preventScroll: true });
  }

  async function post(form, shell) {
    if (busy) return;
    busy = true;
    const page = document.getElementById("work").dataset;
    try {
      const response = await shell.post(form.action, new FormData(form));
      if (response.type === "opaqueredirect" || response.status === 403) shell.say(page.signedOut, "error");
      else if (response.status >= 500) shell.say(page.trouble, "error");
      else {
        if (response.ok) shell.forget();
        take(await response.text(), shell);
      }
    } catch { shell.say(page.trouble, "error"); }
    busy = false;
  }

  // once htmx is told to stop there is more to see than growing text
  function watch(growing, shell) {
    if (!document.querySelector("meta[name=htmx-config]")) {
      const content = JSON.stringify({ includeIndicatorStyles: false, allowEval: false, selfRequestsOnly: true });
      document.head.append(Object.assign(document.createElement("meta"), { name: "htmx-config", content }));
    }
    shell.load("htmx").then(() => { if (growing.isConnected) htmx.process(growing); });
    growing.addEventListener("htmx:afterRequest", async ({ detail }) => {
      if (detail.xhr.status !== 286 && detail.xhr.status !== 404) return;
      const response = await fetch(growing.dataset.talk, { headers: { "X-Fragment": "1" } }).catch(() => null);
      if (response?.ok && growing.isConnected) take(await response.text(), shell);
      else if (response?.status === 404) location.reload();
    });
  }

  function writeTimes(form, shell) {
    const spent = shell.times() || {};
    for (const field of form.querySelectorAll("[name^=attention-]")) field.value = Math.round(spent[field.name.slice("attention-".length)] || 0);
    form.elements.active_ms.value = Math.round(spent.all || 0);
  }

  return {
    actions: ["write"],

    prepare(task, shell) {
      const growing = task.querySelector("[hx-get]"), again = task.querySelector("[data-again]");
      if (growing) watch(growing, shell);
      again?.addEventListener("submit", (event) => { event.preventDefault(); post(again, shell); });
      // a verdict for neither asks with which answer to go on
      task.querySelector(".verdicts")?.addEventListener("input", ({ target }) => {
        const asked = task.querySelector(".goes-on input");
        if (asked && (target.value === "0" || target.value === "both_bad")) asked.focus();
      });
    },

    beforeSend(form, shell) {
      if (form.dataset.last !== undefined) return true;
      const message = form.elements.message, verdict = form.elements.verdict?.value, choices = [...form.querySelectorAll("[name=goes_on]")];
      if (message && !message.value.trim()) {
        shell.say(form.dataset.empty, "error");
        message.focus();
      } else if (choices.length && (verdict === "0" || verdict === "both_bad") && !choices.some((choice) => choice.checked)) {
        shell.say(form.dataset.which, "error");
        choices[0].focus();
      } else {
        writeTimes(form, shell);
        post(form, shell);
      }
      return false;
    },
  };
})();
