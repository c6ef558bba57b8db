"""Bring work from other tools: pairwise exports of Label Studio, records of Argilla.

Shapes as their documents describe them: https://labelstud.io/guide/export and /tags/pairwise,
https://docs.argilla.io/latest/reference/argilla/records/records/.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from labeling.import_columns import name_of, read_prompt, shape, side_of
from labeling.import_fields import (
    CLEARLY,
    MOST_RANKED,
    Annotation,
    FieldError,
    ImportRecord,
    Rewrite,
    expect,
    make_record,
    read_text,
)
from labeling.import_mapping import CHOICES, pick

Row = dict[str, Any]

# -- Label Studio -------------------------------------------------------------------------------------


def parse_label_studio(line: int, row: Row, mapping: Mapping[str, str]) -> ImportRecord:
    """Parse a task of a JSON export, with what each annotator selected, or a row of JSON-MIN."""
    whole = "data" in row and isinstance(row["data"], dict)
    mapping = {**_sides(row if not whole else row["data"], "data." if whole else "", mapping), **mapping}
    named, rest = shape(row, mapping)
    prompt = read_prompt(named)
    if prompt is None:
        raise FieldError("prompt", "is missing; say which column asks the question")
    sides = ("response_a", "response_b")
    texts = [read_text(named.get(side), mapping.get(side, side)) for side in sides]
    models = [name_of(named.get(f"model_{side}")) for side in "ab"]
    responses = list(zip(texts, models, strict=True))
    said = _annotated(row, mapping) if whole else _min_row(row, named, mapping)
    number = row.get("id") if whole else named.get("id", row.get("id"))
    meta = rest.get("meta") if isinstance(rest.get("meta"), dict) else {}
    external = None if number is None else f"label-studio-{number}"
    return make_record(line, {"id": external, "prompt": prompt, "meta": meta}, responses, said)


def _sides(data: Row, prefix: str, mapping: Mapping[str, str]) -> dict[str, str]:
    """Find the two answers where their names don't tell: the texts that are left beside the question."""
    if {"response_a", "response_b"} <= mapping.keys():
        return {}
    taken = set(mapping.values())
    own = {"annotator", "annotation_id", "created_at", "updated_at", "lead_time", "id"}
    texts = [key for key, value in data.items() if isinstance(value, str) and key not in own]
    free = [prefix + key for key in texts if prefix + key not in taken]
    if len(free) < 2:
        raise FieldError("response_a", "say which two columns are the answers")
    return {"response_a": free[-2], "response_b": free[-1]}


def _annotated(row: Row, mapping: Mapping[str, str]) -> list[Annotation]:
    found = []
    annotations = expect(row.get("annotations") or [], list, "annotations", "a list")
    for k, annotation in enumerate(annotations):
        where = f"annotations[{k}]"
        expect(annotation, dict, where, "an object with completed_by and result")
        if annotation.get("was_cancelled"):
            continue  # skipped by its annotator
        results = expect(annotation.get("result") or [], list, f"{where}.result", "a list")
        pairs = [r for r in results if isinstance(r, dict) and r.get("type") == "pairwise"]
        texts = [r["value"]["text"] for r in results if isinstance(r, dict) and r.get("type") == "textarea"
                 and isinstance(r.get("value"), dict) and r["value"].get("text")]  # fmt: skip
        if not pairs:
            raise FieldError(f"{where}.result", "has no result of the type pairwise")
        value = pairs[0].get("value")
        selected = value.get("selected") if isinstance(value, dict) else None
        comment = "\n".join(str(t) for text in texts for t in (text if isinstance(text, list) else [text]))
        by = annotation.get("completed_by")
        found.append(_selected(selected, f"{where}.result.value.selected", _person(by), annotation, comment))
    return found


def _min_row(row: Row, named: Row, mapping: Mapping[str, str]) -> list[Annotation]:
    taken = {path for field, path in mapping.items() if field != "choice"}
    values = [named["choice"]] if "choice" in named else [row[key] for key in row if key not in taken]
    selected = next((s for value in values if (s := _chosen(value)) is not None), None)
    if selected is None:
        return []
    who = named.get("annotator", row.get("annotator"))
    return [_selected(selected, mapping.get("choice", "selected"), _person(who), row, "")]


def _chosen(value: Any) -> str | None:
    """Return which side a value of JSON-MIN selects: left, {"selected": left}, or a list of that."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        value = value.get("selected")
    return value if isinstance(value, str) and value.lower() in ("left", "right", "tie", "equal") else None


def _selected(selected: Any, where: str, who: str | None, about: Row, comment: str) -> Annotation:
    side = CHOICES.get(selected.lower()) if isinstance(selected, str) else None
    if side not in (0, 1, "tie"):
        raise FieldError(where, f"must be left or right, not {selected!r:.60}")
    meta = {name: about[name] for name in ("lead_time", "created_at") if about.get(name) is not None}
    verdict = 0 if side == "tie" else CLEARLY if side else -CLEARLY
    return Annotation(who, verdict, swapped=False, comment=comment, meta=meta)


def _person(value: Any) -> str | None:
    """Return an annotator's name, who is a number, or an object with e-mail and id."""
    if isinstance(value, dict):
        value = value.get("email") or value.get("username") or value.get("id")
    return name_of(value)


# -- Argilla ------------------------------------------------------------------------------------------


