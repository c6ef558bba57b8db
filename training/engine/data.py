"""What a run learns from: Parquet rows, their tokens, and batches of similar lengths."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from models_app.backends import Conversation
from training.engine.config import EngineError, Mix

Indices = npt.NDArray[np.intp]

SPLITS = ("train", "validation", "test")
MIN_RATERS = 20  # fewer can spare none
BUCKET = 32  # batches that are sorted by length together

_NUMBERS = {"probability", "weight"}
# what older run directories lack, and what is read instead
_SINCE: dict[str, dict[str, Any]] = {
    "pairs.parquet": {
        "chosen_turns": "",
        "rejected_turns": "",
        "verdict": 0,
        "points": 0,
        "chosen_left": 0,
        "criteria": "{}",
        "skills": "[]",
        "task": "",
    },
    "demonstrations.parquet": {"round": 0},
}
_WHOLE = {"round": None, "verdict": range(-3, 4), "points": (0, *range(2, 8)), "chosen_left": (-1, 0, 1)}
_VOTE = ("chosen", "rejected", "probability", "rater", "round")
_COLUMNS = {
    "pairs.parquet": ["prompt_id", "prompt", *_VOTE, "weight", "split"],
    "demonstrations.parquet": ["prompt_id", "prompt", "completion", "weight", "split"],
    "prompts.parquet": ["prompt_id", "prompt", "split"],
}


@dataclass(frozen=True)
class Pair:
    """Hold one vote: `probability` that `chosen` is the preferred answer (0.5 a tie).

    Each answer has before it what it replies to: the prompt alone, or a conversation that goes on from it.
    """

    prompt_id: str
    messages: Conversation
    chosen: str
    rejected: str
    probability: float
    weight: float
    rater: str
    round: int
    split: str
    before_chosen: Conversation
    before_rejected: Conversation
    verdict: int = 0  # −3 … 3, above 0 chosen is better
    points: int = 0  # how many verdicts the scale offers; 0: there was none, or nobody knows
    chosen_left: int = 0  # 1 chosen was shown left, −1 right, 0 not known
    criteria: Mapping[str, float] = field(default_factory=dict)  # grade of chosen less grade of rejected
    skills: tuple[str, ...] = ()
    task: str = ""
    rater_held_out: bool = False


@dataclass(frozen=True)
class Demonstration:
    """Hold an answer worth imitating."""

    prompt_id: str
    messages: Conversation
    completion: str
    weight: float
    split: str
    round: int = 0


@dataclass(frozen=True)
class Prompt:
    """Hold a conversation that awaits an answer."""

    prompt_id: str
    messages: Conversation
    split: str


def read_pairs(run_dir: Path, mix: Sequence[Mix] = ()) -> list[Pair]:
    """Read pairs.parquet and a mix's, with its weight; raises EngineError naming the column or row."""
    rows = _mixed(run_dir, "pairs.parquet", mix)
    for number, row in enumerate(rows):
        if not 0 <= row["probability"] <= 1:
            raise EngineError(f"pairs.parquet row {number}: probability {row['probability']} is outside 0…1.")
        for side in ("chosen", "rejected"):
            row[f"before_{side}"] = row["messages"] + _turns_before(number, row, side)
        row["criteria"] = _criteria(number, row["criteria"])
        row["skills"] = _skills(number, row["skills"])
    return [Pair(**row) for row in rows]


def hold_out_raters(pairs: Sequence[Pair], share: float) -> list[Pair]:
    """Mark the votes of a share of the raters, chosen by a hash of their names, so that they only test.

    Nobody is held out of fewer than 20 raters.
    """
    names = {pair.rater for pair in pairs}
    if len(names) < MIN_RATERS:
        return list(pairs)
    out = {name for name in names if _place(name) < share}
    return [replace(pair, rater_held_out=pair.rater in out) for pair in pairs]


