"""Canonical rows as columns: what was said on some prompts' tasks, read and put together many at once.

Rows hold no primary keys, and lie in an order that only their content decides.
Import it where a snapshot is cut: pyarrow comes with it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import QuerySet

from labeling.models import Campaign, Task, TaskResponse
from preferences.consensus import summarise_groups
from training import parquet, stored_labels
from training.canonical_rows import canonical_json
from training.database_columns import ARRAY, any_of, distinct, fetch, rank
from training.filters import Filters
from training.formats import Row

_WHOLE, _TEXT, _TRUTH = pa.int64(), pa.string(), pa.bool_()
PROMPT = {
    "pk": _WHOLE, "content_hash": _TEXT, "messages": _TEXT, "language": _TEXT, "tags": ARRAY, "split": _TEXT,
}  # fmt: skip
_TASK = {
    "pk": _WHOLE, "prompt": _WHOLE, "round__number": _WHOLE, "kind": _TEXT, "selection": _TEXT,
    "probability": pa.float64(), "overlap": _WHOLE, "external_id": _TEXT,
}  # fmt: skip


@dataclass
class _Lists:
    """Which values belong to which list, one list after the other."""

    begin: Any
    count: Any

    @classmethod
    def read(cls, of: Any, lists: int) -> _Lists:
        """Read which list each value belongs to, in ascending order."""
        count = np.bincount(of, minlength=lists)
        return cls(np.cumsum(count) - count, count)

    def take(self, lists: Any) -> _Lists:
        return _Lists(self.begin[lists], self.count[lists])

    def owners(self) -> Any:
        return np.repeat(np.arange(len(self.count)), self.count)

    def places(self) -> Any:
        """Return where the lists' values are."""
        ends = np.cumsum(self.count)
        return np.repeat(self.begin - ends + self.count, self.count) + np.arange(ends[-1] if len(ends) else 0)


@dataclass
class _Batch:
    """What was read about some prompts' tasks, in the order of the tasks' primary keys."""

    tasks: pa.Table
    asked: Any  # the place of each task's prompt
    ids: list[str]
    answers: stored_labels.Answers
    shown: _Lists
    places: Any  # of the answers shown, in `answers`
    said: _Lists
    by: Any  # what the judgments are ordered by
    judgments: pa.StructArray
    edits: list[list[Row]]  # of each task


def build(
    campaign: Campaign,
    prompts: pa.Table,
    tasks: QuerySet[Task],
    weights: Mapping[int, float],
    filters: Filters,
) -> tuple[pa.Table, Any]:
    """Return the rows of some prompts' tasks: in the prompts' order, then by round and content.

    `prompts` has the columns of PROMPT. `weights` say by rater what their votes count for; who isn't in it
    counts 1. The second value tells of each row whether its answers are all the same.
    """
    batch = _read(campaign, prompts, tasks, weights, filters)
    each = filters.consensus == "each"
    final = {} if each else stored_labels.final_words(batch.tasks["pk"])
    consensus = _consensus(batch.judgments, batch.said, filters, final)
    order = _in_order(batch, _agreeing(consensus, filters))
    rows, edited = batch.said.take(order), np.ones(len(order), bool)
    if each:
        order, rows, edited = _one_by_one(batch, order)
    judgments = batch.judgments.take(pa.array(rows.places()))
    if each:
        alone = _Lists.read(rows.owners(), len(order))
        consensus = _consensus(judgments, alone, filters, {})
    else:
        consensus = consensus.take(pa.array(order))
    edits = [batch.edits[task] if with_edits else [] for task, with_edits in zip(order, edited, strict=True)]
    table = _table(campaign, prompts, batch, order, (rows.count, judgments), consensus, edits)
    return table, _identical(batch, order)


