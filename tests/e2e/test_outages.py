"""What a rater writes outlives the server: the real stack killed under an open page, and a minute offline."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.config.test_stack import eventually, free_port, processes_of, running, serves
from tests.e2e.test_day import Day

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def comment(page: Page) -> Locator:
    return page.locator("#work > .task [name=comment]")


def saved(page: Page, text: str, seconds: int = 60) -> None:
    expect(page.locator("#work > .task .saved")).to_have_text(text, timeout=seconds * 1000)


def comparison(day: Day) -> None:
    """Pass over what comes until a comparison is before the rater."""
    expect(day.task).to_be_visible()
    while day.task.get_attribute("data-kind") != "compare":
        lease = day.lease()
        day.page.keyboard.press("s")
        day.page.keyboard.press("Enter")
        day.gone(lease)


def test_a_draft_and_an_answer_outlive_a_killed_server_and_a_minute_offline(page: Page, tmp_path):
    port = free_port()
    with running(tmp_path, port):
        eventually(lambda: serves(port))
        day = Day(page, f"http://127.0.0.1:{port}")
        day.sign_in()
        day.practise()
        day.qualify()
        comparison(day)

        page.keyboard.press("6")
        page.keyboard.press("c")
        page.keyboard.type("Written before")
        saved(page, "Draft saved")
        for process in processes_of(tmp_path).values():
            process.kill()
        page.keyboard.type(", during")
        eventually(lambda: serves(port))
        page.keyboard.type(" and after.")
        saved(page, "Draft saved", 120)
        page.reload()
        expect(comment(page)).to_have_value("Written before, during and after.")

        processes_of(tmp_path)["web"].kill()
        lease = day.lease()
        page.keyboard.press("Control+Enter")
        day.gone(lease)
        eventually(lambda: serves(port))
        expect(page.locator("#outbox > :visible")).to_have_count(0, timeout=120_000)

        comparison(day)
        page.context.set_offline(True)
        page.keyboard.press("2")
        page.keyboard.press("c")
        page.keyboard.type("Far")
        page.wait_for_timeout(60_000)
        page.keyboard.type(" away")
        saved(page, "Saved here only: no connection")
        page.context.set_offline(False)
        saved(page, "Draft saved")
        page.reload()
        expect(comment(page)).to_have_value("Far away")

        page.goto(f"{day.address}/history/")
        expect(page.get_by_text("Written before, during and after.")).to_have_count(1)