def _place(name: str) -> float:
    """Place a name in 0…1 by its hash."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _criteria(number: int, text: str) -> dict[str, float]:
    found = _json(f"pairs.parquet row {number}", "criteria", text)
    if not isinstance(found, dict) or not all(
        isinstance(grade, int | float) and not isinstance(grade, bool) and math.isfinite(grade)
        for grade in found.values()
    ):
        raise EngineError(f"pairs.parquet row {number}: criteria must be the JSON of a number for each key.")
    return {key: float(grade) for key, grade in found.items()}


def _skills(number: int, text: str) -> tuple[str, ...]:
    found = _json(f"pairs.parquet row {number}", "skills", text)
    if not isinstance(found, list) or not all(isinstance(skill, str) for skill in found):
        raise EngineError(f"pairs.parquet row {number}: skills must be the JSON of a list of texts.")
    return tuple(found)


def _json(where: str, column: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise EngineError(f"{where}: {column} is not JSON.") from None


def _turns_before(number: int, row: dict[str, Any], side: str) -> Conversation:
    """Return what was said between the prompt and an answer: nothing, or the turns of a conversation."""
    text = row.pop(f"{side}_turns")
    if not text:
        return []
    *before, last = _messages(f"pairs.parquet row {number}", text, f"{side}_turns")
    if last != {"role": "assistant", "content": row[side]}:
        raise EngineError(f"pairs.parquet row {number}: {side} is not the last answer of {side}_turns.")
    return before


def read_demonstrations(run_dir: Path, mix: Sequence[Mix] = ()) -> list[Demonstration]:
    """Read demonstrations.parquet and a mix's, with its weight; raises EngineError naming the column."""
    return [Demonstration(**row) for row in _mixed(run_dir, "demonstrations.parquet", mix)]


def newest_first(rows: Sequence[Demonstration], half_life: float) -> npt.NDArray[np.float64]:
    """Weigh demonstrations, halving with every `half_life` rounds before the newest (0: never)."""
    weights = np.array([row.weight for row in rows], dtype=np.float64)
    rounds = np.array([row.round for row in rows], dtype=np.float64)
    if not half_life or not len(rows):
        return weights
    aged: npt.NDArray[np.float64] = weights * 0.5 ** ((rounds.max() - rounds) / half_life)
    return aged


def read_prompts(run_dir: Path) -> list[Prompt]:
    """Read prompts.parquet; raises EngineError naming the column or row at fault."""
    return [Prompt(**row) for row in _read(run_dir / "prompts.parquet", "prompts.parquet")]


def _mixed(run_dir: Path, name: str, mix: Sequence[Mix]) -> list[dict[str, Any]]:
    """Read a file of the run, which may be missing where a mix has rows of its kind, and those rows."""
    parts = [part for part in mix if part.path.endswith(name)]
    alone = not parts or (run_dir / name).exists()
    rows = _read(run_dir / name, name) if alone else []
    for part in parts:
        more = _read(run_dir / part.path, name)
        rows += [{**row, "weight": part.weight * row["weight"]} for row in more]
    return rows


def _read(path: Path, kind: str) -> list[dict[str, Any]]:
    """Read the rows of one file of a kind, the prompt's JSON turned into `messages`."""
    columns, since = _COLUMNS[kind], _SINCE.get(kind, {})
    try:
        names = pq.read_schema(path).names
        for column in columns:
            if column not in names:
                raise EngineError(f"{path.name} has no column {column!r}.")
        columns = [*columns, *(column for column in since if column in names)]
        rows: list[dict[str, Any]] = pq.read_table(path, columns=columns).to_pylist()
    except FileNotFoundError:
        raise EngineError(f"The run directory has no {path.name}.") from None
    except pa.ArrowInvalid as error:
        raise EngineError(f"{path.name} is not a readable Parquet file: {error}.") from None
    for number, row in enumerate(rows):
        for column, absent in since.items():
            if row.get(column) is None:
                row[column] = absent
        _check_row(f"{path.name} row {number}", row)
        row["messages"] = _messages(f"{path.name} row {number}", row.pop("prompt"))
    return rows


