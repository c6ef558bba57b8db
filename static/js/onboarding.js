// A question of practice or of the test: the person's own keys choose, send and go on.
"use strict";
(() => {
  const asked = document.getElementById("asked");
  const bindings = JSON.parse(asked.dataset.keys);
  const actions = Object.fromEntries(Object.entries(bindings).filter(([, key]) => key).map(([action, key]) => [key, action]));
  const prompt = asked.querySelector(".prompt");
  const answers = asked.querySelector(".answers");
  const cards = [...asked.querySelectorAll(".cards a")];

  // the verdict that was asked for is heard at once, and Enter goes on from there
  asked.querySelector(".feedback")?.focus({ preventScroll: true });

  // a form may be sent once: the next page is on its way
  asked.querySelector("form")?.addEventListener("submit", (event) => {
    if (asked.hasAttribute("aria-busy")) event.preventDefault();
    asked.setAttribute("aria-busy", "true");
  });
  addEventListener("pageshow", () => asked.removeAttribute("aria-busy"));

  // on a phone the answers are cards: say which one is in front
  answers.addEventListener("scroll", () => {
    const second = Math.abs(answers.scrollLeft) > answers.clientWidth / 2;
    cards.forEach((card, number) => {
      if ((number === 1) === second) card.setAttribute("aria-current", "true");
      else card.removeAttribute("aria-current");
    });
  }, { passive: true });
  asked.querySelector(".cards").addEventListener("click", (event) => {
    const card = event.target.closest("a");
    if (!card) return;
    event.preventDefault();
    asked.querySelector(card.hash).scrollIntoView({ block: "nearest", inline: "center" });
  });

  document.addEventListener("keydown", (event) => {
    const alone = !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat;
    const sends = event.key === "Enter" && (event.ctrlKey || event.metaKey);
    const action = sends ? "send" : alone ? actions[event.key.length === 1 ? event.key.toLowerCase() : event.key] : "";
    if (!action || (event.key === "Enter" && event.target.closest("a, button, summary"))) return;
    if (action === "prompt") {
      prompt.open = !prompt.open;
      return;
    }
    const target = asked.querySelector(`[data-action="${action}"]`);
    if (!target) return;
    event.preventDefault();
    if (target.matches("input")) target.focus();
    target.click();
  });
})();
