// The ranking: answers' letters in a row of places, moved by keys, buttons or dragging. The form's selects hold the
// order (so that drafts, undo and a page without scripts need nothing more); empty ones say that nobody ordered yet.
"use strict";
Touchstone.kinds.rank = (() => {
  const FAR = 6;  // pixels before a press becomes a drag
  let task, shell, form, box, order, selects, chosen, drag = null;

  const letters = () => selects.map((select) => select.dataset.name);
  const touched = () => selects.every((select) => select.value !== "");
  const rtl = () => getComputedStyle(order).direction === "rtl";
  const letterOf = (side) => order.querySelector(`.letter[data-side="${side}"]`);

  // groups of equals from best to worst; untouched answers stand in the order shown
  function read() {
    const groups = new Map();
    selects.forEach((select, side) => {
      const place = touched() ? Number(select.value) : side + 1;
      groups.set(place, [...(groups.get(place) || []), side]);
    });
    return [...groups.keys()].sort((a, b) => a - b).map((place) => groups.get(place));
  }

  function write(groups) {
    groups.forEach((equals, place) => equals.forEach((side) => { selects[side].value = place + 1; }));
  }

  // -- words -------------------------------------------------------------------------------------------------

  function sentence(name, side, groups) {
    const place = groups.findIndex((equals) => equals.includes(side));
    const others = groups[place].filter((other) => other !== side).map((other) => letters()[other]);
    const text = box.dataset[others.length && place >= 0 && box.dataset[`${name}Equal`] ? `${name}Equal` : name];
    const list = new Intl.ListFormat(document.documentElement.lang || "en").format(others);
    return text.replace("{name}", letters()[side]).replace("{place}", place + 1).replace("{places}", groups.length).replace("{others}", list);
  }

  const announce = (text) => { box.querySelector(".said").textContent = text; };

  // -- the row of places -------------------------------------------------------------------------------------

  function make(tag, className, data = {}, text = "") {
    const node = Object.assign(document.createElement(tag), { className, textContent: text });
    Object.assign(node.dataset, data);
    return node;
  }

  function draw() {
    const groups = read(), focused = order.contains(document.activeElement) ? document.activeElement.dataset.side : null;
    order.replaceChildren(...groups.map((equals, place) => {
      const item = make("li", "place"), seat = make("div", "seat", { place });
      seat.append(make("span", "nth", {}, place + 1), ...equals.map((side) => {
        const button = make("button", "letter", { side }, letters()[side]);
        button.type = "button";
        button.setAttribute("aria-pressed", side === chosen);
        button.setAttribute("aria-label", sentence("at", side, groups));
        return button;
      }));
      item.append(make("span", "gap", { gap: place }), seat);
      if (place === groups.length - 1) item.append(make("span", "gap", { gap: groups.length }));
      return item;
    }));
    box.classList.toggle("untouched", !touched());
    box.querySelector("[data-move=none]").hidden = touched();
    if (focused !== null) letterOf(focused).focus({ preventScroll: true });
  }

  function mark(side) {
    chosen = side;
    order.querySelectorAll(".letter").forEach((one) => one.setAttribute("aria-pressed", Number(one.dataset.side) === side));
    task.querySelectorAll(".answer").forEach((card) => card.classList.toggle("chosen", Number(card.dataset.side) === side));
  }

  function choose(side, focus = false) {
    mark(side);
    task.querySelector(`.answer[data-side="${side}"]`).scrollIntoView({ behavior: shell.reducedMotion ? "auto" : "smooth", inline: "nearest", block: "nearest" });
    if (focus) letterOf(side).focus({ preventScroll: true });
  }

  // -- moving ------------------------------------------------------------------------------------------------

  function settle(groups, side) {
    const kept = groups.filter((equals) => equals.length);
    write(kept);
    chosen = side;
    draw();
    choose(side);
    announce(sentence("moved", side, kept));
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // an answer among equals leaves them first, one alone passes its neighbour
  function move(side, by) {
    const groups = read(), place = groups.findIndex((equals) => equals.includes(side)), alone = groups[place].length === 1;
    if (alone && !groups[place + by]) return announce(sentence("ends", side, groups));
    const rest = groups.map((equals) => equals.filter((other) => other !== side));
    const at = alone ? place + by + (by > 0 ? 1 : 0) : place + (by > 0 ? 1 : 0);
    rest.splice(at, 0, [side]);
    return settle(rest, side);
  }

  function tie(side, place = read().findIndex((equals) => equals.includes(side)) - 1) {
    const groups = read();
    if (!groups[place]) return announce(sentence("noneAbove", side, groups));
    const rest = groups.map((equals) => equals.filter((other) => other !== side));
    rest[place] = [...rest[place], side].sort((a, b) => a - b);
    return settle(rest, side);
  }

  function put(side, gap) {
    const rest = read().map((equals) => equals.filter((other) => other !== side));
    rest.splice(gap, 0, [side]);
    settle(rest, side);
  }

  const moves = {
    up: () => move(chosen, -1),
    down: () => move(chosen, 1),
    tie: () => tie(chosen),
    none() {
      write(read());
      draw();
      announce(box.dataset.confirmed);
      form.dispatchEvent(new Event("input", { bubbles: true }));
      task.focus({ preventScroll: true });
    },
  };

  // -- dragging, by mouse, pen or finger ---------------------------------------------------------------------

  function press(event) {
    const pressed = event.target.closest(".letter");
    if (!pressed || event.button !== 0) return;
    drag = { letter: pressed, side: Number(pressed.dataset.side), x: event.clientX, y: event.clientY, over: null, far: false };
    pressed.setPointerCapture(event.pointerId);
  }

  function pull(event) {
    if (!drag) return;
    const x = event.clientX - drag.x, y = event.clientY - drag.y;
    if (!drag.far && Math.hypot(x, y) < FAR) return;
    drag.far = true;
    box.classList.add("dragging");
    drag.letter.classList.add("dragged");
    drag.letter.style.translate = `${x}px ${y}px`;
    const over = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-gap], [data-place]");
    drag.over?.classList.remove("over");
    drag.over = over && order.contains(over) ? over : null;
    drag.over?.classList.add("over");
  }

  function drop(event) {
    if (!drag) return;
    const { side, over, far } = drag;
    release();
    if (event.type !== "pointerup") return;
    if (!far) choose(side, true);
    else if (over?.dataset.gap) put(side, Number(over.dataset.gap));
    else if (over && !over.querySelector(`.letter[data-side="${side}"]`)) tie(side, Number(over.dataset.place));
  }

  function release() {
    box.classList.remove("dragging");
    drag.letter.classList.remove("dragged");
    drag.letter.style.translate = "";
    drag.over?.classList.remove("over");
    drag = null;
  }

  // -- what the shell calls ----------------------------------------------------------------------------------

  function prepare(element, given) {
    [task, shell] = [element, given];
    form = task.querySelector("[data-answer]");
    box = task.querySelector(".ordering");
    order = box.querySelector(".order");
    selects = [...form.querySelectorAll(".places select")];
    chosen = 0;
    form.querySelector(".places").hidden = true;
    box.hidden = false;
    task.querySelectorAll(".because").forEach((details) => { details.open = Boolean(details.querySelector(":checked")); });
    draw();
    mark(0);
    if (box.dataset.bound) return;  // this task was before the rater already, and comes back
    box.dataset.bound = "1";
    box.addEventListener("pointerdown", press);
    box.addEventListener("pointermove", pull);
    for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, drop);
    box.addEventListener("click", (event) => {
      const mover = event.target.closest("[data-move]"), one = event.target.closest(".letter");
      if (mover) moves[mover.dataset.move]();
      else if (one && event.detail === 0) choose(Number(one.dataset.side), true);  // by a screen reader
    });
    order.addEventListener("focusin", (event) => { if (event.target.matches(".letter")) choose(Number(event.target.dataset.side)); });
    order.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || shell.bindings.send !== "Enter" || event.ctrlKey || event.metaKey || event.repeat) return;
      event.preventDefault();  // the letter is chosen already; Enter sends here as everywhere
      event.stopPropagation();
      shell.send();
    });
  }

  function key(event, action) {
    const digit = /^verdict_(\d)$/.exec(action || "")?.[1] ?? (shell.bindings.verdict_1 && !action && /^[89]$/.test(event.key) ? event.key : null);
    if (digit !== null && digit <= selects.length) {
      choose(digit - 1, true);
      return true;
    }
    if (!document.activeElement.matches(".order .letter")) return false;
    const way = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: rtl() ? "down" : "up", ArrowRight: rtl() ? "up" : "down" }[event.key];
    if (way) moves[way]();
    return Boolean(way);
  }

  function beforeSend() {
    if (!touched()) {
      shell.say(box.dataset.untouched, "error");
      letterOf(chosen).focus();
      return false;
    }
    for (const needed of task.querySelectorAll("[data-needed]"))
      if (!needed.querySelector(":checked")) {
        shell.say(needed.dataset.needed, "error");
        needed.querySelector("input").focus();
        return false;
      }
    return true;
  }

  return { prepare, key, beforeSend, actions: ["rank_up", "rank_down", "rank_tie"] };
})();
