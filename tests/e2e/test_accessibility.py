"""Every page of a rater for everybody: axe, twice the text size, reduced motion."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.places import PLACES, Place, World, build, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

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

MOVING = """() => [
  ...document.getAnimations()
    .filter(a => a.playState === "running" && a.effect.getComputedTiming().endTime > 10)
    .map(a => `runs: ${a.animationName ?? a.transitionProperty}`),
  ...[...document.querySelectorAll("*")].filter(e => {
    const style = getComputedStyle(e), longest = (value) => Math.max(...value.split(",").map(parseFloat));
    return longest(style.transitionDuration) > 0.01
      || style.animationName !== "none" && longest(style.animationDuration) > 0.01
      || style.scrollBehavior === "smooth";
  }).map(e => `moves: ${e.outerHTML.slice(0, 90)}`)]"""

Found = dict[str, list[str]]


@pytest.fixture
def found() -> Found:
    """Collect troubles, each with where it was seen."""
    return defaultdict(list)


def visits(browser: Browser, world: World, found: Found, **options: Any) -> Iterator[tuple[Place, Page]]:
    """Go to every place, each person in a browser of their own."""
    contexts = {}
    for who in ("", "rafi", "nina"):
        contexts[who] = browser.new_context(**options)
        if who:
            sign_in(contexts[who], getattr(world, who), world.address)
    for place in PLACES:
        page = contexts[place.who].new_page()
        page.set_default_timeout(10_000)
        try:
            place.go(page, world)
        except (AssertionError, PlaywrightError) as error:
            found[f"no way there: {str(error)[:400]}"].append(place.name)
        else:
            yield place, page
        page.close()
    for context in contexts.values():
        context.close()


def tell(found: Found) -> str:
    """List the troubles."""
    return "\n".join(f"{trouble}\n    {', '.join(places)}" for trouble, places in found.items())


def test_axe_finds_nothing_on_any_page_in_any_light_or_width(browser, live_server, found):
    for place, page in visits(browser, build(live_server.url), found, reduced_motion="reduce"):
        page.evaluate(AXE_SCRIPT)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            for scheme, rules in RULES.items():
                page.emulate_media(color_scheme=scheme)
                for trouble in page.evaluate(AXE, rules):
                    found[trouble].append(f"{place.name} {width} {scheme}")
    assert not found, tell(found)


def test_twice_the_text_size_cuts_nothing_off_and_nothing_moves_for_who_asked_for_rest(
    browser, live_server, found
):
    page_zoom = {"viewport": {"width": 720, "height": 450}, "reduced_motion": "reduce"}
    for place, page in visits(browser, build(live_server.url), found, **page_zoom):
        for trouble in [*page.evaluate(MOVING), *page.evaluate(CROWDED)]:
            found[trouble].append(f"{place.name}, page zoomed")
        page.set_viewport_size({"width": 1440, "height": 900})
        page.evaluate("() => { document.documentElement.style.fontSize = '200%'; }")
        for trouble in page.evaluate(CROWDED):
            found[trouble].append(f"{place.name}, text zoomed")
    assert not found, tell(found)
