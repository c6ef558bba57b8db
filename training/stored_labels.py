"""What is stored about some tasks as columns: judgments, edits, answers, final words.

PostgreSQL's answers become Arrow columns without an object for each value; what differs little, such as the
JSON of reasons, is read once for each different text.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring as quoted  # a text as canonical JSON has it
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labeling.models import Adjudication, Edit, Judgment, Response
from training import parquet, standing
from training.canonical_rows import canonical_json
from training.database_columns import ARRAY, Shape, any_of, distinct, fetch, rank
from training.filters import Filters
from training.formats import Row

_WHOLE, _TEXT, _TRUTH = pa.int64(), pa.string(), pa.bool_()
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
class Answers:
    """The answers of a batch, each once."""

    keys: Any  # their primary keys, ascending
    rows: pa.StructArray
    says: Any  # the same number: the same words

    def at(self, keys: Any) -> Any:
        """Return the places of answers by their primary keys."""
        return np.searchsorted(self.keys, keys)


def task_ids(campaign: str, tasks: Columns, answers: list[list[str]]) -> list[str]:
    """Name tasks by the canonical JSON of [campaign, round, kind, external id, names of the answers]."""
    head = f"[{quoted(campaign)}"
    parts = zip(tasks["round__number"], tasks["kind"], tasks["external_id"], answers, strict=True)
    return [
        _name(f"{head},{round_},{quoted(kind)},{quoted(own)},{_listed(names)}]")
        for round_, kind, own, names in parts
    ]


def _listed(names: list[str]) -> str:
    spelt = '","'.join(names)
    return f'["{spelt}"]' if names else "[]"


def _name(canonical: str) -> str:
    return hashlib.sha256(canonical.encode()).hexdigest()[:24]


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


def judgments(tasks: Any, weights: Mapping[int, float], filters: Filters) -> tuple[Any, Any, pa.StructArray]:
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


def edits(tasks: Any, filters: Filters) -> dict[int, list[Row]]:
    table, shared = _said(Edit, tasks, filters, _EDITED)
    found = defaultdict(list)
    rows = parquet.as_rows(pa.table({**shared, **{name: table[name] for name in _EDITED}}))
    for task, row in zip(table["task"].to_pylist(), rows, strict=True):
        found[task].append(row)
    return found


def edited(edit: Row, answers: Answers) -> Row:
    """Return an edit with its answers in the place of their primary keys."""
    found: dict[str, Any] = {
        name: None if edit[name] is None else answers.rows[int(answers.at(edit[name]))].as_py()
        for name in ("original", "edited")
    }
    return {**edit, "original": found["original"]["id"], "edited": found["edited"]}


def answers(shown: Any, edits: Mapping[int, list[Row]]) -> Answers:
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
    ids = _ids(table, columns, sampling)
    rows = pa.table([pa.array(ids, _TEXT), *columns.values()], pa.schema(list(shape)))
    words = pc.binary_join_element_wise(table["text"], table["turns"], "\0").combine_chunks()
    says = words.dictionary_encode().indices.to_numpy()
    return Answers(keys, rows.combine_chunks().to_struct_array().combine_chunks(), says)


def _ids(table: pa.Table, columns: Columns, sampling: list[Any]) -> list[str]:
    """Name answers: `digest` of [prompt, what `columns` say, copy], where all but texts is written once.

    Equal texts of one policy are still two answers.
    """
    few = {name: columns[name] for name in ("author", "origin", "policy", "round", "sampling")}
    kinds = rank([few["author"], few["origin"], few["policy"], few["round"], *sampling])
    _known, first, kinds = np.unique(kinds, return_index=True, return_inverse=True)
    heads = [canonical_json(row)[:-1] for row in parquet.as_rows(pa.table(few).take(pa.array(first)))]
    turns = table["turns"].combine_chunks().dictionary_encode()
    tails = [canonical_json(messages(text)) for text in turns.dictionary.to_pylist()]
    parts = zip(
        table["prompt__content_hash"].to_pylist(), kinds.tolist(), table["text"].to_pylist(),
        turns.indices.to_pylist(), table["copy"].to_pylist(), strict=True,
    )  # fmt: skip
    return [
        _name(f'["{prompt}",{heads[kind]},"text":{quoted(text)},"turns":{tails[turn]}}},{copy}]')
        for prompt, kind, text, turn, copy in parts
    ]


def final_words(tasks: Any) -> dict[int, tuple[int, str]]:
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
