"""Canonical rows as columns: what was said on some prompts' tasks, read and put together many at once.

PostgreSQL's answers become Arrow columns without an object for each value; what differs little, such as the
JSON of reasons, is read once for each different text. Rows hold no primary keys, and lie in an order that
only their content decides. Import it where a snapshot is cut: pyarrow comes with it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import QuerySet

from labeling.models import Adjudication, Campaign, Edit, Judgment, Response, Task, TaskResponse
from preferences.consensus import summarise_groups
from training import parquet, standing
from training.canonical_rows import canonical_json
from training.database_columns import ARRAY, Shape, any_of, distinct, fetch, rank
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
_SAMPLING = {"temperature": pa.float64(), "top_p": pa.float64(), "max_new_tokens": _WHOLE, "seed": _WHOLE}
_RESPONSE = {
    "pk": _WHOLE, "prompt__content_hash": _TEXT, "copy": _WHOLE, "text": _TEXT, "turns": _TEXT,
    "origin": _TEXT, "policy__name": _TEXT, "round__number": _WHOLE, "author__pseudonym": _TEXT,
    **{f"sampling__{name}": kind for name, kind in _SAMPLING.items()},
}  # fmt: skip
_SAID = {
    "pk": _WHOLE, "task": _WHOLE, "rater": _WHOLE, "rater__pseudonym": _TEXT, "imported": _TRUTH,
    "rater__simulated": _TRUTH, "guideline__number": _WHOLE, "active_ms": _WHOLE, "attention": _TEXT,
    "flags": ARRAY, "extra": _TRUTH, "withdrawn": _TRUTH,
}  # fmt: skip
_JUDGED = {
    "verdict": _WHOLE, "ranking": _TEXT, "order_shown": ARRAY, "both_bad": _TRUTH, "criteria": _TEXT,
    "reasons": _TEXT, "comment": _TEXT, "display_rate": _WHOLE,
}  # fmt: skip
_CONTENT = [name for name in {**_SAID, **_JUDGED} if name not in ("pk", "task", "rater", "rater__pseudonym")]
_EDITED = {"original": _WHOLE, "edited": _WHOLE, "instruction": _TEXT, "distance": _WHOLE}

Columns = dict[str, Any]


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
class _Answers:
    """The answers of a batch, each once."""

    keys: Any  # their primary keys, ascending
    rows: pa.StructArray
    says: Any  # the same number: the same words

    def at(self, keys: Any) -> Any:
        """Return the places of answers by their primary keys."""
        return np.searchsorted(self.keys, keys)


@dataclass
class _Batch:
    """What was read about some prompts' tasks, in the order of the tasks' primary keys."""

    tasks: pa.Table
    asked: Any  # the place of each task's prompt
    ids: list[str]
    answers: _Answers
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
    final = {} if each else _final_words(batch.tasks["pk"])
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
    of, by, judgments = _judgments(found["pk"], weights, filters)
    edits = _edits(found["pk"], filters)
    heard = np.union1d(of, np.array(list(edits), np.int64))
    found = found.filter(pc.is_in(found["pk"], pa.array(heard))).sort_by("pk")
    keys = found["pk"].to_numpy()
    said = np.searchsorted(keys, of)
    order = np.lexsort((by, said))
    where = TaskResponse.objects.filter(task__in=any_of(keys.tolist()))
    shown = fetch(where, {"task": _WHOLE, "position": _WHOLE, "response": _WHOLE})
    shown = shown.sort_by([("task", "ascending"), ("position", "ascending")])
    answers = _answers(shown["response"].to_numpy(), edits)
    lists = _Lists.read(np.searchsorted(keys, shown["task"].to_numpy()), len(keys))
    places = answers.at(shown["response"].to_numpy())
    names = answers.rows.field("id").take(pa.array(places)).to_pylist()
    told = (found[name].to_pylist() for name in ("round__number", "kind", "external_id"))
    ids = [
        digest([campaign.slug, *of_task, names[begin : begin + count]])
        for begin, count, *of_task in zip(lists.begin.tolist(), lists.count.tolist(), *told, strict=True)
    ]
    by_key = np.argsort(prompts["pk"].to_numpy())
    asked = by_key[np.searchsorted(prompts["pk"].to_numpy()[by_key], found["prompt"].to_numpy())]
    rewritten = [
        sorted((_edited(edit, answers) for edit in edits.get(key, ())), key=canonical_json)
        for key in (keys.tolist() if edits else ())
    ] or [[]] * len(keys)
    return _Batch(
        found, asked, ids, answers, lists, places,
        _Lists.read(said, len(keys)), by[order], judgments.take(pa.array(order)), rewritten,
    )  # fmt: skip


def digest(value: Any) -> str:
    """Name a value by what it holds."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:24]


