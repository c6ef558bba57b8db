"""A rater's whole day by keyboard alone: sign in, practise, qualify, every kind of task, and home again."""

from collections import Counter

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from labeling import demo, demo_tour
from labeling.models import Campaign, Edit, Judgment, Membership, Skip, Task, Trial
from labeling.onboarding import PRACTICE
from tests.e2e.desk import press, ready

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

COMPARISONS = 20


def tab_to(page: Page, target: Locator, most: int = 60) -> None:
    """Press Tab until something has the focus, as somebody without a mouse does."""
    expect(target).to_be_visible()
    for _press in range(most):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab doesn't reach {target}")


class Day:
    """One rater at one keyboard."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.done: Counter[str] = Counter()

    def sign_in(self) -> None:
        self.page.goto(self.address)
        tab_to(self.page, self.page.get_by_label("Username"))
        self.page.keyboard.type("rater")
        tab_to(self.page, self.page.get_by_label("Password"))
        self.page.keyboard.type(demo.PASSWORD)
        press(self.page, "Enter")
        expect(self.page.get_by_role("heading", name="Your campaigns")).to_be_visible()

    def practise(self) -> None:
        tour = self.page.get_by_role("listitem").filter(has_text="A tour of the workplace")
        tab_to(self.page, tour.get_by_role("link", name="Read the guideline"))
        press(self.page, "Enter")
        tab_to(self.page, self.page.get_by_role("button", name="I have read it"))
        press(self.page, "Enter")
        tab_to(self.page, self.page.get_by_role("link", name="Start practising"))
        press(self.page, "Enter")
        for number in (1, 2):
            expect(self.page.get_by_role("heading", name=f"Practice {number} of 2")).to_be_visible()
            press(self.page, "4", "Enter")  # "about the same": right once, and once not
            expect(self.page.get_by_text("The right verdict")).to_be_visible()
            press(self.page, "Enter")

    def qualify(self) -> None:
        tab_to(self.page, self.page.get_by_role("link", name="Start the test"))
        press(self.page, "Enter")
        for number in (1, 2, 3):
            expect(self.page.get_by_role("heading", name=f"Question {number} of 3")).to_be_visible()
            left = self.page.locator(".answer").first.inner_text()
            good = any(sign in left for sign in ("Jupiter.", "No: together", "120."))
            press(self.page, "1" if good else "7", "Enter")
        expect(self.page.get_by_role("heading", name="Passed")).to_be_visible()
        tab_to(self.page, self.page.get_by_role("link", name="Start rating"))
        press(self.page, "Enter")
        ready(self.page)

    @property
    def task(self) -> Locator:
        return self.page.locator("#work > .task")

    def lease(self) -> str:
        return self.task.get_attribute("data-lease") or ""

    def gone(self, lease: str) -> None:
        expect(self.page.locator(f'#work > .task[data-lease="{lease}"]')).to_have_count(0)

    def work(self, enough: dict[str, int]) -> None:
        """Take tasks as they come until there was enough of each kind."""
        while any(self.done[kind] < number for kind, number in enough.items()):
            kind, lease = self.task.get_attribute("data-kind") or "", self.lease()
            getattr(self, kind)()
            self.gone(lease)
            self.done[kind] += 1

    def compare(self) -> None:
        press(self.page, str(1 + self.done["compare"] % 7), "Enter")

    def rank(self) -> None:
        expect(self.page.get_by_role("button", name="They are in order as shown")).to_be_visible()
        press(self.page, "2", "ArrowLeft")  # the second answer is the best
        press(self.page, "Enter")

    def edit(self) -> None:
        expect(self.page.get_by_role("tab", name="Write")).to_be_visible()
        press(self.page, "e")
        expect(self.page.get_by_label("Your version")).to_be_focused()
        press(self.page, "Control+End")
        self.page.keyboard.type(" Thank you.")
        press(self.page, "Control+Enter")

    def chat(self) -> None:
        message = self.page.locator("textarea[name=message]")
        if not self.page.locator(".growing, .pick").count():
            press(self.page, "e")
            expect(message).to_be_focused()
            self.page.keyboard.type("How long do I cook potatoes?")
            press(self.page, "Enter")
        expect(self.page.locator(".pick")).to_be_visible(timeout=90_000)
        press(self.page, "2", "Enter")
        tab_to(self.page, self.page.get_by_role("button", name="End the conversation"))
        press(self.page, "Enter")


def test_a_whole_day_by_keyboard(page: Page, live_server, celery_workers):
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
    demo.load()
    tour = Campaign.objects.get(slug=demo_tour.SLUG)
    rater = User.objects.get(username="rater")

    day = Day(page, live_server.url)
    day.sign_in()
    day.practise()
    assert Trial.objects.filter(rater=rater, attempt=PRACTICE).count() == 2
    day.qualify()
    assert Membership.objects.get(user=rater, campaign=tour).qualified_at is not None

    day.work({"compare": 3})
    expect(day.task).to_be_visible()
    press(page, "u")  # the last one once more, as it was
    expect(page.get_by_text("Taken back")).to_be_visible(timeout=20_000)
    lease = day.lease()
    press(page, "Enter")
    day.gone(lease)
    lease = day.lease()
    press(page, "s")
    page.keyboard.type("I know the author")
    press(page, "Enter")
    day.gone(lease)
    day.work({"compare": COMPARISONS, "rank": 1, "edit": 3, "chat": 1})

    tab_to(page, page.get_by_role("link", name="Rate", exact=True))
    press(page, "Enter")
    expect(page.get_by_role("heading", name="Your campaigns")).to_be_visible()

    said = Judgment.objects.filter(rater=rater, withdrawn=False, superseded_by=None)
    kinds = Counter(said.values_list("task__kind", flat=True))
    assert kinds["compare"] >= COMPARISONS + 1  # and a pick of the conversation
    assert said.filter(task__kind=Task.Kind.RANK, ranking__isnull=False).exists()
    assert said.filter(task__chat__isnull=False).exists()
    assert Judgment.objects.filter(rater=rater, withdrawn=True).count() == 1
    assert Edit.objects.filter(rater=rater, superseded_by=None).count() >= 3
    assert Skip.objects.get(rater=rater).reason == "I know the author"
    assert troubles == []
