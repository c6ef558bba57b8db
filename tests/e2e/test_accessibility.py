"""Every page of a rater for everybody: axe, twice the text size, reduced motion."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from tests.e2e.access import CROWDED, axe, large_text
from tests.e2e.places import PLACES, Place, World, build, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

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
    for who in sorted({place.who for place in PLACES}):
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
        for trouble in axe(page):
            found[trouble].append(place.name)
    assert not found, tell(found)


def test_twice_the_text_size_cuts_nothing_off_and_nothing_moves_for_who_asked_for_rest(
    browser, live_server, found
):
    page_zoom = {"viewport": {"width": 720, "height": 450}, "reduced_motion": "reduce"}
    for place, page in visits(browser, build(live_server.url), found, **page_zoom):
        for trouble in [*page.evaluate(MOVING), *page.evaluate(CROWDED)]:
            found[trouble].append(f"{place.name}, page zoomed")
        for trouble in large_text(page):
            found[trouble].append(place.name)
    assert not found, tell(found)
