"""Canonical rows as columns: what was said on some prompts' tasks, read and put together many at once.

Rows hold no primary keys, and lie in an order that only their content decides. Import it where a snapshot is
cut: pyarrow comes with it.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from labeling.models import Adjudication, Campaign, Edit, Judgment, Response, Task, TaskResponse
from preferences.consensus import Consensus, summarise_verdicts
from training import parquet, standing
from training.canonical_rows import canonical_json
from training.filters import Filters
from training.formats import Row

PROMPT = ("pk", "content_hash", "messages", "language", "tags", "split")
_TASK = ("pk", "prompt", "round__number", "kind", "selection", "probability", "overlap", "external_id")
_SAMPLING = ("temperature", "top_p", "max_new_tokens", "seed")
_RESPONSE = (
    "pk", "prompt__content_hash", "copy", "text", "turns", "origin", "policy__name", "round__number",
    "author__pseudonym", *(f"sampling__{name}" for name in _SAMPLING),
)  # fmt: skip
_SAID = (
    "pk", "task", "rater", "rater__pseudonym", "imported", "rater__simulated", "guideline__number",
    "active_ms", "attention", "flags", "extra", "withdrawn",
)  # fmt: skip
_JUDGED = (
    "verdict", "ranking", "order_shown", "both_bad", "criteria", "reasons", "comment", "display_rate",
)  # fmt: skip
_EDITED = ("original", "edited", "instruction", "distance")


class _Judged(NamedTuple):
    """One judgment: the values of its canonical fields, and what the consensus needs of them."""

    values: tuple[Any, ...]  # in the order of parquet.JUDGMENT
    counted: bool
    verdict: int | None  # between the task's positions; None for a ranking
    worth: float


@dataclass
class _Row:
    """One canonical row before it is written."""

    task: tuple[Any, ...]  # the columns of _TASK
    id: str
    answers: list[int]  # places in the batch's answers
    judgments: list[_Judged]
    edits: list[Row]
    consensus: Row | None = None


@dataclass
class _Answers:
    """The answers of a batch, each once."""

    place: dict[int, int] = field(default_factory=dict)  # by primary key
    rows: list[Row] = field(default_factory=list)
    says: list[int] = field(default_factory=list)  # the same number: the same words


def build(
    campaign: Campaign,
    prompts: Sequence[tuple[Any, ...]],
    tasks: QuerySet[Task],
    weights: Mapping[int, float],
    filters: Filters,
) -> tuple[pa.Table, Any]:
    """Return the rows of some prompts' tasks: in the prompts' order, then by round and content.

    `prompts` are tuples of PROMPT. `weights` say by rater what their votes count for; who isn't in it counts
    1. The second value tells of each row whether its answers are all the same, a NumPy array of truths.
    """
    found = fetch(tasks.filter(prompt__in=_any([prompt[0] for prompt in prompts])), *_TASK)
    keys = [task[0] for task in found]
    said, edits = _judgments(keys, weights, filters), _edits(keys, filters)
    heard = [task for task in found if task[0] in said or task[0] in edits]
    places = defaultdict(list)
    for task, response in fetch(
        TaskResponse.objects.filter(task__in=_any([task[0] for task in heard])).order_by("position"),
        "task",
        "response",
    ):
        places[task].append(response)
    answers = _answers(places.values(), edits.values())
    final = _final_words([task[0] for task in heard])
    by_prompt = defaultdict(list)
    for task in heard:
        mine = [answers.place[response] for response in places[task[0]]]
        key = [campaign.slug, task[2], task[3], task[7], [answers.rows[place]["id"] for place in mine]]
        rewritten = [_edited(edit, answers) for edit in edits.get(task[0], ())]
        row = _Row(task, digest(key), mine, said.get(task[0], []), sorted(rewritten, key=canonical_json))
        by_prompt[task[1]].append(row)
    rows = [
        row
        for prompt in prompts
        for task_row in _in_order(by_prompt.get(prompt[0], []))
        for row in _taken(task_row, final.get(task_row.task[0], []), filters)
    ]
    return _table(campaign, prompts, rows, answers), _identical(rows, answers)


def fetch(found: QuerySet[Any, Any], *columns: str) -> list[tuple[Any, ...]]:
    """Return columns of a query as PostgreSQL gives them: JSON as text, and no objects, which take long."""
    try:
        sql, values = found.values_list(*columns).query.sql_with_params()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _any(keys: list[int]) -> RawSQL:
    """Return keys as one value: Django takes longer to write a thousand than PostgreSQL to look them up."""
    return RawSQL("SELECT unnest(%s::bigint[])", [keys])


def digest(value: Any) -> str:
    """Name a value by what it holds."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:24]


