"""Make the pictures of the README from a running demo: python docs/make_images.py [http://localhost:8000]."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

FOLDER = Path(__file__).parent / "images"
PASSWORD = "touchstone-demo"  # noqa: S105
SHOTS = [
    ("compare", "rater", "/rate/demo/", {"width": 1280, "height": 720}),
    ("campaign", "manager", "/campaigns/demo/", {"width": 1280, "height": 900}),
]


def shoot(browser: Browser, address: str, name: str, user: str, path: str, size: dict[str, int]) -> None:
    """Sign in as somebody, open a page, and keep its picture."""
    page = browser.new_page(viewport={"width": size["width"], "height": size["height"]})
    page.goto(f"{address}/login/?next={path}")
    page.fill("[name=username]", user)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")
    page.close()


def main() -> None:
    """Make every picture."""
    address = (sys.argv[1:] or ["http://localhost:8000"])[0].rstrip("/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-background-networking"]
        )
        for name, user, path, size in SHOTS:
            shoot(browser, address, name, user, path, size)
        browser.close()


if __name__ == "__main__":
    main()
