"use strict";
// Copy a text to the clipboard: links that are shown once.

for (const button of document.querySelectorAll("[data-copies]")) {
  const source = document.getElementById(button.dataset.copies);
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.value);
    document.getElementById("copied").textContent = button.dataset.done;
  });
}