def _check_row(where: str, row: dict[str, Any]) -> None:
    for name, value in row.items():
        kind: tuple[type, ...] = (str,)
        if name in _NUMBERS:
            kind = (float, int)
        elif name in _WHOLE:
            kind = (int,)
        known = _WHOLE.get(name)
        if (
            not isinstance(value, kind)
            or (name in _NUMBERS and not math.isfinite(row[name]))
            or (known is not None and value not in known)
        ):
            raise EngineError(f"{where}: {name} cannot be {value!r}.")
    if row.get("weight", 0) < 0:
        raise EngineError(f"{where}: weight {row['weight']} is negative.")
    if row["split"] not in SPLITS:
        raise EngineError(f"{where}: split must be one of {', '.join(SPLITS)}, not {row['split']!r}.")


def _messages(where: str, text: str, column: str = "prompt") -> Conversation:
    try:
        messages = json.loads(text)
    except ValueError:
        raise EngineError(f"{where}: {column} is not the JSON of a conversation.") from None
    good = isinstance(messages, list) and messages
    if not good or not all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str)
        for m in messages
    ):
        raise EngineError(f"{where}: {column} must be a list of messages with role and content.")
    return [{"role": m["role"], "content": m["content"]} for m in messages]


@dataclass(frozen=True)
class Reply:
    """Hold the tokens of a prompt and of the answer to learn."""

    prompt: list[int]
    reply: list[int]


class Encoder:
    """Turn conversations into tokens of at most `max_length`, counting those that had to be cut.

    Prompts are cut from the left; a reply is cut at its end only where it fills the whole length alone.
    """

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.truncated = 0

    def conversation(self, messages: Conversation, answer: str) -> list[int]:
        """Encode a conversation with its answer, as reward models read it."""
        text = self._text([*messages, {"role": "assistant", "content": answer}])
        ids = self._ids(text)
        if len(ids) > self.max_length:
            self.truncated += 1
            # the first token may be the one that an encoder's head reads
            ids = ids[:1] + ids[len(ids) - self.max_length + 1 :]
        return ids

    def reply(self, messages: Conversation, answer: str) -> Reply:
        """Encode a prompt as it looks when an answer is sampled, and the answer up to its end token."""
        opening = self._text(messages, add_generation_prompt=True)
        whole = self._text([*messages, {"role": "assistant", "content": answer}])
        rest = whole[len(opening) :] if whole.startswith(opening) else answer
        prompt, reply = self._ids(opening), self._ids(rest)
        if self.tokenizer.eos_token_id not in reply:
            reply.append(self.tokenizer.eos_token_id)
        if len(prompt) + len(reply) > self.max_length:
            self.truncated += 1
            reply = reply[: self.max_length - 1]
            prompt = prompt[len(prompt) + len(reply) - self.max_length :]
        return Reply(prompt, reply)

    def _text(self, messages: Conversation, add_generation_prompt: bool = False) -> str:
        text: str = self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=add_generation_prompt
        )
        return text

    def _ids(self, text: str) -> list[int]:
        # the template has written the special tokens already
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def batches(lengths: Sequence[int], size: int, seed: int, epoch: int) -> list[Indices]:
    """Shuffle the examples of one epoch into batches of similar lengths; ordered by seed and epoch."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    measure = np.asarray(lengths)
    found: list[Indices] = []
    for start in range(0, len(order), size * BUCKET):
        bucket = order[start : start + size * BUCKET]
        bucket = bucket[np.argsort(measure[bucket], kind="stable")]
        found += [bucket[i : i + size] for i in range(0, len(bucket), size)]
    return [found[i] for i in rng.permutation(len(found))]


def pad(
    rows: Sequence[Sequence[int]], pad_id: int, least: int = 0
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pad token rows on the right; returns ids and attention mask, both (rows, longest or `least`)."""
    longest = max(least, *map(len, rows))
    ids = np.full((len(rows), longest), pad_id, dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return ids, mask
