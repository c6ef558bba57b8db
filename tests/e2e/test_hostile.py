"""Hostile text in prompts, answers, comments and guidelines, in a real browser: it stays text, in place."""

import copy
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Dialog, Page, Request, ViewportSize, expect

from labeling import assignment, campaigns, drafts, judgments, rounds
from labeling.models import Prompt, TaskResponse
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.e2e import csp_urls
from tests.e2e.desk import until
from tests.hostile import CASES

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

# what a text could do: run, stand in for the page's own things, push the bar away, or widen the page
STATE = """() => {
  const bar = document.querySelector(".bar").getBoundingClientRect();
  const work = document.querySelector("#work").getBoundingClientRect();
  const inside = (r) =>
    r.top >= -1 && r.left >= -1 && r.bottom <= innerHeight + 1 && r.right <= innerWidth + 1;
  return {
    ran: Boolean(window.ran),
    bar: bar.height > 20 && inside(bar),
    work: work.height > 100 && inside(work),
    answers: [...document.querySelectorAll(".answer")].every((answer) => {
      const r = answer.getBoundingClientRect();
      return r.height > 60 && r.bottom <= bar.top + 1 && r.top >= work.top - 1;
    }),
    wide: Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth,
    leaking: [...document.querySelectorAll(".answer, .turns, #guideline")].filter((box) =>
      box.offsetParent && box.scrollWidth > box.clientWidth + 1).map((box) => box.className || box.id),
    same: document.querySelectorAll("[id=work]").length === 1 && typeof document.cookie === "string"
      && document.body.tagName === "BODY" && document.baseURI === location.href,
    foreign: document.querySelectorAll(
      ".prose :is(script, style, link, img, iframe, form, input, button, svg, object, embed, base, meta)," +
      ".prose :is([id], [name], [style])"
    ).length,
    forms: document.forms.length,
  };
}"""
GOOD = {"ran": False, "bar": True, "work": True, "answers": True, "leaking": [], "same": True, "foreign": 0}
PHONE: ViewportSize = {"width": 390, "height": 844}
WIDE: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture
def reporting(settings):
    """Have the browser report what the content policy stops."""
    policy = copy.deepcopy(settings.CONTENT_SECURITY_POLICY)
    policy["DIRECTIVES"]["report-uri"] = ["/csp-reports/"]
    settings.CONTENT_SECURITY_POLICY = policy
    settings.ROOT_URLCONF = "tests.e2e.csp_urls"
    csp_urls.reports.clear()
    return csp_urls.reports


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rater):
    """Make one comparison of each case: the text is its prompt and both of its answers."""
    campaign = make_campaign(raters=(rater,), name="Hostile talk", guideline="Be careful.", overlap=1)
    round_ = make_round(campaign)
    for name, text in CASES:
        task = add_task(round_, (text, f"{text}\n\n{name}"))
        Prompt.objects.filter(pk=task.prompt_id).update(messages=[{"role": "user", "content": text}])
    rounds.open_(round_)
    return campaign


class Watch:
    """What a page did that it shouldn't have."""

    def __init__(self, page: Page, origin: str) -> None:
        self.troubles: list[str] = []
        self.origin = urlsplit(origin).netloc
        page.add_init_script("window.hit = () => { window.ran = true; };")
        page.on("request", self.check)
        page.on("dialog", self.refuse)
        page.on("pageerror", lambda error: self.troubles.append(f"error {error}"))
        page.on("popup", lambda popup: self.troubles.append(f"popup {popup.url}"))

    def refuse(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog {dialog.message}")
        dialog.dismiss()

    def check(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme != "data" and parts.netloc != self.origin:
            self.troubles.append(f"request {request.url[:200]}")


def sign_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_label("Username").fill("rafi")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(STATE)
    assert found.pop("wide") <= 0
    assert found.pop("forms") < 12
    return found


def test_the_watch_sees_what_a_page_would_do(page: Page, live_server, reporting, rater, campaign):
    watch = Watch(page, live_server.url)
    sign_in(page, live_server.url)
    page.evaluate("""() => {
      const image = document.createElement("img"); image.src = "https://evil.example/pixel.png";
      image.setAttribute("onerror", "hit(1)"); document.body.append(image); hit(1); }""")
    assert page.evaluate("window.ran") is True
    until(page, lambda: any("evil.example" in report for report in reporting))
    assert watch.troubles == ["request https://evil.example/pixel.png"]


def test_hostile_text_neither_runs_nor_loads_nor_leaves_its_place(
    page: Page, live_server, reporting, rater, campaign
):
    assert len(CASES) >= 60
    page.set_viewport_size(WIDE)
    watch = Watch(page, live_server.url)
    sign_in(page, live_server.url)
    seen: set[str] = set()
    slow: dict[str, float] = {}
    for guideline_of, text in CASES:
        campaigns.add_guideline(campaign, text, campaign.created_by)
        slot = assignment.claim(rater, campaign)
        assert slot is not None
        assert slot.lease is not None
        name = shown_case(slot.task_id)
        hostile = dict(CASES)[name]
        drafts.save(rater, slot.lease, {"verdict": "2", "comment": hostile[:10_000].replace("\x00", "")})
        began = time.perf_counter()
        page.goto(f"{live_server.url}/rate/{campaign.slug}/")
        expect(page.locator(".answer")).to_have_count(2)
        assert state(page) == GOOD, name
        page.keyboard.press("g")
        expect(page.locator("#guideline"), guideline_of).to_be_visible(timeout=30_000)
        expect(page.locator("#guideline h2").first).to_be_visible()
        assert state(page) == GOOD, f"guideline: {guideline_of}; task: {name}"
        page.keyboard.press("Escape")
        if len(hostile) < 200_000:  # laying out megabytes anew takes longer than it tells
            page.set_viewport_size(PHONE)
            assert state(page) == GOOD, f"on a phone: {name}"
            page.set_viewport_size(WIDE)
        comment = page.locator('textarea[name="comment"]').input_value()
        assert comment.split() == hostile[:10_000].replace("\r", "\n").split()[: len(comment.split())], name
        assert (watch.troubles, reporting) == ([], []), name
        slow[name] = time.perf_counter() - began
        judgments.skip(rater, slot.lease)
        seen.add(name)
    assert seen == {name for name, _ in CASES}
    # not a measurement: a page that a text holds up for good would not come at all
    assert max(slow.values()) < 60, slow


def shown_case(task: int) -> str:
    """Return the case whose texts a task shows."""
    last = TaskResponse.objects.filter(task=task).order_by("position").last()
    assert last is not None
    return last.response.text.rsplit("\n\n", 1)[1]
