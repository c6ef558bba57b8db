"""Preferences that aren't pairs: answers with scores, and answers that are wanted or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from labeling.import_columns import read_prompt
from labeling.import_fields import (
    CLEARLY,
    MOST_RANKED,
    Annotation,
    FieldError,
    ImportRecord,
    expect,
    make_record,
    read_messages,
    read_meta,
    read_name,
    read_text,
)
from labeling.import_source import LineError

_LISTS = ("completions", "generations", "answers", "responses")
_TEXTS = ("response", "text", "answer", "completion", "output", "content")
_SCORES = ("overall_score", "score", "rating", "rank")
_BESIDE = ("scores", "ratings", "rank", "ranks")  # lists beside the list of answers
_MODELS = ("model", "models", "generation_models", "model_names")
_ASKED = ("instruction", "question", "input", "query")

Row = dict[str, Any]


def is_scored(row: Row) -> bool:
    """Tell whether a row has a list of answers with a score each."""
    answers = next((row[name] for name in _LISTS if isinstance(row.get(name), list) and row[name]), None)
    if answers is None:
        return False
    if isinstance(answers[0], dict):
        return any(name in answers[0] for name in _SCORES) and any(name in answers[0] for name in _TEXTS)
    beside = (row.get(name) for name in _BESIDE)
    return isinstance(answers[0], str) and any(isinstance(b, list) and len(b) == len(answers) for b in beside)


def parse_scored(line: int, row: Row) -> ImportRecord:
    """Parse a prompt and a list of answers with scores, the highest best (of ranks, the lowest)."""
    name = next((name for name in _LISTS if row.get(name) is not None), "completions")
    listed = expect(row.get(name), list, name, "a list of answers")
    if not 2 <= len(listed) <= MOST_RANKED:
        raise FieldError(name, f"must hold two to {MOST_RANKED} answers, not {len(listed)}")
    beside = next((b for b in _BESIDE if isinstance(row.get(b), list)), "")
    models = next((row[m] for m in _MODELS if isinstance(row.get(m), list)), [None] * len(listed))
    responses, scores, ranked = [], [], beside.startswith("rank")
    for k, item in enumerate(listed):
        where = f"{name}[{k}]"
        if isinstance(item, dict):
            key = next((t for t in _TEXTS if t in item), "response")
            text = read_text(item.get(key), f"{where}.{key}")
            model = read_name(item, "model", where)
            score_key = next((s for s in _SCORES if item.get(s) is not None), "score")
            score, ranked = item.get(score_key), ranked or score_key == "rank"
        else:
            text, score = read_text(item, where), None
            model = read_name({"model": models[k] if k < len(models) else None}, "model", where)
        if beside:
            score = row[beside][k] if k < len(row[beside]) else None
        responses.append((text, model))
        scores.append(_number(score, where))
    asked = next((row[key] for key in ("prompt", *_ASKED) if row.get(key) is not None), None)
    prompt = read_prompt({"prompt": asked, "system": row.get("system") or row.get("system_prompt") or ""})
    shaped = {**row, "prompt": prompt, "meta": {**read_meta(row), "scores": scores}}
    order = [-score for score in scores] if ranked else scores
    return make_record(line, shaped, responses, _by_score(order), ranks=len(listed) > 2)


def _number(value: Any, where: str) -> float:
    try:
        return float(value)  # elsewhere numbers come as texts, too
    except (TypeError, ValueError):
        raise FieldError(f"{where}.score", f"must be a number, not {value!r:.40}") from None


def _by_score(scores: list[float]) -> list[Annotation]:
    """Return what scores say of the answers: a verdict on two, an order of more."""
    if len(scores) == 2:
        a, b = scores
        return [Annotation(None, 0 if a == b else CLEARLY if b > a else -CLEARLY)]
    places = sorted(range(len(scores)), key=lambda k: -scores[k])
    order = [list(equals) for _score, equals in groupby(places, key=lambda k: scores[k])]
    return [Annotation(None, None, ranking=order)]


def read_thumbs(rows: Iterable[tuple[int, Row] | LineError]) -> Iterator[ImportRecord | LineError]:
    """Read answers that are wanted or not: of neighbours to one prompt each wanted one beats an unwanted one.

    What has no partner comes in as an answer that nobody compared, with its label in meta.
    """
    held: list[tuple[int, Row, str, bool]] = []  # line, row, answer, whether it is wanted
    for item in rows:
        if isinstance(item, LineError):
            yield item
            continue
        line, row = item
        try:
            answer = _completion(row)
            label = expect(row.get("label"), bool, "label", "true or false")
        except FieldError as error:
            yield LineError(line, error.field, str(error))
            continue
        if held and (held[0][1].get("prompt") != row.get("prompt") or len(held) == 2 * MOST_RANKED):
            yield from _paired(held)
            held = []
        held.append((line, row, answer, label))
    yield from _paired(held)


def _completion(row: Row) -> str:
    completion = row.get("completion")
    if not isinstance(completion, list):
        return read_text(completion, "completion")
    said = read_messages(completion, "completion")
    if len(said) != 1 or said[0]["role"] != "assistant":
        raise FieldError("completion", "must be one message of the assistant")
    return said[0]["content"]


def _paired(held: list[tuple[int, Row, str, bool]]) -> Iterator[ImportRecord | LineError]:
    wanted, other = ([h for h in held if h[3] is label] for label in (True, False))
    pairs = min(len(wanted), len(other))
    found = [(a, b) for a, b in zip(wanted, other, strict=False)] + [
        (h, None) for h in (*wanted, *other)[pairs:] if h
    ]
    for first, second in found:
        line, row, answer, label = first
        said = [Annotation(read_name(row, "annotator"), -CLEARLY)] if second else []
        answers: list[tuple[str, str | None]] = [(answer, None)]
        if second:
            answers.append((second[2], None))
        meta = read_meta(row) | ({} if second else {"label": label})
        try:
            yield make_record(line, {**row, "meta": meta}, answers, said)
        except FieldError as error:
            yield LineError(line, error.field, str(error))
