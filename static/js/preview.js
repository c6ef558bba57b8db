"use strict";
// The preview of a rater's page: it looks as it will, and its buttons and links lead nowhere.

const work = document.getElementById("work");
for (const hidden of work.querySelectorAll("[data-opens=keys], .reading, .more, .tablist")) hidden.hidden = false;
work.dataset.ready = "";

document.addEventListener("submit", (event) => event.preventDefault(), true);
document.addEventListener("click", (event) => {
  const { target } = event;
  if (target.matches(".more")) target.setAttribute("aria-expanded", target.closest(".bar").classList.toggle("open"));
  const link = target.closest("a[href]");
  if (link && !link.getAttribute("href").startsWith("#")) event.preventDefault();
}, true);
