// The button for light or dark. Who is signed in has their theme in the page; the others keep it in this browser.
"use strict";
(() => {
  const root = document.documentElement;
  const own = root.dataset.settings;
  if (!own && localStorage.getItem("theme")) root.dataset.theme = localStorage.getItem("theme");
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      const device = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
      const now = ["light", "dark"].includes(root.dataset.theme) ? root.dataset.theme : device;
      const theme = root.dataset.theme = now === "dark" ? "light" : "dark";
      if (!own) return localStorage.setItem("theme", theme);
      const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
      const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
      return fetch(own, { method: "PATCH", headers, body: JSON.stringify({ theme }), keepalive: true }).catch(() => {});
    });
  });
})();
