"""The files of snapshots and runs: their columns, written and read in batches.

Import it where a file is written or read, not at a module's top: pyarrow takes 40 MB, and most processes
never touch such a file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from training.formats import Row

BATCH = 500  # rows in memory at once
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
        ("turns", _MESSAGES),
        ("origin", pa.string()),
        ("policy", pa.string()),
        ("round", pa.int64()),
        ("sampling", _SAMPLING),
        ("author", pa.string()),
    ]
)
# What judgments and edits have in common, by the answers' places in the task; `source` tells people from
# imports and simulated raters.
_SUBMISSION = [
    ("rater", pa.string()),
    ("source", pa.string()),
    ("guideline", pa.int64()),
    ("active_ms", pa.int64()),
    ("attention", pa.struct([("prompt", pa.int64()), ("answers", pa.list_(pa.int64()))])),
    ("flags", pa.list_(pa.string())),
    ("counted", pa.bool_()),
    ("extra", pa.bool_()),
    ("withdrawn", pa.bool_()),
    ("superseded", pa.bool_()),
]
_JUDGMENT = pa.struct(
    [
        *_SUBMISSION,
        ("verdict", pa.int64()),
        ("ranking", pa.list_(pa.list_(pa.int64()))),
        ("order_shown", pa.list_(pa.int64())),
        ("both_bad", pa.bool_()),
        ("criteria", pa.list_(pa.struct([("key", pa.string()), ("grades", pa.list_(pa.float64()))]))),
        ("reasons", pa.list_(pa.list_(pa.string()))),
        ("comment", pa.string()),
        ("display_rate", pa.int64()),
        # what the vote counted for when the snapshot was cut, 0…1; null where all count alike
        ("reliability", pa.float64()),
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
        ("majority", pa.int64()),
        ("weight", pa.float64()),
        # the pseudonym of the reviewer who had the final word
        ("adjudicated", pa.string()),
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

# The engine's files (training/engine/data.py): prompts are JSON text there, so are criteria, skills and the
# turns of an answer that is a whole conversation; "" for a plain answer.
ENGINE_PAIRS = pa.schema(
    [
        ("prompt_id", pa.string()),
        ("prompt", pa.string()),
        ("chosen", pa.string()),
        ("rejected", pa.string()),
        ("chosen_turns", pa.string()),
        ("rejected_turns", pa.string()),
        ("probability", pa.float64()),
        ("weight", pa.float64()),
        ("rater", pa.string()),
        ("round", pa.int64()),
        ("split", pa.string()),
        # 0 a tie … 3 chosen much better, of the `points` verdicts that the scale offers; 0: no scale known
        ("verdict", pa.int64()),
        ("points", pa.int64()),
        # 1 chosen was shown on the left, −1 on the right, 0 not known
        ("chosen_left", pa.int64()),
        # {criterion: grade of chosen less grade of rejected}
        ("criteria", pa.string()),
        ("skills", pa.string()),
        ("task", pa.string()),
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


_KINDS = {"text": pa.string(), "number": pa.float64(), "whole": pa.int64(), "truth": pa.bool_()}


def schema(columns: Row) -> pa.Schema:
    """Return the schema of an export's columns, as training.export_formats spells them."""

    def kind(spelt: Any) -> pa.DataType:
        if isinstance(spelt, list):
            return pa.list_(kind(spelt[0]))
        if isinstance(spelt, dict):
            return pa.struct([(name, kind(part)) for name, part in spelt.items()])
        return _KINDS[spelt]

    return pa.schema([(name, kind(spelt)) for name, spelt in columns.items()])


def write(path: Path, schema: pa.Schema, rows: Iterable[Row]) -> None:
    """Write rows to a file in batches, so that memory does not grow with their number."""
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == BATCH:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                batch = []
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema))


def read(file: Path) -> Iterator[Row]:
    """Yield the rows of a file."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(BATCH):
            yield from batch.to_pylist()
