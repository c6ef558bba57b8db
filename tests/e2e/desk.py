"""What the browser tests of the rating page do: wait for it, answer, and cut it off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, Route, expect

from labeling import rounds
from labeling.models import Campaign
from tests.cast import add_task, make_round

LONG = "\n\n".join(f"Paragraph {number} says **a little**, and `more` than that." for number in range(60))


def press(page: Page, *keys: str) -> None:
    """Press some keys, on a page whose scripts listen."""
    page.wait_for_load_state("domcontentloaded")
    for key in keys:
        page.keyboard.press(key)


def sign_in(page: Page, address: str, username: str = "rafi") -> None:
    """Open an address, sign in there, and wait for the page that follows."""
    page.goto(address)
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill("password")
    follow(page, page.get_by_role("button", name="Sign in"))


def follow(page: Page, link: Locator) -> None:
    """Click what leads to another page, and wait for that: what is asked next is not asked of this one."""
    with page.expect_navigation():
        link.click()


def ready(page: Page) -> None:
    page.wait_for_selector("#work[data-ready]")


def until(page: Page, done: Callable[[], object]) -> None:
    """Wait for the server: the page shows the next task before its answer has come."""
    for _ in range(400):
        if done():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never came about")


def lease(page: Page) -> str:
    return page.locator("#work .task").get_attribute("data-lease") or ""


def answer(page: Page, key: str) -> None:
    """Press a verdict's key and Enter, and see another task."""
    before = lease(page)
    page.keyboard.press(key)
    page.keyboard.press("Enter")
    expect(page.locator(f'.task[data-lease="{before}"]')).to_have_count(0)


@contextmanager
def dead_server(page: Page, status: int | None = None) -> Iterator[None]:
    """Let every POST fail: no connection, or a status."""

    def fail(route: Route) -> None:
        if route.request.method != "POST":
            route.continue_()
        elif status is None:
            route.abort("connectionrefused")
        else:
            route.fulfill(status=status, body="")

    context = page.context
    context.route("**/rate/**", fail)
    yield
    context.unroute("**/rate/**")


def long_round(campaign: Campaign) -> None:
    round_ = make_round(campaign)
    for _ in range(2):
        add_task(round_, (LONG, LONG.replace("little", "lot") + "\n\nThe end."))
    rounds.open_(round_)
