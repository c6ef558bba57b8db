"""Take a picture of every page of a rater, wide, on a phone, dark and right to left: `make screenshots`.

All go to var/screenshots; those that the README shows go to docs/images as well.
"""

import re
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from bench.serving import chromium, serving

ROOT = Path(__file__).resolve().parent.parent
ALL = ROOT / "var" / "screenshots"
BEST = ROOT / "docs" / "images"
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1440, "height": 900}},
    "dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True},
    "rtl": {"viewport": {"width": 1440, "height": 900}, "locale": "ar"},
}
README = {  # picture → its name in docs/images
    "compare-chips-wide": "compare",
    "compare-guideline-dark": "guideline",
    "compare-arabic-rtl": "arabic",
    "edit-diff-wide": "edit",
    "rank-wide": "rank",
    "compare-chips-phone": "phone",
    "history-phone": "history",
}


def main() -> None:
    """Take the pictures whose names fit the pattern given, by default all."""
    pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
    ALL.mkdir(parents=True, exist_ok=True)
    with serving() as address, chromium() as browser:
        from tests.e2e import places

        world = places.build(address)
        for look in LOOKS:
            shoot_all(browser, world, look, pattern)
    for picture, name in README.items():
        if pattern.search(picture):
            shutil.copy(ALL / f"{picture}.png", BEST / f"{name}.png")


def shoot_all(browser: Browser, world: Any, look: str, pattern: re.Pattern[str]) -> None:
    """Take one look at every place."""
    from tests.e2e.places import PLACES

    for person in (world.rafi, world.nina):
        person.language = "ar" if look == "rtl" else ""
        person.save(update_fields=["language"])
    contexts = {who: enter(browser, world, who, look) for who in {place.who for place in PLACES}}
    for place in PLACES:
        if not pattern.search(f"{place.name}-{look}"):
            continue
        page = contexts[place.who].new_page()
        page.set_default_timeout(10_000)
        try:
            place.go(page, world)
            shoot(page, ALL / f"{place.name}-{look}.png")
        except (AssertionError, PlaywrightError) as error:
            print(f"{place.name}-{look}: {str(error)[:300]}", file=sys.stderr)
        page.close()
    for context in contexts.values():
        context.close()


def enter(browser: Browser, world: Any, who: str, look: str) -> BrowserContext:
    """Open a browser as somebody."""
    from tests.e2e.places import sign_in

    context = browser.new_context(**LOOKS[look])
    if who:
        sign_in(context, getattr(world, who), world.address)
    return context


def shoot(page: Page, file: Path) -> None:
    """Take a picture of what one sees."""
    page.wait_for_timeout(250)
    page.screenshot(path=file)


if __name__ == "__main__":
    main()