def messages(text: str) -> list[Row]:
    """Read the JSON of a conversation."""
    return [{"role": m["role"], "content": m["content"]} for m in json.loads(text)] if text != "[]" else []


def _said(model: type[Judgment | Edit], tasks: Any, filters: Filters, own: Shape) -> tuple[pa.Table, Columns]:
    """Return what filters take: its stored columns, and the canonical ones that both kinds share."""
    keys = any_of(tasks.to_pylist())
    # whatever supersedes a row is about the same task, whether filters take it or not
    later = model._default_manager.filter(task__in=keys, supersedes__isnull=False)
    superseded = fetch(later, {"supersedes": _WHOLE})["supersedes"].combine_chunks()
    stored = model._default_manager.filter(filters.said(model), task__in=keys)
    table = fetch(stored, {**_SAID, **own}).combine_chunks()
    gone = pc.is_in(table["pk"], superseded)
    no = pc.or_(pc.or_(table["extra"], table["withdrawn"]), gone)
    shape = parquet.ROWS.field("judgments").type.value_type
    shared = {
        "rater": table["rater__pseudonym"],
        "source": pc.if_else(
            table["imported"], "imported", pc.if_else(table["rater__simulated"], "simulated", "person")
        ),
        "guideline": table["guideline__number"],
        "active_ms": table["active_ms"],
        "attention": distinct(
            table["attention"], lambda text: json.loads(text) or None, shape.field("attention").type
        ),
        "flags": distinct(table["flags"], json.loads, shape.field("flags").type),
        "counted": pc.invert(no),
        "extra": table["extra"],
        "withdrawn": table["withdrawn"],
        "superseded": gone,
    }
    return table, shared


def _judgments(tasks: Any, weights: Mapping[int, float], filters: Filters) -> tuple[Any, Any, pa.StructArray]:
    """Return the judgments that filters take, the task of each, and numbers that order them by content."""
    table, shared = _said(Judgment, tasks, filters, _JUDGED)
    shape = parquet.ROWS.field("judgments").type.value_type
    raters = table["rater"].combine_chunks().dictionary_encode()
    weight = pa.array(map(weights.get, raters.dictionary.to_pylist()), pa.float64()).take(raters.indices)
    columns = {
        **shared,
        **{name: table[name] for name in ("verdict", "both_bad", "comment", "display_rate")},
        "order_shown": distinct(table["order_shown"], json.loads, shape.field("order_shown").type),
        "ranking": distinct(table["ranking"], json.loads, shape.field("ranking").type),
        "criteria": distinct(table["criteria"], _grades, shape.field("criteria").type),
        "reasons": distinct(table["reasons"], json.loads, shape.field("reasons").type),
        "reliability": weight,
    }
    said = pa.table([columns[name] for name in parquet.JUDGMENT], pa.schema(list(shape)))
    # by pseudonym first; a rater has two on a task where one supersedes the other
    by = rank([shared["rater"], shared["superseded"], weight, *(table[name] for name in _CONTENT)])
    of = table["task"].to_numpy()
    if filters.min_reliability or filters.ties == "drop":
        verdicts = table["verdict"].to_pylist()
        taken = np.array(list(map(filters.takes, verdicts, weight.to_pylist())), dtype=bool)
        said, of, by = said.filter(pa.array(taken)), of[taken], by[taken]
    return of, by, said.combine_chunks().to_struct_array().combine_chunks()


