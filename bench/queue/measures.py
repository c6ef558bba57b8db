"""The queue's measurements, one after the other on the same installation."""

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from bench.queue import exact, fill, limit
from bench.queue.crowd import Crowd, exponential, sign_in
from bench.queue.meter import Meter
from bench.queue.reading import Reading, say, take
from bench.report import Figure
from labeling.models import Campaign

MOST_TASKS = 1_000_000  # beyond, each task is asked of several raters
THINK_SECONDS = 5.0

# Label Studio 1.23.2 with its shipped uWSGI settings and PostgreSQL 15, on 2 cores
PEER_RATE, PEER_CPU, PEER_P95, PEER_STATEMENTS = 9.1, 0.213, 1.29, 112  # 16 raters, 100,000 tasks
PEER_THINKING_P95, PEER_THINKING_ERRORS = 11.6, 1.5  # seconds, %; 200 raters who think 5 s


class Bench:
    """The measurements, one after the other on the same installation."""

    def __init__(self, address: str, options: argparse.Namespace) -> None:
        self.address, self.options, self.meter = address, options, Meter(address)
        self.readings: list[Reading] = []
        fill.number_apart()
        self.people = fill.make_raters(max(options.raters, options.thinkers))
        self.seats = sign_in(self.people)
        self.campaign = fill.make_campaign("Queue", self.people, options.tasks)

    def busy(self) -> list[Figure]:
        """Let a few raters judge without a pause, several times: no machine is always equally fast."""
        o = self.options
        taken = [self._take(self.campaign, o.seconds) for _ in range(o.turns)]
        found = middle(taken)
        rates = sorted(reading.rate for reading in taken)
        times = f"median of {o.turns}: {rates[0]:.0f} to {rates[-1]:.0f}/s"
        self._keep(found, f"{o.raters} raters without a pause, {o.tasks:,} tasks ({times})")
        return [
            Figure("busy: judgments", found.rate, "1/s", ">= 400", found.rate >= 400),
            Figure("busy: judgments, slowest time", rates[0], "1/s"),
            Figure("busy: judgments, fastest time", rates[-1], "1/s"),
            Figure("busy: times the peer's rate", found.rate / PEER_RATE, ""),
            Figure("busy: CPU of web + database", 1000 * found.served, "ms", "<= 5", found.served <= 0.005),
            Figure("busy: share of the peer's CPU", found.served / PEER_CPU, ""),
            Figure("busy: CPU of web", 1000 * found.cpu["web"], "ms"),
            Figure("busy: CPU of database", 1000 * found.cpu["database"], "ms"),
            Figure("busy: CPU of Redis", 1000 * found.cpu["redis"], "ms"),
            Figure("busy: CPU of the raters", 1000 * found.cpu["crowd"], "ms"),
            Figure("busy: submit and next, median", 1000 * found.p50, "ms"),
            Figure("busy: submit and next, p95", 1000 * found.p95, "ms", f"(peer: {1000 * PEER_P95:.0f})"),
            Figure("busy: submit and next, p99", 1000 * found.p99, "ms"),
            Figure("busy: errors", found.errors, "", "0", found.errors == 0),
            Figure("busy: tasks handed out twice", found.duplicates, "", "0", found.duplicates == 0),
        ]

    def thinking(self) -> list[Figure]:
        """Let many raters judge who think."""
        o = self.options
        name = f"{o.thinkers} raters who think {THINK_SECONDS:.0f} s, {o.tasks:,} tasks"
        seats = self.seats[: o.thinkers]
        crowd = Crowd(self.address, seats, self.campaign.slug, exponential(THINK_SECONDS))
        found = take(name, crowd, self.campaign, self.meter, o.seconds / 3, 2 * o.seconds)
        self.readings.append(found)
        return [
            Figure("thinking: judgments", found.rate, "1/s"),
            Figure("thinking: submit and next, median", 1000 * found.p50, "ms"),
            Figure("thinking: submit and next, p95", 1000 * found.p95, "ms", "< 40", found.p95 < 0.04),
            Figure("thinking: share of the peer's p95", found.p95 / PEER_THINKING_P95, ""),
            Figure("thinking: submit and next, p99", 1000 * found.p99, "ms"),
            Figure(
                "thinking: errors", found.errors, "", f"0 (peer: {PEER_THINKING_ERRORS} %)", found.errors == 0
            ),
        ]

    def limit(self) -> list[Figure]:
        """Run the same statements alone."""
        o = self.options
        script, statements = limit.capture(self.campaign, self.people[0])
        limit.take_seats(self.campaign, self.people[: o.raters])
        before = self.meter.seconds()["database"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "judgment.sql"
            file.write_text(script)
            rate = limit.run(file, o.raters, max(1, round(o.seconds / 2)))
        used = self.meter.seconds()["database"] - before
        each = used / (rate * max(1, round(o.seconds / 2)))
        return [
            Figure(
                "limit: SQL statements of a judgment",
                statements,
                "",
                f"<= 8 (peer: {PEER_STATEMENTS})",
                statements <= 8,
            ),
            Figure("limit: the same SQL under pgbench", rate, "1/s"),
            Figure("limit: share of it that is reached", self.readings[0].rate / rate, ""),
            Figure("limit: CPU of database", 1000 * each, "ms"),
        ]

    def cold(self) -> list[Figure]:
        """Show texts that nobody has seen before, so that each is rendered anew."""
        o = self.options
        tasks = max(1, o.tasks // 5)
        campaign = fill.make_campaign("Cold", self.people[: o.raters], tasks, prompts=tasks)
        found = self._take(campaign, o.seconds / 2)
        self._keep(found, f"the same, every text for the first time, {tasks:,} tasks")
        return [
            Figure("cold texts: judgments", found.rate, "1/s"),
            Figure("cold texts: CPU of web + database", 1000 * found.served, "ms"),
        ]

    def adapting(self) -> list[Figure]:
        """Let the overlap adapt, on so few tasks that most of them get all their judgments meanwhile."""
        o = self.options
        tasks = max(1, round(300 * o.seconds))
        people = self.people[: o.raters]
        campaign = fill.make_campaign("Adapting", people, tasks, prompts=50, overlap=2, overlap_cap=5)
        found = self._take(campaign, o.seconds)
        asked = sum(campaign.tasks.values_list("overlap", flat=True)) - 2 * tasks
        self._keep(found, f"overlap from 2 to 5, {tasks:,} tasks, asked once more {asked:,} times")
        return [
            Figure("adapting: judgments", found.rate, "1/s"),
            Figure("adapting: CPU of web + database", 1000 * found.served, "ms"),
            Figure("adapting: judgments that were asked for besides", asked, ""),
            Figure("adapting: errors", found.errors, "", "0", found.errors == 0),
        ]

    def exact(self) -> list[Figure]:
        """Work a campaign off to its end."""
        reading, found = exact.work_off(self.address, self.meter, self.options.exact_tasks)
        self.readings.append(reading)
        return [
            Figure("exact: judgments", reading.judgments, ""),
            Figure("exact: judgments/s", reading.rate, "1/s"),
            Figure("exact: imbalances", len(found), "", "0", not found),
            Figure("exact: tasks handed out twice", reading.duplicates, "", "0", reading.duplicates == 0),
            Figure("exact: errors", reading.errors, "", "0", reading.errors == 0),
        ]

    def grow(self, sizes: Sequence[int]) -> list[Figure]:
        """Repeat the first measurement at other sizes, one after the other in the same database.

        It is repeated beside each of them in turns, so that both meet the machine at the same speeds.
        """
        o, figures = self.options, []
        for slots in sizes:
            tasks = min(slots, MOST_TASKS)
            say(f"filling {slots:,} slots …")
            people = self.people[: o.raters]
            campaign = fill.make_campaign(f"Grown to {slots}", people, tasks, slots // tasks)
            # no more than half of what there is
            seconds = min(o.seconds, slots / 1000 / o.turns)
            turns = [
                (self._take(self.campaign, seconds), self._take(campaign, seconds)) for _ in range(o.turns)
            ]
            found = middle([grown for _first, grown in turns])
            share = median(grown.rate / first.rate for first, grown in turns)
            self._keep(
                found, f"{slots:,} slots: {tasks:,} tasks × {slots // tasks} ({share:.2f} of the first)"
            )
            figures += [
                Figure(f"{slots:,} slots: judgments", found.rate, "1/s"),
                Figure(f"{slots:,} slots: times the first", share, "", ">= 0.8", share >= 0.8),
                Figure(f"{slots:,} slots: CPU of web + database", 1000 * found.served, "ms"),
                Figure(f"{slots:,} slots: p95", 1000 * found.p95, "ms"),
            ]
        return figures

    def _take(self, campaign: Campaign, seconds: float) -> Reading:
        crowd = Crowd(self.address, self.seats[: self.options.raters], campaign.slug)
        return take(campaign.name, crowd, campaign, self.meter, seconds / 4, seconds)

    def _keep(self, reading: Reading, name: str) -> None:
        self.readings.append(replace(reading, name=name))


def middle(readings: Sequence[Reading]) -> Reading:
    """Return the reading of the median rate."""
    return sorted(readings, key=lambda reading: reading.rate)[len(readings) // 2]