def parse_argilla(line: int, row: Row, mapping: Mapping[str, str]) -> ImportRecord:
    """Parse a record as Argilla writes it: nested, or flat as its datasets are, of either version."""
    fields = row["fields"] if isinstance(row.get("fields"), dict) else {}
    named, _rest = shape(row, mapping)
    prompt = read_prompt(named)
    if prompt is None:
        raise FieldError("prompt", "is missing; say which field asks the question")
    names, responses = _answers(row, fields, named, mapping)
    by_user = _questions(row)
    meta = {"metadata": row["metadata"]} if row.get("metadata") else {}
    record_id = row.get("id") or row.get("_server_id") or row.get("external_id")
    shaped = {"id": None if record_id is None else str(record_id), "prompt": prompt, "meta": meta}
    if len(responses) == 1:
        rewrites = _rewrites(by_user)
        return make_record(line, shaped, responses, edit=next(iter(rewrites), None), edits=rewrites[1:])
    said = [a for who, given in by_user.items() if (a := _said(who, given, names, mapping)) is not None]
    return make_record(line, shaped, responses, said)


def _answers(
    row: Row, fields: Row, named: Row, mapping: Mapping[str, str]
) -> tuple[list[str], list[tuple[str, str | None]]]:
    """Return the fields that hold answers, and their texts."""
    listed = [f for f in ("response_a", "response_b") if f in mapping] or [
        f for f in ("response",) if f in mapping
    ]
    paths = [mapping[field] for field in listed]
    if len(paths) == 2:  # a third answer and more are called like the first two
        stem = paths[0].rstrip("0123456789ab")
        for key in fields or row:
            path = f"fields.{key}" if fields else key
            alike = stem and path.startswith(stem) and len(path) == len(paths[1])
            if alike and path not in paths and isinstance(pick(row, path), str):
                paths.append(path)
    paths = paths[:MOST_RANKED]
    models = [name_of(named.get("model_a")), name_of(named.get("model_b"))] + [None] * MOST_RANKED
    texts = [read_text(pick(row, path), path) for path in paths]
    return [path.rpartition(".")[2] for path in paths], list(zip(texts, models, strict=False))


def _questions(row: Row) -> dict[str | None, dict[str, Any]]:
    """Return what each person answered, by question: {user: {question: value}}."""
    found: dict[str | None, dict[str, Any]] = defaultdict(dict)
    nested = row.get("responses")
    lists = dict(nested) if isinstance(nested, dict) else {}
    for name, value in row.items():
        if isinstance(value, list) and value and all(isinstance(v, dict) and "user_id" in v for v in value):
            lists[name] = value
        if name.endswith(".responses") and isinstance(value, list):
            question = name.removesuffix(".responses")
            users = row.get(f"{name}.users") or [None] * len(value)
            statuses = row.get(f"{name}.status") or ["submitted"] * len(value)
            for who, said, status in zip(users, value, statuses, strict=False):
                if status in ("submitted", None):
                    found[name_of(who)][question] = said
    for question, given in lists.items():
        for item in given if isinstance(given, list) else []:
            if isinstance(item, dict) and item.get("status") in ("submitted", None):
                found[name_of(item.get("user_id"))][question] = item.get("value")
    return found


def _said(who: str | None, given: Row, names: list[str], mapping: Mapping[str, str]) -> Annotation | None:
    """Return one person's judgment: by a ranking, by a label that names an answer, or by a rating of each."""
    order: list[list[int]] | None = None
    ratings: list[float] = []
    texts: list[str] = []
    rest: Row = {}
    for question, value in given.items():
        if isinstance(value, list) and value and order is None:
            order = _ranked(value, names, question)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            ratings.append(value)
            rest[question] = value
        elif isinstance(value, str) and (side := side_of(value, mapping)) in (0, 1, "tie", "both_bad"):
            order = {0: [[0], [1]], 1: [[1], [0]]}.get(side, [[0, 1]]) if order is None else order
        elif isinstance(value, str):
            texts.append(value)
    if order is None and len(ratings) == len(names):
        places = sorted(range(len(names)), key=lambda k: -ratings[k])
        order = [list(equals) for _rating, equals in groupby(places, key=lambda k: ratings[k])]
    if order is None:
        return None
    comment, meta = "\n".join(texts), {"ratings": rest} if rest else {}
    if len(names) > 2:
        return Annotation(who, None, ranking=order, comment=comment, meta=meta)
    verdict = 0 if len(order) == 1 else CLEARLY if order[0] == [1] else -CLEARLY
    return Annotation(who, verdict, comment=comment, meta=meta)


def _ranked(value: list[Any], names: list[str], question: str) -> list[list[int]]:
    """Return places best first, of names in order, or of objects with value and rank (equals share one)."""
    ranks: list[tuple[float, int]] = []
    for k, item in enumerate(value):
        name, rank = (item.get("value"), item.get("rank", k)) if isinstance(item, dict) else (item, k)
        place = _place(name, names)
        if place is None or isinstance(rank, bool) or not isinstance(rank, int | float):
            raise FieldError(question, f"ranks “{name}”, and the answers are {', '.join(names)}")
        ranks.append((rank, place))
    ranks.sort()
    if sorted(place for _rank, place in ranks) != list(range(len(names))):
        raise FieldError(question, f"must rank each of {', '.join(names)} once")
    return [[place for _rank, place in equals] for _rank, equals in groupby(ranks, key=lambda r: r[0])]


def _place(name: Any, names: list[str]) -> int | None:
    """Find an answer by its field's name, or by the same name with other marks: response-1 for response_1."""
    plain = [n.replace("-", "").replace("_", "").lower() for n in (str(name), *names)]
    return plain.index(plain[0], 1) - 1 if plain[0] in plain[1:] else None


def _rewrites(by_user: dict[str | None, Row]) -> list[Rewrite]:
    """Return what people wrote in place of the only answer; who wrote the same calls it good."""
    texts = ((who, value) for who, given in by_user.items() for value in given.values())
    return [Rewrite(text, who) for who, text in texts if isinstance(text, str) and text.strip()]