def _grades(text: str) -> list[Row]:
    return [{"key": key, "grades": given} for key, given in sorted((json.loads(text) or {}).items())]


def _edits(tasks: Any, filters: Filters) -> dict[int, list[Row]]:
    table, shared = _said(Edit, tasks, filters, _EDITED)
    found = defaultdict(list)
    rows = parquet.as_rows(pa.table({**shared, **{name: table[name] for name in _EDITED}}))
    for task, row in zip(table["task"].to_pylist(), rows, strict=True):
        found[task].append(row)
    return found


def _edited(edit: Row, answers: _Answers) -> Row:
    """Return an edit with its answers in the place of their primary keys."""
    found = {
        name: None if edit[name] is None else answers.rows[int(answers.at(edit[name]))].as_py()
        for name in ("original", "edited")
    }
    return {**edit, "original": found["original"]["id"], "edited": found["edited"]}


def _answers(shown: Any, edits: Mapping[int, list[Row]]) -> _Answers:
    """Read the answers that tasks and edits name."""
    named = {edit[name] for of in edits.values() for edit in of for name in ("original", "edited")} - {None}
    keys = np.union1d(shown, np.array(sorted(named), np.int64))
    table = fetch(Response.objects.filter(pk__in=any_of(keys.tolist())), _RESPONSE)
    table = table.sort_by("pk").combine_chunks()
    shape = parquet.ROWS.field("responses").type.value_type
    sampling = [table[f"sampling__{name}"].combine_chunks() for name in _SAMPLING]
    columns = {
        "text": table["text"],
        "turns": distinct(table["turns"], messages, shape.field("turns").type),
        "origin": table["origin"],
        "policy": table["policy__name"],
        "round": table["round__number"],
        "sampling": pa.StructArray.from_arrays(
            sampling, fields=list(shape.field("sampling").type), mask=sampling[0].is_null()
        ),
        "author": table["author__pseudonym"],
    }
    # equal texts of one policy are still two answers
    ids = [
        digest([prompt, named, copy])
        for prompt, named, copy in zip(
            table["prompt__content_hash"].to_pylist(),
            parquet.as_rows(pa.table(columns)),
            table["copy"].to_pylist(),
            strict=True,
        )
    ]
    rows = pa.table([pa.array(ids, _TEXT), *columns.values()], pa.schema(list(shape)))
    words = pc.binary_join_element_wise(table["text"], table["turns"], "\0").combine_chunks()
    says = words.dictionary_encode().indices.to_numpy()
    return _Answers(keys, rows.combine_chunks().to_struct_array().combine_chunks(), says)


def _final_words(tasks: Any) -> dict[int, tuple[int, str]]:
    """Return (verdict, reviewer) of each dispute's end by task, the one that counts."""
    decided = Adjudication.objects.filter(
        standing.decided(),
        task__in=any_of(tasks.to_pylist()),
        decided_at__isnull=False,
        verdict__isnull=False,
    )
    shape = {"task": _WHOLE, "verdict": _WHOLE, "reviewer__pseudonym": _TEXT}
    found = fetch(decided.order_by("decided_at"), shape)
    places = pc.index_in(found["task"], tasks.combine_chunks()).to_pylist()
    said = zip(found["verdict"].to_pylist(), found["reviewer__pseudonym"].to_pylist(), strict=True)
    return dict(zip(places, said, strict=True))


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
    rewritten = pa.array([canonical_json(edits) for edits in batch.edits])
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
        "prompt": distinct(prompts["messages"], messages, shapes.field("prompt").type),
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
