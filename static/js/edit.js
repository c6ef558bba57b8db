// The edit: what was changed, word by word, while one writes.
"use strict";
Touchstone.kinds.edit = {
  actions: ["write", "comment"],
  prepare(task, shell) {
    const text = task.querySelector("#text"), original = task.querySelector("#original").value;
    const reset = task.querySelector("#reset"), good = task.querySelector("#already-good");
    const show = () => shell.load("diff").then(() => this.show(task, original));
    reset.addEventListener("click", () => {
      text.value = original;
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    });
    text.addEventListener("input", show);
    good.addEventListener("input", show);
    show();
  },
  show(task, original) {
    const text = task.querySelector("#text"), diff = task.querySelector("#diff"), count = task.querySelector("#count");
    const good = task.querySelector("#already-good").checked;
    // "already good" is about the original: what was typed waits, and is not sent
    text.disabled = good;
    const parts = good || text.value === original ? [] : wordDiff(original, text.value);
    const changed = parts?.length ? wordDiff.distance(original, text.value) : 0;
    count.textContent = `${wordDiff.words(text.value).length} ${count.dataset.words}` + (changed ? `, ${changed} ${count.dataset.changed}` : "");
    task.querySelector("#reset").hidden = good || text.value === original;
    diff.hidden = !parts || parts.length === 0;
    diff.replaceChildren(...(parts || []).map(([kind, piece]) => {
      const node = document.createElement(kind === "+" ? "ins" : kind === "-" ? "del" : "span");
      node.textContent = piece;
      return node;
    }));
  },
  key(event, action, shell) {
    const field = { write: "#text", comment: "[name=instruction]" }[action];
    if (field) shell.task().querySelector(field).focus();
    return Boolean(field);
  },
};
