"""What axe, and a reader of large text, find wrong with the page that a browser shows."""

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WIDTHS = {1440: 900, 768: 1024, 390: 844}
# the dark page differs from the light one in its colours alone
RULES: dict[Literal["light", "dark"], dict[str, object]] = {
    "light": {"rules": {"target-size": {"enabled": True}}},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
}
AXE = """async (rules) => (await axe.run({resultTypes: ["violations"], ...rules})).violations.flatMap(rule =>
    rule.nodes.map(node => `${rule.id} of ${node.target.join(" ")}: ${node.any[0]?.message ?? rule.help}`))"""

# What is cut off, lies outside the page, or can't be pressed because something lies on it.
CROWDED = """() => {
  const troubles = [], root = document.documentElement, name = (e) => e.outerHTML.slice(0, 90);
  if (root.scrollWidth > innerWidth) troubles.push(`${root.scrollWidth} px wide, of ${innerWidth}`);
  const hidden = ".visually-hidden, .skip-link, [inert]";
  const seen = (e) => e.checkVisibility({visibilityProperty: true}) && !e.closest(hidden);
  for (const e of document.querySelectorAll("button, .button, label, legend, summary, h1, h2, dt, .badge")) {
    if (!seen(e)) continue;
    const style = getComputedStyle(e);
    const hides = (value) => value !== "visible";
    if (hides(style.overflowY) && e.scrollHeight > e.clientHeight + 1) troubles.push(`cut off: ${name(e)}`);
    if (hides(style.overflowX) && e.scrollWidth > e.clientWidth + 1) troubles.push(`cut off: ${name(e)}`);
  }
  // what lies over the page on purpose, and closes again, is all that can be pressed meanwhile
  const over = document.querySelector("dialog:modal, details.sheet[open] > :not(summary)") ?? document;
  for (const e of over.querySelectorAll("button, .button, summary, a, select, textarea, label")) {
    if (!seen(e) || e.disabled) continue;
    e.scrollIntoView({block: "center", inline: "center"});
    const box = e.getClientRects()[0];
    if (!box || box.width < 2) continue;
    const x = box.x + box.width / 2, y = box.y + box.height / 2;
    const hit = document.elementFromPoint(x, y);
    if (hit?.closest("#said")) continue;  // words about the last step lie there until the next one
    if (!hit || !(e.contains(hit) || hit.contains(e) || hit.control === e || e.control === hit))
      troubles.push(`out of reach: ${name(e)} under ${hit ? name(hit) : "the edge"}`);
  }
  return troubles;
}"""


def axe(page: Page) -> list[str]:
    """Return what axe finds at each width, light and dark."""
    found = []
    page.evaluate(AXE_SCRIPT)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme)
            found += [f"{trouble} ({width} {scheme})" for trouble in page.evaluate(AXE, rules)]
    return found


def large_text(page: Page) -> list[str]:
    """Return what is cut off, or out of reach, at twice the size of the text."""
    page.set_viewport_size({"width": 1440, "height": 900})
    page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
    return [f"{trouble} (text zoomed)" for trouble in page.evaluate(CROWDED)]
