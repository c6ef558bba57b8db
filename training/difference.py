"""What one snapshot has that another has not, read side by side in constant memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.conf import settings
from django.core.cache import cache

from training import snapshots
from training.canonical_rows import canonical_json
from training.formats import Row
from training.models import Snapshot

EXAMPLES = 20
KEPT_SECONDS = 24 * 3600
ASKED_SECONDS = 600  # after which a comparison that never came is asked for again
WHAT = ("prompts", "tasks", "judgments", "edits", "raters")


@dataclass
class Difference:
    """Count what is in the first alone, in the second alone, and in both; `changed` tasks differ in them.

    `examples` are the first tasks that differ: {"prompt", "task", "what": added | removed | changed}.
    """

    removed: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    changed: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def table(self) -> list[tuple[str, int, int, int]]:
        """Return (what, removed, added, in both) for each kind of thing."""
        return [(name, self.removed[name], self.added[name], self.same[name]) for name in WHAT]


def find(first: Snapshot, second: Snapshot, send: Callable[[int, int], None]) -> Difference | None:
    """Return how two snapshots differ; None while a worker compares large ones, for which `send` asks.

    Raises SnapshotError when files are missing.
    """
    kept: Difference | None = cache.get(_name(first, second))
    if kept is not None:
        return kept
    said = sum(each.counts.get("judgments", 0) + each.counts.get("edits", 0) for each in (first, second))
    if said <= settings.PREPARE_ABOVE:
        return compare(first, second)
    for each in (first, second):
        snapshots.path(each)
    if cache.add(f"{_name(first, second)}:asked", 1, ASKED_SECONDS):
        send(first.pk, second.pk)
    return None


def keep(first: Snapshot, second: Snapshot) -> None:
    """Compare two snapshots for who asks again."""
    cache.set(_name(first, second), compare(first, second), KEPT_SECONDS)


def _name(first: Snapshot, second: Snapshot) -> str:
    return f"difference:{first.digest}:{second.digest}"  # what they hold never changes


def compare(first: Snapshot, second: Snapshot) -> Difference:
    """Compare two snapshots prompt by prompt; raises SnapshotError when files are missing.

    Tasks are the same by their id, judgments and edits when all that is written of them is.
    """
    found = Difference()
    raters: tuple[set[str], set[str]] = (set(), set())
    for split in snapshots.SPLITS:
        for old, new in _side_by_side(_prompts(first, split), _prompts(second, split)):
            for side, rows in zip(raters, (old, new), strict=True):
                side.update(said["rater"] for row in rows for said in [*row["judgments"], *row["edits"]])
            _tally(found, "prompts", {row["prompt_id"] for row in old}, {row["prompt_id"] for row in new})
            _compare_tasks(found, old, new)
    _tally(found, "raters", *raters)
    return found


def _compare_tasks(found: Difference, old: list[Row], new: list[Row]) -> None:
    before, after = _by_task(old), _by_task(new)
    _tally(found, "tasks", set(before), set(after))
    for kind in ("judgments", "edits"):
        said = [
            Counter((row["task"]["id"], canonical_json(each)) for row in rows for each in row[kind])
            for rows in (old, new)
        ]
        found.removed[kind] += (said[0] - said[1]).total()
        found.added[kind] += (said[1] - said[0]).total()
        found.same[kind] += (said[0] & said[1]).total()
    for task in sorted(before.keys() | after.keys()):
        if before.get(task) == after.get(task):
            continue
        what = "added" if task not in before else "removed" if task not in after else "changed"
        found.changed += what == "changed"
        if len(found.examples) < EXAMPLES:
            prompt = (after.get(task) or before[task])[0]["prompt"][-1]["content"]
            found.examples.append({"prompt": prompt, "task": task, "what": what})


def _by_task(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["task"]["id"], []).append(row)
    return found


def _tally(found: Difference, name: str, old: set[str], new: set[str]) -> None:
    found.removed[name] += len(old - new)
    found.added[name] += len(new - old)
    found.same[name] += len(old & new)


def _prompts(snapshot: Snapshot, split: str) -> Iterator[tuple[str, list[Row]]]:
    """Yield each prompt's rows; prompts come in the order of their hashes."""
    for prompt, rows in groupby(snapshots.rows(snapshot, split), key=lambda row: str(row["prompt_id"])):
        yield prompt, list(rows)


def _side_by_side(
    first: Iterator[tuple[str, list[Row]]], second: Iterator[tuple[str, list[Row]]]
) -> Iterator[tuple[list[Row], list[Row]]]:
    """Pair the rows of equal prompts; a prompt of one side alone meets nothing."""
    old, new = next(first, None), next(second, None)
    while old or new:
        if new is None or (old is not None and old[0] < new[0]):
            assert old is not None
            yield old[1], []
            old = next(first, None)
        elif old is None or new[0] < old[0]:
            yield [], new[1]
            new = next(second, None)
        else:
            yield old[1], new[1]
            old, new = next(first, None), next(second, None)
