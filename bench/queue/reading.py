"""One measurement of a crowd at work, and the table of several."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connection

from bench.queue.audit import duplicates
from bench.queue.crowd import Crowd
from bench.queue.ledger import Ledger
from bench.queue.meter import Meter
from labeling.models import Campaign, Judgment, Slot, Task


@dataclass(frozen=True)
class Reading:
    """What a run came to: seconds by percentile, and processor seconds by program, both for one judgment."""

    name: str
    judgments: int
    rate: float  # judgments a second
    p50: float
    p95: float
    p99: float
    cpu: dict[str, float] = field(default_factory=dict)  # web, database, redis, crowd
    errors: int = 0
    duplicates: int = 0

    @property
    def served(self) -> float:
        """Return the processor seconds of web server and database for one judgment."""
        return self.cpu["web"] + self.cpu["database"]

    def row(self) -> str:
        """Write the reading as a row of Markdown."""
        waits = " / ".join(f"{1000 * wait:.1f}" for wait in (self.p50, self.p95, self.p99))
        parts = " + ".join(f"{1000 * self.cpu[name]:.2f}" for name in ("web", "database"))
        rest = " + ".join(f"{1000 * self.cpu[name]:.2f}" for name in ("redis", "crowd"))
        return (
            f"| {self.name} | {self.rate:.1f} | {waits} | {1000 * self.served:.2f} ({parts}) | {rest} "
            f"| {self.errors} | {self.duplicates} |"
        )


HEAD = (
    "| | judgments/s | p50 / p95 / p99, ms | CPU of web + database, ms | of Redis + crowd, ms "
    "| errors | handed out twice |\n|---|---|---|---|---|---|---|"
)


def table(readings: Iterable[Reading]) -> str:
    """Write readings as a table in Markdown; processor time is that of one judgment."""
    return "\n".join([HEAD, *(reading.row() for reading in readings)])


def take(
    name: str, crowd: Crowd, campaign: Campaign, meter: Meter, warm_up: float, seconds: float
) -> Reading:
    """Let a crowd work on a campaign and read what it came to after a warm-up."""
    started, before, analysed = time.monotonic(), dict[str, float](), False

    def look() -> bool:
        nonlocal analysed
        if not analysed and time.monotonic() - started >= warm_up / 2:
            analyse()
            analysed = True
        if not before and time.monotonic() - started >= warm_up:
            before.update(meter.seconds())
            crowd.warmed_up()
        say(f"{name}: {len(crowd.ledger.saved):,} judgments")
        return False

    ledger = crowd.run(warm_up + seconds, look)
    used = {program: spent - before[program] for program, spent in meter.seconds().items()}
    return read(name, ledger, used, duplicates(campaign))


def analyse() -> None:
    """Do what autovacuum does within a minute of work: let plans know what the tables have come to hold."""
    with connection.cursor() as cursor:
        for model in (Slot, Task, Judgment):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def read(name: str, ledger: Ledger, used: dict[str, float], twice: int) -> Reading:
    """Return what a ledger and the processor seconds used meanwhile come to."""
    judgments = ledger.judgments
    for error in ledger.errors[:3]:
        print(f"\n{name}: {error}", file=sys.stderr)
    return Reading(
        name,
        judgments,
        judgments / ledger.seconds,
        ledger.percentile(0.5),
        ledger.percentile(0.95),
        ledger.percentile(0.99),
        {p: spent / max(judgments, 1) for p, spent in {**used, "crowd": ledger.cpu_seconds}.items()},
        len(ledger.errors) + ledger.retries.total(),
        twice,
    )


def say(line: str) -> None:
    """Show how far things are, in one line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
