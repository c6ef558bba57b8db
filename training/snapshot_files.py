"""Write a snapshot's Parquet files, hash what they say and count it, some prompts at a time.

Import it where a snapshot is cut: pyarrow comes with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Count, Q, QuerySet

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
from training.database_columns import distinct, fetch, rank
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
    draft: Path,
    campaigns: Sequence[Campaign],
    filters: Filters,
    on_prompts: Callable[[int], None] | None = None,
) -> Tally:
    """Write data/<split>.parquet and prompts.parquet; `on_prompts` hears how many are done.

    In a transaction that sees one moment. A prompt's rows lie together, by their campaigns' short names.
    """
    tally = Tally(filters)
    (draft / "data").mkdir()
    prompts_left, tasks_left = standing.known_now()
    tasks = Task.objects.filter(fresh(), filters.tasks(tasks_left))
    weights, looked_at = [trust.weights(campaign) for campaign in campaigns], 0
    prompts = Prompt.objects.filter(campaign__in=campaigns)
    moved = _moved(prompts) if len(campaigns) > 1 else {}
    asked = {split: _in_split(prompts, split, moved) for split in SPLITS}
    parts = {split: _parts(asked[split]) for split in SPLITS}

    def rows(part: tuple[str, str, str]) -> pa.Table:
        split, *ends = part
        return _together(
            _of_campaign(campaign, asked[split], ends, tasks, worth, filters, split)
            for campaign, worth in zip(campaigns, weights, strict=True)
        )

    beside = _write_prompts(draft / "prompts.parquet", prompts.filter(prompts_left), moved, tally)
    jobs = [(split, first, last) for split in SPLITS for first, last, _prompts in parts[split]]
    with forks.tables(jobs, rows, parquet.ROWS.append(_IDENTICAL)) as tables:
        for split in SPLITS:
            hashed = partial(tally.digest.update, name=split)
            with parquet.writing(draft / "data" / f"{split}.parquet", parquet.ROWS, hashed) as store:
                for *_ends, number in parts[split]:
                    table = next(tables)
                    if table.num_rows:
                        identical = table["identical"].to_numpy()
                        table = table.drop_columns("identical")
                        tally.count(table, identical)
                        store(table)
                    next(beside, None)  # while others make the next table
                    looked_at += number
                    if on_prompts:
                        on_prompts(looked_at)
    for _more in beside:
        pass
    return tally


def _write_prompts(
    file: Path, found: QuerySet[Prompt], moved: Mapping[str, str], tally: Tally
) -> Iterator[None]:
    """Write prompts.parquet part by part, going on whenever it is asked to."""
    with parquet.writing(file, parquet.PROMPTS, partial(tally.digest.update, name="prompts")) as store:
        for *ends, number in _parts(found):
            tally.counts["prompts"] += number
            store(_as_files(_prompts_between(found, ends), moved))
            yield


def _moved(prompts: QuerySet[Prompt]) -> dict[str, str]:
    """Return the split of each prompt that campaigns keep in different ones: where it is kept out most."""
    apart = prompts.order_by().values("content_hash").annotate(splits=Count("split", distinct=True))
    found: dict[str, str] = {}
    mixed = prompts.filter(content_hash__in=apart.filter(splits__gt=1).values("content_hash"))
    for name, split in mixed.values_list("content_hash", "split"):
        found[name] = max(found.get(name, split), split, key=SPLITS.index)
    return found


def _in_split(prompts: QuerySet[Prompt], split: str, moved: Mapping[str, str]) -> QuerySet[Prompt]:
    if not moved:
        return prompts.filter(split=split)
    here = [name for name, to in moved.items() if to == split]
    return prompts.filter(Q(split=split) & ~Q(content_hash__in=list(moved)) | Q(content_hash__in=here))


def _parts(found: QuerySet[Prompt]) -> list[tuple[str, str, int]]:
    """Part prompts by their content hashes, in order: the first and last hash of each part, and how many."""
    listed = fetch(found.order_by("content_hash"), {"content_hash": pa.string()})["content_hash"]
    hashes = pc.unique(listed)
    parts = [hashes[at : at + BATCH] for at in range(0, len(hashes), BATCH)]
    return [(part[0].as_py(), part[-1].as_py(), len(part)) for part in parts]


def _prompts_between(found: QuerySet[Prompt], ends: Sequence[str]) -> pa.Table:
    some = found.filter(content_hash__gte=ends[0], content_hash__lte=ends[1]).order_by("content_hash")
    return fetch(some, canonical_columns.PROMPT)


def _of_campaign(
    campaign: Campaign,
    asked: QuerySet[Prompt],
    ends: Sequence[str],
    tasks: QuerySet[Task],
    weights: Mapping[int, float],
    filters: Filters,
    split: str,
) -> pa.Table:
    prompts = _prompts_between(asked.filter(campaign=campaign), ends)
    at = prompts.schema.get_field_index("split")
    prompts = prompts.set_column(at, "split", pa.repeat(pa.scalar(split), len(prompts)))
    of_it = tasks.filter(campaign=campaign)
    table, identical = canonical_columns.build(campaign, prompts, of_it, weights, filters)
    return table.append_column(_IDENTICAL, pa.array(identical))


def _together(found: Iterable[pa.Table]) -> pa.Table:
    """Put the rows of campaigns together, prompt by prompt."""
    tables = list(found)
    if len(tables) == 1:
        return tables[0]
    whole = pa.concat_tables(tables)
    return whole.take(pa.array(np.argsort(rank([whole["prompt_id"]]), kind="stable")))


def _as_files(prompts: pa.Table, moved: Mapping[str, str]) -> pa.Table:
    hashes = prompts["content_hash"].combine_chunks()
    other = pc.not_equal(hashes[1:], hashes[:-1])
    prompts = prompts.filter(pa.concat_arrays([pa.array([True][: len(hashes)]), other]))
    splits = prompts["split"]
    if moved:
        known = zip(prompts["content_hash"].to_pylist(), splits.to_pylist(), strict=True)
        splits = pa.array([moved.get(name, split) for name, split in known], pa.string())
    said = distinct(prompts["messages"], stored_labels.messages, parquet.PROMPTS.field("prompt").type)
    return pa.table([prompts["content_hash"], said, splits], parquet.PROMPTS)


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
