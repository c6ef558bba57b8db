"""Write a snapshot's Parquet files, hash what they say and count it, some prompts at a time.

Import it where a snapshot is cut: pyarrow comes with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import QuerySet

from labeling import trust
from labeling.models import Campaign, Prompt, Task
from labeling.models.task import fresh
from training import (
    canonical_columns,
    canonical_rows,
    dataset_statistics,
    forks,
    formats,
    parquet,
    standing,
    stored_labels,
)
from training.database_columns import distinct, fetch
from training.filters import Filters

SPLITS = ("train", "validation", "test")
_IDENTICAL = pa.field("identical", pa.bool_())
BATCH = 1000  # prompts whose rows are in memory at once


class Tally:
    """What a snapshot's rows add up to while they pass by."""

    def __init__(self, filters: Filters) -> None:
        # the same rows, taken for another reason, are another dataset
        self.head = f"touchstone snapshot {formats.SCHEMA_VERSION} {filters.as_json()}"
        self.digest = parquet.Digest(self.head)
        self.counts: Counter[str] = Counter(dict.fromkeys(canonical_rows.COUNTS, 0))
        self.raters: set[str] = set()
        self.sums = dataset_statistics.Sums()

    def count(self, table: pa.Table, identical: Any) -> None:
        """Count what some rows add; `identical` tells which rows' answers are all the same."""
        self.sums.count(table)
        judgments, edits = (table[name].combine_chunks() for name in ("judgments", "edits"))
        told = _tell(judgments)
        for said in (judgments, edits):
            self.raters.update(pc.unique(said.flatten().field("rater")).to_pylist())
        # pairs are worked out row by row where more than votes of a comparison make them
        plain = (np.diff(edits.offsets) == 0) & ~told["ranked"]
        for row in parquet.as_rows(table.filter(pa.array(~plain))):
            self.counts.update(canonical_rows.count(row))
        rows = table.filter(pa.array(plain))
        if rows.num_rows:
            self.counts.update(_plain(rows, {name: of[plain] for name, of in told.items()}, identical[plain]))


def write(
    draft: Path, campaign: Campaign, filters: Filters, on_prompts: Callable[[int], None] | None = None
) -> Tally:
    """Write data/<split>.parquet and prompts.parquet; `on_prompts` hears how many are done.

    In a transaction that sees one moment.
    """
    tally = Tally(filters)
    (draft / "data").mkdir()
    prompts_left, tasks_left = standing.known_now()
    tasks = Task.objects.filter(fresh(), filters.tasks(tasks_left), campaign=campaign)
    weights, looked_at = trust.weights(campaign), 0
    asked = {split: Prompt.objects.filter(campaign=campaign, split=split) for split in SPLITS}
    parts = {split: _parts(asked[split]) for split in SPLITS}

    def rows(part: tuple[str, str]) -> pa.Table:
        prompts = _prompts_from(asked[part[0]], part[1])
        table, identical = canonical_columns.build(campaign, prompts, tasks, weights, filters)
        return table.append_column(_IDENTICAL, pa.array(identical))

    jobs = [(split, first) for split in SPLITS for first, _prompts in parts[split]]
    with forks.tables(jobs, rows, parquet.ROWS.append(_IDENTICAL)) as tables:
        for split in SPLITS:
            hashed = partial(tally.digest.update, name=split)
            with parquet.writing(draft / "data" / f"{split}.parquet", parquet.ROWS, hashed) as store:
                for _first, prompts in parts[split]:
                    table = next(tables)
                    if table.num_rows:
                        identical = table["identical"].to_numpy()
                        table = table.drop_columns("identical")
                        tally.count(table, identical)
                        store(table)
                    looked_at += prompts
                    if on_prompts:
                        on_prompts(looked_at)
    hashed = partial(tally.digest.update, name="prompts")
    standing_ones = Prompt.objects.filter(prompts_left, campaign=campaign)
    with parquet.writing(draft / "prompts.parquet", parquet.PROMPTS, hashed) as store:
        for first, prompts in _parts(standing_ones):
            tally.counts["prompts"] += prompts
            store(_as_files(_prompts_from(standing_ones, first)))
    return tally


def _parts(found: QuerySet[Prompt]) -> list[tuple[str, int]]:
    """Part prompts, in the order of their content hashes: the first hash of each part, and its size."""
    hashes = fetch(found.order_by("content_hash"), {"content_hash": pa.string()})["content_hash"]
    return [(hashes[at].as_py(), min(BATCH, len(hashes) - at)) for at in range(0, len(hashes), BATCH)]


def _prompts_from(found: QuerySet[Prompt], first: str) -> pa.Table:
    some = found.filter(content_hash__gte=first).order_by("content_hash")[:BATCH]
    return fetch(some, canonical_columns.PROMPT)


def _as_files(prompts: pa.Table) -> pa.Table:
    said = distinct(prompts["messages"], stored_labels.messages, parquet.PROMPTS.field("prompt").type)
    return pa.table([prompts["content_hash"], said, prompts["split"]], parquet.PROMPTS)


def _tell(judgments: pa.ListArray) -> dict[str, Any]:
    """Tell of each row how many judgments count, tie, prefer, do not count; and whether one ranks."""
    said = judgments.flatten()
    row = np.repeat(np.arange(len(judgments)), np.diff(judgments.offsets))
    counted = said.field("counted").to_numpy(zero_copy_only=False).astype(bool)
    ranked = said.field("ranking").is_valid().to_numpy(zero_copy_only=False)
    verdict = pc.fill_null(said.field("verdict"), 0).to_numpy(zero_copy_only=False)

    def tally(which: Any) -> Any:
        return np.bincount(row[which], minlength=len(judgments))

    return {
        "counted": tally(counted),
        "ties": tally(counted & ~ranked & (verdict == 0)),
        "preferring": tally(counted & ~ranked & (verdict != 0)),
        "not_counted": tally(~counted),
        "ranked": tally(ranked) > 0,
    }


def _plain(rows: pa.Table, told: dict[str, Any], identical: Any) -> Counter[str]:
    """Count rows of votes on comparisons, as canonical_rows.count does one by one."""
    task, consensus = (rows[name].combine_chunks() for name in ("task", "consensus"))

    def which(values: Any) -> Any:
        return pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(bool)

    compare = which(pc.equal(task.field("kind"), "compare"))
    watch = which(pc.equal(task.field("selection"), "watch"))
    final = which(consensus.flatten()[_at(consensus, "adjudicated")].is_valid())
    preferred = which(pc.not_equal(consensus.flatten()[_at(consensus, "margin")], 0.0))
    pairs = np.where(final, preferred.astype(int), told["preferring"]) * ~identical * ~watch
    training = which(pc.equal(rows["split"].combine_chunks(), "train"))
    return Counter(
        tasks=len(compare),
        comparisons=int(compare.sum()),
        adjudicated=int(final.sum()),
        identical_pairs=int((compare & identical).sum()),
        judgments=int(told["counted"].sum()),
        ties=int(told["ties"].sum()),
        not_counted=int(told["not_counted"].sum()),
        pairs=int(pairs.sum()),
        training_pairs=int(pairs[training].sum()),
    )


def _at(array: pa.StructArray, name: str) -> int:
    found: int = array.type.get_field_index(name)
    return found
