"""Measure the comparison page as a browser meets it: weight, requests, and how soon the next task is there.

python -m bench.rater_page --json FILE

The production web server with compressed static files on this machine; Chromium without a cache. The goals'
peer is Label Studio's labeling page, measured the same way.
"""

import argparse
import json
import random
import statistics
from itertools import cycle
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, Request

from bench.report import Figure, main
from bench.serving import chromium, serving

WARM_UP = 3
NEXT = "verdict to next task, CPU 4x slower"
THINKING_MS = 700  # less than what a person needs, more than what the next task needs to come

# From the press of Enter to the frame in which another task stands there.
STOPWATCH = """
window.waits = [];
addEventListener("keydown", (event) => {
  const work = document.getElementById("work");
  if (event.key !== "Enter" || !work) return;
  const before = work.querySelector(".task")?.dataset.lease;
  const look = () => {
    const lease = work.querySelector(".task")?.dataset.lease;
    if (!lease || lease === before) return requestAnimationFrame(look);
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => waits.push(performance.now() - event.timeStamp);
      channel.port2.postMessage(0);  // comes after the frame is painted
    });
  };
  requestAnimationFrame(look);
}, {capture: true});
"""


class Wire:
    """What goes over the wire to and from one page."""

    def __init__(self, page: Page, session: CDPSession, address: str) -> None:
        self.bytes = 0
        self.requests = 0
        self.strangers = 0
        self._address = address
        page.on("request", self._sent)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._came)

    def _sent(self, request: Request) -> None:
        if not request.url.startswith("data:"):
            self.requests += 1
            self.strangers += not request.url.startswith(self._address)

    def _came(self, event: dict[str, Any]) -> None:
        self.bytes += int(event["encodedDataLength"])


def furnish(judgments: int, paragraphs: int = 8) -> tuple[Any, str]:
    """Make a rater and enough comparisons of answers of some paragraphs; return the rater and the slug."""
    from labeling import demo_tour, rounds
    from tests.cast import add_task, make_campaign, make_round, make_user

    rater = make_user()
    campaign = make_campaign(raters=(rater,), guideline=demo_tour.GUIDELINE)
    records = [json.loads(line) for line in demo_tour.RECORDS.read_text().splitlines()]
    texts = [r["text"] for record in records for r in record.get("responses", [])]
    pieces = cycle(random.Random(0).sample(texts, len(texts)))
    round_ = make_round(campaign)
    for number in range(judgments):
        sides = ("\n\n".join(next(pieces) for _ in range(paragraphs)) for _ in range(2))
        add_task(round_, tuple(f"{text}\n\n({number})" for text in sides))
    rounds.open_(round_)
    return rater, campaign.slug


def time_judgments(page: Page, judgments: int) -> list[float]:
    """Judge by keyboard and return how long each next task took to be painted, in ms."""
    for number in range(judgments):
        page.wait_for_timeout(THINKING_MS)
        page.keyboard.press(str(number % 7 + 1))
        page.keyboard.press("Enter")
        page.wait_for_function("n => waits.length === n", arg=number + 1)
    waits: list[float] = page.evaluate("waits")
    return waits


def watch(browser: Browser, address: str, judgments: int) -> list[Figure]:
    """Load the page cold, then judge at a quarter of the processor's speed."""
    from tests.e2e.places import sign_in

    rater, slug = furnish(judgments + WARM_UP + 5)
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    sign_in(context, rater, address)
    page = context.new_page()
    page.add_init_script(STOPWATCH)
    session = context.new_cdp_session(page)
    wire = Wire(page, session, address)
    page.goto(f"{address}/rate/{slug}/")
    page.locator("#work[data-ready]").wait_for(state="attached")
    ready = page.evaluate("performance.now()") / 1000
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000)
    cold_bytes, cold_requests = wire.bytes, wire.requests
    session.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    waits = time_judgments(page, judgments + WARM_UP)[WARM_UP:]
    page.wait_for_timeout(500)
    each = (wire.requests - cold_requests) / (judgments + WARM_UP)
    kept = count_judgments()
    context.close()
    if kept != judgments + WARM_UP:
        raise RuntimeError(f"{kept} judgments are kept, of {judgments + WARM_UP}")
    return figures(cold_bytes / 1000, cold_requests, ready, each, waits, wire.strangers)


def count_judgments() -> int:
    """Count what the server has kept."""
    from labeling.models import Judgment

    return Judgment.objects.count()


def figures(
    weight: float, requests: int, ready: float, each: float, waits: list[float], strangers: int
) -> list[Figure]:
    """Hold what was measured against the goals."""
    median = statistics.median(waits)
    worst = sorted(waits)[int(0.95 * len(waits))]
    return [
        Figure("cold page, over the wire", weight, "kB", "< 150 (peer: 2,196)", weight < 150),
        Figure("cold page, requests", requests, "", "<= 8 (peer: 34)", requests <= 8),
        Figure("cold page, until one can judge", ready, "s", "(peer: 2.0)"),
        Figure("requests for a judgment", each, "", "1 (peer: 3)", each <= 1),
        Figure(f"{NEXT}, median", median, "ms", "<= 100 (peer: 242)", median <= 100),
        Figure(f"{NEXT}, 95th percentile", worst, "ms"),
        Figure("requests to other origins", strangers, "", "0", strangers == 0),
    ]  # fmt: skip


def measure(options: argparse.Namespace) -> list[Figure]:
    """Measure on a server of its own."""
    with serving() as address, chromium() as browser:
        return watch(browser, address, options.judgments)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judgments", type=int, default=40)
    main(measure, parser)
