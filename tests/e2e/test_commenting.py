"""How a comment came about is counted as it is for an edit: typed, pasted from elsewhere, moved about."""

import pytest
from playwright.sync_api import expect

from labeling.models import Judgment
from tests.cast import make_open_round

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

ELSEWHERE = "The first answer demonstrates a comprehensive understanding of the question."


def test_what_is_typed_and_what_is_pasted_into_a_comment(page, live_server, campaign, work):
    make_open_round(campaign, comparisons=1)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    work()
    comment = page.get_by_label("Comment")
    page.keyboard.press("2")
    # what stands on the page is nobody else's
    page.locator("#answer-0 .rendered").evaluate("e => getSelection().selectAllChildren(e)")
    page.keyboard.press("Control+c")
    comment.click()
    page.keyboard.press("Control+v")
    page.keyboard.press("Control+a")
    page.evaluate("text => navigator.clipboard.writeText(text)", ELSEWHERE)
    page.keyboard.press("Control+v")
    page.keyboard.type(" So.")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("heading", name="Nothing to rate just now")).to_be_visible()
    said = Judgment.objects.get()
    assert said.comment == f"{ELSEWHERE} So."
    counts = said.meta["typing"]
    assert (counts["pastes"], counts["pasted"], counts["typed"]) == (1, len(ELSEWHERE), 4)