def _read(
    campaign: Campaign,
    prompts: pa.Table,
    tasks: QuerySet[Task],
    weights: Mapping[int, float],
    filters: Filters,
) -> _Batch:
    found = fetch(tasks.filter(prompt__in=any_of(prompts["pk"].to_pylist())), _TASK)
    of, by, judgments = stored_labels.judgments(found["pk"], weights, filters)
    edits = stored_labels.edits(found["pk"], filters)
    heard = np.union1d(of, np.array(list(edits), np.int64))
    found = found.filter(pc.is_in(found["pk"], pa.array(heard))).sort_by("pk")
    keys = found["pk"].to_numpy()
    said = np.searchsorted(keys, of)
    order = np.lexsort((by, said))
    where = TaskResponse.objects.filter(task__in=any_of(keys.tolist()))
    shown = fetch(where, {"task": _WHOLE, "position": _WHOLE, "response": _WHOLE})
    shown = shown.sort_by([("task", "ascending"), ("position", "ascending")])
    answers = stored_labels.answers(shown["response"].to_numpy(), edits)
    lists = _Lists.read(np.searchsorted(keys, shown["task"].to_numpy()), len(keys))
    places = answers.at(shown["response"].to_numpy())
    names = answers.rows.field("id").take(pa.array(places)).to_pylist()
    told = {name: found[name].to_pylist() for name in ("round__number", "kind", "external_id")}
    ends = zip(lists.begin.tolist(), lists.count.tolist(), strict=True)
    named = [names[begin : begin + count] for begin, count in ends]
    ids = stored_labels.task_ids(campaign.slug, told, named)
    by_key = np.argsort(prompts["pk"].to_numpy())
    asked = by_key[np.searchsorted(prompts["pk"].to_numpy()[by_key], found["prompt"].to_numpy())]
    rewritten = [
        sorted((stored_labels.edited(edit, answers) for edit in edits.get(key, ())), key=canonical_json)
        for key in (keys.tolist() if edits else ())
    ] or [[]] * len(keys)
    return _Batch(
        found, asked, ids, answers, lists, places,
        _Lists.read(said, len(keys)), by[order], judgments.take(pa.array(order)), rewritten,
    )  # fmt: skip


def _consensus(
    judgments: pa.StructArray, lists: _Lists, filters: Filters, final: Mapping[int, tuple[int, str]]
) -> pa.StructArray:
    """Return what each list of a comparison's votes says together, or the reviewer who had the final word.

    The votes weigh what their raters do, or are all alike; each alone, they have no final word over them.
    """
    verdict, tasks = judgments.field("verdict"), len(lists.count)
    use = np.flatnonzero(pc.and_(judgments.field("counted"), verdict.is_valid()))
    first = pc.list_element(judgments.field("order_shown").take(pa.array(use)), 0).to_numpy()
    inward = verdict.take(pa.array(use)).to_numpy() * np.where(first == 0, 1, -1)
    alike = filters.consensus == "majority"
    worth = pc.fill_null(judgments.field("reliability").take(pa.array(use)), 1.0).to_numpy()
    said = summarise_groups(lists.owners()[use], inward, None if alike else worth, tasks)
    known = said["votes"] > 0
    for name in ("probability", "margin", "label"):
        said[name] = said[name].copy()
    for task, (graded, _reviewer) in final.items():
        label = (graded > 0) - (graded < 0)
        said["label"][task], said["probability"][task], said["margin"][task] = label, (1 - label) / 2, -graded
        known[task] = True
    shape = parquet.ROWS.field("consensus").type
    columns = {name: pa.array(values) for name, values in said.items()}
    columns["agreement"] = pa.array(said["agreement"], mask=np.isnan(said["agreement"]))
    columns["adjudicated"] = pa.array([final.get(task, (0, None))[1] for task in range(tasks)], _TEXT)
    parts = [columns[field.name].cast(field.type) for field in shape]
    return pa.StructArray.from_arrays(parts, fields=list(shape), mask=pa.array(~known))


def _agreeing(consensus: pa.StructArray, filters: Filters) -> Any:
    """Return the places of the tasks whose votes agree as much as is asked."""
    agreement = consensus.flatten()[consensus.type.get_field_index("agreement")]
    return np.flatnonzero(pc.fill_null(pc.greater_equal(agreement, filters.min_agreement), True))