def messages(text: str) -> list[Row]:
    """Read the JSON of a conversation."""
    return [{"role": m["role"], "content": m["content"]} for m in json.loads(text)] if text != "[]" else []


def _said(model: type[Judgment | Edit], keys: list[int], filters: Filters, columns: tuple[str, ...]) -> Any:
    """Yield (task, rater, canonical fields that judgments and edits share, the columns asked for)."""
    # whatever supersedes a row is about the same task, whether filters take it or not
    later = model._default_manager.filter(task__in=_any(keys), supersedes__isnull=False)
    superseded = {old for (old,) in fetch(later, "supersedes")}
    for row in fetch(
        model._default_manager.filter(filters.said(model), task__in=_any(keys)), *_SAID, *columns
    ):
        pk, task, rater, pseudonym, imported, simulated, guideline, active_ms, attention = row[:9]
        flags, extra, withdrawn = row[9:12]
        gone = pk in superseded
        source = "imported" if imported else "simulated" if simulated else "person"
        counted = not (extra or withdrawn or gone)
        seen = None if attention == "{}" else json.loads(attention) or None
        shared = (pseudonym, source, guideline, active_ms, seen, flags, counted, extra, withdrawn, gone)
        yield task, rater, shared, row[12:]


def _judgments(keys: list[int], weights: Mapping[int, float], filters: Filters) -> dict[int, list[_Judged]]:
    """Return the judgments that filters take, by task, in the order of their raters' pseudonyms."""
    found: dict[int, list[_Judged]] = defaultdict(list)
    for task, rater, shared, own in _said(Judgment, keys, filters, _JUDGED):
        verdict, ranking, order, both_bad, criteria, reasons, comment, rate = own
        weight = weights.get(rater)
        if not filters.takes(verdict, weight):
            continue
        order_of = None if ranking is None else json.loads(ranking)
        grades = (
            []
            if criteria == "{}"
            else [
                {"key": key, "grades": given} for key, given in sorted((json.loads(criteria) or {}).items())
            ]
        )
        why = [] if reasons == "[]" else json.loads(reasons)
        values = (*shared, verdict, order_of, order, both_bad, grades, why, comment, rate, weight)
        in_task_order = None if ranking is not None else verdict if order[0] == 0 else -verdict
        found[task].append(
            _Judged(values, shared[6], in_task_order, 1.0 if weight is None else float(weight))
        )
    for judgments in found.values():
        if len({judged.values[0] for judged in judgments}) < len(judgments):
            judgments.sort(key=lambda judged: canonical_json([judged.values[0], *judged.values]))
        else:
            judgments.sort(key=lambda judged: judged.values[0])
    return found


def _edits(keys: list[int], filters: Filters) -> dict[int, list[tuple[Any, ...]]]:
    found = defaultdict(list)
    for task, _rater, shared, own in _said(Edit, keys, filters, _EDITED):
        found[task].append((shared, *own))
    return found


def _edited(edit: tuple[Any, ...], answers: _Answers) -> Row:
    shared, original, edited, instruction, distance = edit
    return {
        **dict(zip(parquet.SUBMISSION, shared, strict=True)),
        "original": answers.rows[answers.place[original]]["id"],
        "edited": None if edited is None else answers.rows[answers.place[edited]],
        "instruction": instruction,
        "distance": distance,
    }


def _answers(places: Iterable[list[int]], edits: Iterable[list[tuple[Any, ...]]]) -> _Answers:
    """Read the answers that tasks and edits name."""
    keys = {response for responses in places for response in responses}
    keys |= {key for of_task in edits for edit in of_task for key in edit[1:3] if key is not None}
    found = _Answers()
    numbers: dict[tuple[str, str], int] = {}
    for row in fetch(Response.objects.filter(pk__in=_any(sorted(keys))), *_RESPONSE):
        pk, prompt, copy, text, turns, origin, policy, round_, author = row[:9]
        sampling = None if row[9] is None else dict(zip(_SAMPLING, row[9:], strict=True))
        named = {
            "text": text,
            "turns": messages(turns),
            "origin": origin,
            "policy": policy,
            "round": round_,
            "sampling": sampling,
            "author": author,
        }
        found.place[pk] = len(found.rows)
        # equal texts of one policy are still two answers
        found.rows.append({"id": digest([prompt, named, copy]), **named})
        found.says.append(numbers.setdefault((text, turns), len(numbers)))
    return found


def _final_words(keys: list[int]) -> dict[int, list[tuple[int, str]]]:
    """Return (verdict, reviewer) of each dispute's end by task, the one that counts last."""
    decided = Adjudication.objects.filter(
        standing.decided(), task__in=_any(keys), decided_at__isnull=False, verdict__isnull=False
    )
    found = defaultdict(list)
    for task, verdict, reviewer in fetch(
        decided.order_by("decided_at"), "task", "verdict", "reviewer__pseudonym"
    ):
        found[task].append((verdict, reviewer))
    return found


