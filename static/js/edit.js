// The edit: Write, Preview and Diff of one's version, each changed part with a way back, and how the text came about.
"use strict";
Touchstone.kinds.edit = (() => {
  const desks = new WeakMap();  // task → its desk: a task may come back after it was sent
  const part = (task, name) => task.querySelector(`[data-says="${name}"]`);

  function makeDesk(task, shell) {
    const text = task.querySelector("#text"), original = task.querySelector("#original").value, form = task.querySelector("form");
    const good = task.querySelector("#already-good"), tabs = [...task.querySelectorAll("[role=tab]")];
    const startOver = task.querySelector("[data-does=start-over]"), bringBack = task.querySelector("[data-does=bring-back]");
    const panelOf = (tab) => task.querySelector(`#${tab.getAttribute("aria-controls")}`);
    const shownTab = () => tabs.find((tab) => tab.ariaSelected === "true").id;
    let shelf = null, timer = 0, cost = 0;

    // -- the three views -----------------------------------------------------------------------------------

    function select(tab, focus) {
      for (const other of tabs) {
        other.ariaSelected = String(other === tab);
        other.tabIndex = other === tab ? 0 : -1;
        panelOf(other).hidden = other !== tab;
      }
      if (focus) tab.focus();
      if (tab.id === "tab-preview") preview(panelOf(tab));
      if (tab.id === "tab-diff") showDiff();
    }

    async function preview(panel) {
      const said = text.value;
      let html = "";
      try {
        const response = await shell.post(form.dataset.preview, new URLSearchParams({ text: said }));
        if (response.ok) html = await response.text();
      } catch { /* offline: said below */ }
      if (text.value !== said) return;
      if (html || !said.trim()) panel.innerHTML = html;
      else panel.textContent = form.dataset.noPreview;
    }

    // changes next to each other are one: [{same}, {old, put, start, end}, …], places in the version as it is now
    function hunksOf(parts) {
      const hunks = [];
      let at = 0;
      parts.forEach(([kind, piece], i) => {
        const open = hunks.at(-1)?.same === undefined && hunks.at(-1);
        const between = open && kind === "=" && /^[ \t]+$/.test(piece) && parts[i + 1];
        if (kind === "=" && !between) hunks.push({ same: piece });
        else {
          const hunk = open || { old: "", put: "", start: at };
          if (!open) hunks.push(hunk);
          if (kind !== "+") hunk.old += piece;
          if (kind !== "-") hunk.put += piece;
        }
        if (kind !== "-") at += piece.length;
        if (hunks.at(-1).same === undefined) hunks.at(-1).end = at;
      });
      return hunks;
    }

    async function showDiff() {
      await shell.load("diff");
      const parts = good.checked || text.value === original ? [] : wordDiff(original, text.value);
      const box = task.querySelector(".diff"), template = task.querySelector(".hunk-template");
      part(task, "good").hidden = !good.checked;
      part(task, "same").hidden = good.checked || text.value !== original;
      part(task, "far").hidden = parts !== null;
      box.replaceChildren(...hunksOf(parts || []).map((hunk) => {
        if (hunk.same !== undefined) return document.createTextNode(hunk.same);
        const node = template.content.firstElementChild.cloneNode(true);
        for (const [tag, words] of [["del", hunk.old], ["ins", hunk.put]]) {
          node.querySelector(tag).textContent = words;
          if (!words) node.querySelectorAll(`${tag}, [data-for=${tag}]`).forEach((element) => element.remove());
        }
        node.querySelector("button").addEventListener("click", () => restore(hunk));
        return node;
      }));
    }

    // -- ways back ------------------------------------------------------------------------------------------

    function replace(value) {
      shelf = { value: text.value, after: value };
      text.value = value;
      text.dispatchEvent(new Event("input", { bubbles: true }));
    }

    async function restore(hunk) {
      const buttons = [...task.querySelectorAll(".restore")], index = buttons.indexOf(document.activeElement);
      replace(text.value.slice(0, hunk.start) + hunk.old + text.value.slice(hunk.end));
      await showDiff();
      part(task, "restored").textContent = form.dataset.restored;
      const left = task.querySelectorAll(".restore");
      (left[Math.min(Math.max(index, 0), left.length - 1)] || tabs[2]).focus();
    }

    function back() {
      if (!shelf) return;
      replace(shelf.value);
      if (shownTab() === "tab-diff") showDiff();
    }

    // -- counts, as the server makes them ---------------------------------------------------------------------

    async function count() {
      await shell.load("diff");
      const started = performance.now(), note = task.querySelector(".count");
      const changed = good.checked ? 0 : wordDiff.distance(original, text.value);
      note.textContent = `${note.dataset.words} ${wordDiff.words(text.value).length}` + (changed ? ` · ${note.dataset.changed} ${changed}` : "");
      cost = performance.now() - started;
    }

    function refresh() {
      text.readOnly = good.checked;  // "already good" is about the original: what was written waits
      startOver.hidden = good.checked || text.value === original;
      bringBack.hidden = good.checked || !shelf || shelf.value === text.value;
      clearTimeout(timer);
      timer = setTimeout(count, Math.max(100, 4 * cost));
    }

    // -- how the text came about ------------------------------------------------------------------------------

    Touchstone.typing(text, form.elements.signals);
    text.addEventListener("input", refresh);

    // -- listening --------------------------------------------------------------------------------------------

    good.addEventListener("input", () => { refresh(); if (shownTab() === "tab-diff") showDiff(); });
    startOver.addEventListener("click", () => { replace(original); if (shownTab() === "tab-diff") showDiff(); bringBack.focus(); });
    bringBack.addEventListener("click", () => { back(); text.focus(); });
    task.addEventListener("keydown", (event) => {
      const undoes = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z";
      // the browser's own undo knows nothing of what the buttons did
      if (undoes && shelf && shelf.after === text.value && event.target.closest(".write")) { event.preventDefault(); back(); }
    });
    tabs.forEach((tab, number) => {
      tab.addEventListener("click", () => select(tab));
      tab.addEventListener("keydown", (event) => {
        const forward = getComputedStyle(tab).direction === "rtl" ? -1 : 1;
        const to = { ArrowRight: number + forward, ArrowLeft: number - forward, Home: 0, End: tabs.length - 1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        select(tabs[(to + tabs.length) % tabs.length], true);
      });
    });
    task.querySelector("[role=tablist]").hidden = false;

    function problem() {
      if (good.checked) return original.trim() ? "" : form.dataset.emptyOriginal;
      if (!text.value.trim()) return form.dataset.empty;
      return text.value.split(/\s+/).join(" ").trim() === original.split(/\s+/).join(" ").trim() ? form.dataset.unchanged : "";
    }

    return { refresh, problem, write() { select(tabs[0]); text.focus(); }, good, text };
  }

  return {
    actions: ["write", "comment", "diff", "raw"],
    prepare(task, shell) {
      if (!desks.has(task)) desks.set(task, makeDesk(task, shell));
      desks.get(task).refresh();
    },
    key(event, action, shell) {
      if (action !== "write") return false;
      desks.get(shell.task())?.write();
      return true;
    },
    beforeSend(form, shell) {
      const desk = desks.get(shell.task()), problem = desk?.problem();
      if (problem) {
        shell.say(problem, "error");
        desk.write();
        return false;
      }
      if (desk?.good.checked) {
        desk.text.disabled = true;  // left out of what is sent, kept in the page
        queueMicrotask(() => { desk.text.disabled = false; });
      }
      return true;
    },
  };
})();
