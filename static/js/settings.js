// Settings: the page shows a look as soon as it is chosen; a key is chosen by pressing it.
"use strict";
(() => {
  const root = document.documentElement;
  const DATA = { theme: "theme", density: "density", text_size: "textSize" };
  document.getElementById("look").addEventListener("change", (event) => {
    const name = DATA[event.target.name];
    if (name) root.dataset[name] = event.target.value;
  });

  const form = document.getElementById("keys");
  let waiting = null; // the row whose key comes next

  const input = (row) => row.querySelector("input");

  function say(text) {
    document.getElementById("keys-said").textContent = text;
  }

  function stop() {
    if (!waiting) return;
    const button = waiting.querySelector("button");
    button.textContent = button.dataset.change;
    waiting.classList.remove("waiting");
    waiting = null;
  }

  form.querySelectorAll("tr[data-action]").forEach((row) => {
    const button = row.querySelector("button");
    input(row).readOnly = true;
    input(row).tabIndex = -1;
    button.hidden = false;
    button.addEventListener("click", () => {
      const again = waiting === row;
      stop();
      if (again) return;
      waiting = row;
      row.classList.add("waiting");
      button.textContent = button.dataset.press;
      say(button.dataset.press);
    });
    button.addEventListener("blur", stop);
  });

  form.addEventListener("keydown", (event) => {
    if (!waiting || ["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock", "Dead"].includes(event.key)) return;
    if (event.key === "Tab") return stop();
    event.preventDefault();
    if (event.key === "Escape") return stop();
    const combination = event.ctrlKey || event.metaKey || (event.altKey && event.key.length > 1);
    if (combination || event.isComposing || (event.key.length > 1 && event.key !== "Enter") || event.key === " ") {
      return say(form.dataset.refused);
    }
    const row = waiting;
    stop();
    input(row).value = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    row.classList.toggle("changed", input(row).value !== input(row).defaultValue);
    return say(form.dataset.unsaved);
  });
})();