def _in_order(batch: _Batch, tasks: Any) -> Any:
    """Order tasks by their prompts, then by round and content."""
    columns = (batch.tasks[name] for name in ("selection", "probability", "overlap", "external_id"))
    rewritten = pa.array([canonical_json(edits) if edits else "[]" for edits in batch.edits], _TEXT)
    # the first judgment of each task, the second …; −1 where it has no more
    lists, kth = batch.said, np.arange(batch.said.count.max(initial=0))
    places = np.minimum(lists.begin[:, None] + kth, max(len(batch.by) - 1, 0))
    said = np.where(kth < lists.count[:, None], batch.by[places] if len(batch.by) else -1, -1)
    keys = [
        batch.asked,
        batch.tasks["round__number"].to_numpy(),
        np.array(batch.ids, dtype=bytes),
        rank([*columns, rewritten]),
        *said.T,
    ]
    return tasks[np.lexsort([key[tasks] for key in reversed(keys)])]


def _one_by_one(batch: _Batch, order: Any) -> tuple[Any, _Lists, Any]:
    """Give each judgment a row of its own, and one to the edits of a task; tells which rows have edits."""
    found = []
    for task in order.tolist():
        begin, count = int(batch.said.begin[task]), int(batch.said.count[task])
        if count < 2:
            found.append((task, begin, count, True))
            continue
        found += [(task, place, 1, False) for place in range(begin, begin + count)]
        if batch.edits[task]:
            found.append((task, begin, 0, True))
    rows = np.array(found, dtype=np.int64).reshape(-1, 4)
    return rows[:, 0], _Lists(rows[:, 1], rows[:, 2]), rows[:, 3].astype(bool)


def _table(
    campaign: Campaign,
    prompts: pa.Table,
    batch: _Batch,
    order: Any,
    judgments: tuple[Any, pa.StructArray],
    consensus: pa.StructArray,
    edits: list[list[Row]],
) -> pa.Table:
    """Put rows together as the columns of parquet.ROWS."""
    shapes, asked = parquet.ROWS, pa.array(batch.asked[order])
    tasks = batch.tasks.take(pa.array(order)).combine_chunks()
    external = tasks["external_id"]
    task = [
        pa.array(batch.ids, _TEXT).take(pa.array(order)),
        *(tasks[name] for name in ("kind", "selection", "probability", "overlap")),
        pc.if_else(pc.equal(external, ""), None, external),
    ]
    shown = batch.shown.take(order)
    answers = batch.answers.rows.take(pa.array(batch.places[shown.places()]))
    of_prompt = {
        "prompt_id": prompts["content_hash"],
        "prompt": distinct(prompts["messages"], stored_labels.messages, shapes.field("prompt").type),
        "split": prompts["split"],
        "language": prompts["language"],
        "tags": distinct(prompts["tags"], lambda text: sorted(json.loads(text)), shapes.field("tags").type),
    }
    columns = {
        **{name: values.take(asked) for name, values in of_prompt.items()},
        "task": pa.table(task, pa.schema(list(shapes.field("task").type))).to_struct_array().combine_chunks(),
        "responses": parquet.lists(shown.count, answers),
        "judgments": parquet.lists(*judgments),
        "consensus": consensus,
        "edits": pa.array(edits, shapes.field("edits").type),
        "campaign": pa.repeat(campaign.slug, len(order)),
        "round": tasks["round__number"],
    }
    return pa.table([columns[name] for name in shapes.names], shapes).combine_chunks()


def _identical(batch: _Batch, order: Any) -> Any:
    """Tell of each row whether all its answers are the same."""
    says, lists = batch.answers.says[batch.places], batch.shown
    if not len(says):
        return np.ones(len(order), bool)
    owners = lists.owners()
    other = says != says[lists.begin[owners]]
    return (np.bincount(owners, other, len(lists.count)) == 0)[order]
