"use strict";
// The page to decide a dispute on: a reviewer's own keys press what has their data-action.

const decision = document.getElementById("decision");
const bindings = JSON.parse(decision.dataset.keys);
const actions = Object.fromEntries(Object.entries(bindings).filter(([, key]) => key).map(([action, key]) => [key, action]));

function act(action) {
  const control = document.querySelector(`[data-action="${action}"]`);
  if (!control) return false;
  if (action === "send") {
    decision.requestSubmit();
    return true;
  }
  control.click();
  if (control.matches("input")) control.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!event.repeat) decision.requestSubmit();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.shiftKey && key !== event.key) return;  // Caps Lock changes nothing, Shift does
  if (event.key === "Enter" && target.closest("a, button, summary")) return;
  if (actions[key] && act(actions[key])) event.preventDefault();
});
