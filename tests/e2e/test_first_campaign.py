"""Somebody who has never seen it makes a campaign, by what the pages show alone, and raters get to work.

What it takes is counted, since a clock would time the machine: clicks, keystrokes, fields and words to read;
and what people need for these (Card, Moran and Newell, 1983; 238 words a minute: Brysbaert, 2019).
"""

import csv
import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.models import Role
from labeling.models import Campaign, Gold
from tests.cast import make_user
from tests.e2e.desk import follow, sign_in

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
POINT, PRESS, KEY, THINK, READ = 1.1, 0.2, 0.28, 1.2, 60 / 238  # seconds
SCANNED = 0.28  # of a page's words, at most, are read on a usual visit (Nielsen, 2008)
WORDS = """() => {
  const count = (element) => (element.innerText.match(/\\S+/g) ?? []).length;
  const main = document.querySelector("main");
  const known = [...main.querySelectorAll(".page-head, nav, select")].map(count);
  return known.reduce((left, n) => left - n, count(main));
}"""
NAMES = ["rosa.luz", "tom.berg"]
MEANINGS = {"what they asked": "Prompt", "bot one": "Answer A", "bot two": "Answer B"}  # as guessed


@dataclass
class Walk:
    """What one step took."""

    step: str
    clicks: int = 0
    keys: int = 0
    fields: int = 0
    words: int = 0
    seconds: float = 0.0  # of this machine

    @property
    def acting(self) -> float:
        """Return the seconds that a person takes to decide, to point and to type."""
        return (self.clicks + self.fields) * (POINT + PRESS + THINK) + self.keys * KEY

    @property
    def reading(self) -> float:
        """Return the seconds that reading every word takes."""
        return self.words * READ


class Walker:
    """A person at a browser who sees what is on the page and uses only that."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.walks: list[Walk] = []
        self._new = True
        self._began = time.perf_counter()

    def begin(self, step: str) -> None:
        """Begin a step on the page as it is now."""
        self.end()
        self.walks.append(Walk(step))

    def end(self) -> None:
        now = time.perf_counter()
        if self.walks:
            self.walks[-1].seconds = round(now - self._began, 2)
        self._began = now

    def read(self) -> None:
        """Read the page that has come, once: all but its head, the bar of steps and long lists of choices."""
        if not self._new:
            return
        self._new = False
        self.walks[-1].words += self.page.evaluate(WORDS)

    def click(self, target: Locator) -> None:
        """Click what leads to another page."""
        self.read()
        self.walks[-1].clicks += 1
        follow(self.page, target)
        expect(self.page.locator("main h1").first).to_be_visible()
        self._new = True

    def fill(self, label: str, text: str) -> None:
        self.read()
        self.walks[-1].fields += 1
        self.walks[-1].keys += len(text)
        self.field(label).fill(text)

    def attach(self, label: str, path: Path) -> None:
        self.read()
        self.walks[-1].fields += 1
        self.walks[-1].clicks += 2  # the file, and "Open", in the window of the system
        self.field(label).set_input_files(path)

    def choose(self, label: str, option: str) -> None:
        self.read()
        self.walks[-1].fields += 1
        self.field(label).select_option(label=option)

    def field(self, label: str) -> Locator:
        return self.page.get_by_label(re.compile(f"^{re.escape(label)}:?$"))

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name).first

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name).first


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write a table as people have them, with columns of its own names."""
    path = tmp_path / "kitchen.csv"
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["no.", "what they asked", "bot one", "bot two"])
        for number in range(1, 13):
            asked = f"How long does soup number {number} keep in the fridge?"
            rows.writerow([number, asked, f"Three days, soup {number} too.", "It depends on many things."])
    return path


def report(walker: Walker) -> None:
    """Write what each step took, beside the tests' services."""
    walker.end()
    rows = [
        {**asdict(walk), "acting": round(walk.acting, 1), "reading": round(walk.reading, 1)}
        for walk in walker.walks
    ]
    file = settings.VAR_DIR / "first-campaign.json"
    file.write_text(json.dumps(rows, indent=1))
    for row in rows:
        print(" ".join(f"{key}={value}" for key, value in row.items()))
    acting, reading = (sum(getattr(walk, name) for walk in walker.walks) for name in ("acting", "reading"))
    usual = acting + SCANNED * reading
    print(
        f"{acting:.0f} s of acts; {usual:.0f} s with what is usually read, {acting + reading:.0f} s with all"
    )


def make(walker: Walker, table: Path) -> str:
    """Walk from the list of campaigns to the start; return the link for raters."""
    page = walker.page
    walker.begin("name and kind")
    walker.click(walker.link("New campaign"))
    walker.fill("Name", "Soup answers")
    walker.click(walker.button("Make the draft and go on"))
    walker.begin("question")
    walker.click(walker.button("Save and go on"))
    walker.begin("guideline")
    walker.click(walker.button("Publish and go on: Prompts"))
    walker.begin("prompts")
    walker.attach("File", table)
    walker.click(walker.button("Show the first rows"))
    for column, meaning in MEANINGS.items():
        expect(walker.field(column).locator("option:checked")).to_have_text(meaning)
    walker.click(page.get_by_role("button", name="Import", exact=True))
    expect(page.get_by_role("heading", name="Imported", exact=True)).to_be_visible()
    walker.click(walker.link("Next: Raters"))  # the answers came along
    walker.begin("raters")
    expect(walker.field("How many people may use it")).to_have_value("2")
    walker.click(walker.button("Make the link"))
    link = page.locator("#made").input_value()
    walker.click(walker.link("Next: Checks"))
    walker.begin("checks")
    walker.fill("Judgments per task", "2")
    for number in (1, 2):
        question = f"The right verdict on “How long does soup number {number} keep in the fridge?”"
        walker.choose(question, "A is clearly better")
    walker.click(walker.button("Save and go on"))
    walker.begin("training")
    walker.click(walker.button("Save and go on"))
    walker.begin("start")
    expect(page.get_by_role("heading", name="Ready to start")).to_be_visible()
    walker.click(walker.button("Start the campaign"))
    return link


def work(browser: Browser, link: str, name: str) -> None:
    """Come by the link, and see a first task."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(link)
        page.get_by_label("User name").fill(name)
        for field in page.locator("input[type=password]").all():
            field.fill("a-long-enough-word")
        follow(page, page.get_by_role("button", name="Join"))
        begin = page.get_by_role("link", name="Soup answers").or_(page.get_by_role("link", name="Start"))
        if not page.locator("#work .task").count():
            follow(page, begin.first)
        expect(page.locator("#work .task")).to_be_visible()
        expect(page.get_by_text("keep in the fridge?")).to_be_visible()


def test_from_nothing_to_two_raters_with_their_first_task(
    page: Page, browser: Browser, live_server, table: Path
):
    make_user(Role.MANAGER, username="mara")
    sign_in(page, live_server.url, "mara")
    page.set_default_timeout(15_000)
    walker = Walker(page)
    link = make(walker, table)
    expect(page.get_by_text("Active", exact=True).first).to_be_visible()
    report(walker)
    for name in NAMES:
        work(browser, link, name)
    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.overlap, campaign.memberships.count()) == ("active", 2, 2)
    assert campaign.tasks.filter(gold=False, status="open", overlap=2).count() == 10
    assert Gold.objects.filter(task__campaign=campaign).count() == 2
    walks = walker.walks
    assert sum(walk.clicks for walk in walks) <= 16
    assert sum(walk.fields for walk in walks) <= 6
    assert sum(walk.keys for walk in walks) <= 20
    assert sum(walk.acting + walk.reading for walk in walks) < 300  # five minutes, with every word read