def _in_order(rows: list[_Row]) -> list[_Row]:
    """Order one prompt's tasks by round and content."""
    if len({row.id for row in rows}) == len(rows):
        return sorted(rows, key=lambda row: (row.task[2], row.id))
    return sorted(
        rows,
        key=lambda row: (
            row.task[2],
            row.id,
            canonical_json([row.task[4:], [judged.values for judged in row.judgments], row.edits]),
        ),
    )


def _taken(row: _Row, final: list[tuple[int, str]], filters: Filters) -> Iterator[_Row]:
    """Yield the row of a task if its votes agree as asked, or one for each judgment and one for the edits."""
    each = filters.consensus == "each"
    row.consensus = _consensus(row.judgments, [] if each else final, filters)
    if not filters.agrees(row.consensus):
        return
    if not each or len(row.judgments) < 2:
        yield row
        return
    for judged in row.judgments:
        yield _Row(row.task, row.id, row.answers, [judged], [], _consensus([judged], [], filters))
    if row.edits:
        yield _Row(row.task, row.id, row.answers, [], row.edits)


def _consensus(judgments: list[_Judged], final: list[tuple[int, str]], filters: Filters) -> Row | None:
    """Return what a comparison's votes say together, or the reviewer who had the final word.

    The votes weigh what their raters do, or are all alike; each alone, they have no final word over them.
    """
    votes = [judged for judged in judgments if judged.counted and judged.verdict is not None]
    verdicts = [judged.verdict for judged in votes if judged.verdict is not None]
    alike = filters.consensus == "majority"
    said: Consensus | None = summarise_verdicts(
        verdicts, None if alike else [judged.worth for judged in votes]
    )
    if said is None and not final:
        return None
    nobody = {"agreement": None, "votes": 0, "majority": 0, "weight": 0.0}
    consensus = {**(vars(said) if said else nobody), "adjudicated": None}
    for verdict, reviewer in final:
        label = (verdict > 0) - (verdict < 0)
        consensus |= {"label": label, "probability": (1 - label) / 2, "margin": -float(verdict)}
        consensus["adjudicated"] = reviewer
    return consensus


def _table(
    campaign: Campaign, prompts: Sequence[tuple[Any, ...]], rows: list[_Row], answers: _Answers
) -> pa.Table:
    """Put rows together as the columns of parquet.ROWS."""
    at = {prompt[0]: place for place, prompt in enumerate(prompts)}
    asked = pa.array([at[row.task[1]] for row in rows], pa.int32())
    _pk, hashes, texts, languages, tags, splits = zip(*prompts, strict=True)
    tasks = list(zip(*(row.task for row in rows), strict=True)) or [()] * len(_TASK)
    shapes = parquet.ROWS
    task = [[row.id for row in rows], *tasks[3:7], [external or None for external in tasks[7]]]
    said = [judged.values for row in rows for judged in row.judgments]
    judgment = list(zip(*said, strict=True)) or [()] * len(parquet.JUDGMENT)
    given = shapes.field("responses").type.value_type
    columns = {
        "task": parquet.struct(shapes.field("task").type, task),
        "prompt_id": pa.array(hashes).take(asked),
        "prompt": pa.array([messages(text) for text in texts], shapes.field("prompt").type).take(asked),
        "responses": parquet.lists(
            [len(row.answers) for row in rows],
            pa.array(answers.rows, given).take(
                pa.array([place for row in rows for place in row.answers], pa.int32())
            ),
        ),
        "judgments": parquet.lists(
            [len(row.judgments) for row in rows],
            parquet.struct(shapes.field("judgments").type.value_type, judgment),
        ),
        "consensus": pa.array([row.consensus for row in rows], shapes.field("consensus").type),
        "edits": pa.array([row.edits for row in rows], shapes.field("edits").type),
        "campaign": pa.repeat(campaign.slug, len(rows)),
        "round": pa.array(tasks[2], pa.int64()),
        "split": pa.array(splits).take(asked),
        "language": pa.array(languages, pa.string()).take(asked),
        "tags": pa.array([sorted(words) for words in tags], shapes.field("tags").type).take(asked),
    }
    return pa.Table.from_arrays([columns[name] for name in shapes.names], schema=shapes)


def _identical(rows: list[_Row], answers: _Answers) -> Any:
    says = answers.says
    found = [len({says[place] for place in row.answers}) <= 1 for row in rows]
    return np.array(found, dtype=bool)
