"""What trainers read: one pure projection of a snapshot's canonical rows per format.

A canonical row is one task with everything that was said about it (see ROWS). Nothing here reads the
database.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

Row = dict[str, Any]

SCHEMA_VERSION = 1
# How sure a verdict of each strength makes us that its side is the better one. Measured on 330 and on 1,000
# votes with 15 % noise: a bag-of-words reward model rose from .736 to .751 and from .789 to .796 of the true
# preferences, against taking every verdict as certain.
SURE = {0: 0.5, 1: 0.6, 2: 0.8, 3: 1.0}

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SAMPLING = pa.struct(
    [
        ("temperature", pa.float64()),
        ("top_p", pa.float64()),
        ("max_new_tokens", pa.int64()),
        ("seed", pa.int64()),
    ]
)
_RESPONSE = pa.struct(
    [
        ("id", pa.string()),
        ("text", pa.string()),
        ("origin", pa.string()),
        ("policy", pa.string()),
        ("round", pa.int64()),
        ("sampling", _SAMPLING),
        ("author", pa.string()),
    ]
)
# What judgments and edits have in common; `source` tells people from imports and simulated raters.
_SUBMISSION = [
    ("rater", pa.string()),
    ("source", pa.string()),
    ("guideline", pa.int64()),
    ("active_ms", pa.int64()),
    ("counted", pa.bool_()),
    ("extra", pa.bool_()),
    ("withdrawn", pa.bool_()),
    ("superseded", pa.bool_()),
]
_JUDGMENT = pa.struct(
    [
        *_SUBMISSION,
        ("verdict", pa.int64()),
        ("order_shown", pa.list_(pa.int64())),
        ("both_bad", pa.bool_()),
        ("criteria", pa.list_(pa.struct([("key", pa.string()), ("grades", pa.list_(pa.float64()))]))),
        ("reasons", pa.list_(pa.string())),
        ("comment", pa.string()),
    ]
)
_EDIT = pa.struct(
    [
        *_SUBMISSION,
        ("original", pa.string()),
        ("edited", _RESPONSE),
        ("instruction", pa.string()),
        ("distance", pa.int64()),
    ]
)
_CONSENSUS = pa.struct(
    [
        ("label", pa.int64()),
        ("probability", pa.float64()),
        ("margin", pa.float64()),
        ("agreement", pa.float64()),
        ("votes", pa.int64()),
    ]
)
_TASK = pa.struct(
    [
        ("id", pa.string()),
        ("kind", pa.string()),
        ("selection", pa.string()),
        ("probability", pa.float64()),
        ("overlap", pa.int64()),
        ("external_id", pa.string()),
    ]
)
ROWS = pa.schema(
    [
        ("task", _TASK),
        ("prompt_id", pa.string()),
        ("prompt", _MESSAGES),
        ("responses", pa.list_(_RESPONSE)),
        ("judgments", pa.list_(_JUDGMENT)),
        ("consensus", _CONSENSUS),
        ("edits", pa.list_(_EDIT)),
        ("campaign", pa.string()),
        ("round", pa.int64()),
        ("split", pa.string()),
        ("language", pa.string()),
        ("tags", pa.list_(pa.string())),
    ]
)
PROMPTS = pa.schema([("prompt_id", pa.string()), ("prompt", _MESSAGES), ("split", pa.string())])

# The engine's files (training/engine/data.py): prompts are JSON text there.
ENGINE_PAIRS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("probability", pa.float64()),
        ("weight", pa.float64()),
        ("rater", pa.string()),
        ("round", pa.int64()),
        ("split", pa.string()),
    ]
)
ENGINE_DEMONSTRATIONS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("completion", pa.string()),
        ("weight", pa.float64()),
        ("split", pa.string()),
    ]
)
ENGINE_PROMPTS = pa.schema([("prompt_id", pa.string()), ("prompt", pa.string()), ("split", pa.string())])


def in_task_order(judgment: Row) -> int:
    """Return a verdict between the task's two positions: below 0 the first is better, above 0 the second."""
    verdict: int = judgment["verdict"]
    return verdict if judgment["order_shown"][0] == 0 else -verdict


def counted(submissions: Iterable[Row] | None) -> Iterator[Row]:
    """Leave out extra, withdrawn and superseded judgments or edits."""
    return (s for s in submissions or () if s["counted"])


def is_identical(row: Row) -> bool:
    """Tell whether a comparison's answers are the same text, so that a preference means nothing."""
    return len({response["text"] for response in row["responses"]}) < 2


def engine_pairs(row: Row) -> Iterator[Row]:
    """Yield one pair per counted judgment, less sure the closer the verdict, and one per changed edit."""
    base = {"weight": 1.0, "round": row["round"]}
    if row["task"]["kind"] == "compare" and not is_identical(row):
        first, second = (response["text"] for response in row["responses"])
        for judgment in counted(row["judgments"]):
            preference = in_task_order(judgment)
            chosen, rejected = (second, first) if preference > 0 else (first, second)
            votes = {"rater": judgment["rater"], "probability": SURE[abs(preference)]}
            yield {**_prompt(row), **base, **votes, "chosen": chosen, "rejected": rejected}
    for edit, original in _changed(row):
        texts = {"chosen": edit["edited"]["text"], "rejected": original}
        yield {**_prompt(row), **base, "rater": edit["rater"], "probability": 1.0, **texts}


def engine_demonstrations(row: Row) -> Iterator[Row]:
    """Yield an edit's text, or its original where the rater called that good already."""
    for text in _demonstrated(row):
        yield {**_prompt(row), "completion": text, "weight": 1.0}


def engine_prompt(prompt: Row) -> Row:
    """Return a prompt of a snapshot as the engine reads it."""
    return _prompt(prompt)


def trl_preference(row: Row) -> Iterator[Row]:
    """Yield a comparison by its consensus, ties left out, and edited over original (conversational)."""
    if row["task"]["kind"] == "compare" and not is_identical(row):
        label = (row["consensus"] or {"label": 0})["label"]
        if label:
            texts = [response["text"] for response in row["responses"]]
            yield _trl_pair(row, texts[label > 0], texts[label < 0])
    for edit, original in _changed(row):
        yield _trl_pair(row, edit["edited"]["text"], original)


def trl_sft(row: Row) -> Iterator[Row]:
    """Yield what people wrote, or called good already, as whole conversations."""
    for text in _demonstrated(row):
        yield {"messages": [*row["prompt"], _answer(text)]}


def canonical(row: Row) -> Iterator[Row]:
    """Yield the row itself."""
    yield row


@dataclass(frozen=True)
class Format:
    """Say what an export holds: its projection, and whether its files are Parquet or JSON lines."""

    title: str
    project: Callable[[Row], Iterator[Row]]
    extension: str
    schema: pa.Schema | None = None


FORMATS = {
    "canonical-parquet": Format("Canonical rows, Parquet", canonical, "parquet", ROWS),
    "canonical-jsonl": Format("Canonical rows, JSON lines", canonical, "jsonl"),
    "trl-preference": Format("TRL preference (RewardTrainer, DPOTrainer)", trl_preference, "jsonl"),
    "trl-sft": Format("TRL SFT (SFTTrainer)", trl_sft, "jsonl"),
}


def _prompt(row: Row) -> Row:
    messages = json.dumps(row["prompt"], ensure_ascii=False)
    return {"prompt_id": row["prompt_id"], "prompt": messages, "split": row["split"]}


def _changed(row: Row) -> Iterator[tuple[Row, str]]:
    texts = {response["id"]: response["text"] for response in row["responses"]}
    for edit in counted(row["edits"]):
        original = texts[edit["original"]]
        if edit["edited"] is not None and edit["edited"]["text"] != original:
            yield edit, original


def _demonstrated(row: Row) -> Iterator[str]:
    texts = {response["id"]: response["text"] for response in row["responses"]}
    for edit in counted(row["edits"]):
        yield texts[edit["original"]] if edit["edited"] is None else edit["edited"]["text"]


def _trl_pair(row: Row, chosen: str, rejected: str) -> Row:
    return {"prompt": row["prompt"], "chosen": [_answer(chosen)], "rejected": [_answer(rejected)]}


def _answer(text: str) -> Row:
    return {"role": "assistant", "content": text}
