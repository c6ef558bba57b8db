"""Frozen features: what a trunk makes of texts, kept on disk, and reward heads fitted on them in seconds.

Nothing here loads torch while every text asked for is in the cache.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from models_app.backends import Conversation
from preferences.selection import posterior
from training.engine.config import EngineError

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]

COMPONENTS = 256  # principal components that a head is fitted on, at most
RIDGES = (1e4, 1e3, 1e2, 10.0, 1.0)  # of the summed loss, on components of mean variance 1
FOLDS = 3
READING = 3  # another number when a trunk is read in another way
CHUNK = 512  # texts that are read between two writes to the cache
PATIENCE = 60.0  # seconds to wait for another process's write


def embed(
    location: str,
    conversations: Sequence[Conversation],
    *,
    cache: Path | None = None,
    max_length: int = 512,
    progress: Progress | None = None,
) -> Features:
    """Read what the reward head of a trunk would see of conversations that end with an answer.

    Returns float32 (conversations, width). With a folder as `cache` each text goes through the trunk once
    for all processes and runs; `progress` hears (done, total) of those that do. Raises EngineError for a
    trunk that cannot be read.
    """
    keys = [_key(conversation) for conversation in conversations]
    if not keys:
        return np.zeros((0, 0), np.float32)
    with closing(_open(location, cache, max_length)) as store:
        known = _stored(store, keys)
        missing = {key: i for i, key in enumerate(keys) if key not in known}
        if missing:
            fresh = [conversations[i] for i in missing.values()]
            found = _read(store, location, list(missing), fresh, max_length, progress)
            known.update(found)
    return np.stack([known[key] for key in keys])


def principal(features: npt.NDArray[np.floating], most: int = COMPONENTS) -> tuple[Floats, Floats]:
    """Find the principal components of features (n, d); returns their mean (d,) and directions (d, k).

    (features − mean) @ directions has a variance of 1 in the mean of its columns, and larger ones first.
    Weights w of the components are weights `directions @ w` of the features.
    """
    found = np.asarray(features, dtype=np.float64)
    mean = found.mean(axis=0)
    centred = found - mean
    variance, directions = np.linalg.eigh(centred.T @ centred / max(1, len(found)))
    kept = np.argsort(variance)[::-1][: min(most, len(found))]
    kept = kept[variance[kept] > 1e-9 * max(float(variance.max(initial=0.0)), 1e-30)]
    return mean, directions[:, kept] / np.sqrt(variance[kept].mean() if len(kept) else 1.0)


def fit_frozen(
    features: npt.NDArray[np.floating],
    chosen: npt.NDArray[np.intp],
    rejected: npt.NDArray[np.intp],
    probability: Floats,
    weight: Floats,
    *,
    components: int = COMPONENTS,
) -> Floats:
    """Fit a linear reward on features (n, d) by ridge logistic regression on votes' soft labels.

    `chosen` and `rejected` are rows of `features`, one of each a vote; `probability` is that the first is
    the better one. Returns weights (d,): features @ weights is the reward. Of RIDGES that one is taken which
    foretells best, by cross-validation, votes on answers that are joined to the others by no vote.
    """
    _mean, directions = principal(features, components)
    parts = np.asarray(features, dtype=np.float64) @ directions
    gaps = parts[chosen] - parts[rejected]
    folds = _folds(chosen, rejected, len(parts))
    lost = dict.fromkeys(RIDGES, 0.0)
    for fold in range(FOLDS):
        out, rest, w = folds == fold, folds != fold, None
        for ridge in RIDGES:
            w = posterior(gaps[rest], probability[rest], weight[rest], ridge=ridge, start=w).weights
            lost[ridge] += float(weight[out] @ _cross_entropy(gaps[out] @ w, probability[out]))
    best = min(lost, key=lambda ridge: lost[ridge])
    found: Floats = directions @ posterior(gaps, probability, weight, ridge=best).weights
    return found


def _folds(
    chosen: npt.NDArray[np.intp], rejected: npt.NDArray[np.intp], answers: int
) -> npt.NDArray[np.intp]:
    """Deal votes out so that answers which votes join are in one fold; if all are, by the vote."""
    joined = coo_array((np.ones(len(chosen)), (chosen, rejected)), shape=(answers, answers))
    groups = np.unique(connected_components(joined, directed=False)[1][chosen], return_inverse=True)[1]
    if len(groups) and groups.max() < FOLDS - 1:
        groups = np.arange(len(chosen))
    order = np.random.default_rng(0).permutation(groups.max(initial=0) + 1)
    return np.asarray(order[groups] % FOLDS, dtype=np.intp)


def _cross_entropy(margin: Floats, probability: Floats) -> Floats:
    return np.asarray(probability * np.logaddexp(0, -margin) + (1 - probability) * np.logaddexp(0, margin))


def fingerprint(location: str) -> str:
    """Hash a checkpoint's files, wherever they lie; hexadecimal. Raises EngineError when there are none."""
    folder = Path(location)
    if not folder.is_dir():
        from transformers.utils import cached_file

        try:
            folder = Path(cached_file(location, "config.json")).parent
        except (OSError, ValueError) as error:
            raise EngineError(f"The model {location} cannot be read: {error}") from None
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*")):
        if file.is_file() and file.suffix in (".json", ".safetensors", ".bin", ".txt", ".model", ".jinja"):
            at = file.stat()
            digest.update(f"{file.name} {_hash(str(file), at.st_size, at.st_mtime_ns)}\n".encode())
    return digest.hexdigest()[:32]


@lru_cache(maxsize=1024)
def _hash(file: str, size: int, changed: int) -> str:
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _key(conversation: Conversation) -> str:
    return hashlib.sha256(json.dumps(conversation, sort_keys=True).encode()).hexdigest()


def _open(location: str, cache: Path | None, max_length: int) -> sqlite3.Connection:
    place = ":memory:"
    if cache is not None:
        cache.mkdir(parents=True, exist_ok=True)
        place = str(cache / f"{fingerprint(location)}-{max_length}-{READING}.sqlite3")
    store = sqlite3.connect(place, timeout=PATIENCE)
    store.execute("CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, vector BLOB NOT NULL)")
    return store


def _stored(store: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Features]:
    rows = store.execute(
        "SELECT key, vector FROM features WHERE key IN (SELECT value FROM json_each(?))",
        [json.dumps(sorted(set(keys)))],
    )
    return {key: np.frombuffer(vector, np.float32) for key, vector in rows}


def _read(
    store: sqlite3.Connection,
    location: str,
    keys: Sequence[str],
    conversations: Sequence[Conversation],
    max_length: int,
    progress: Progress | None,
) -> dict[str, Features]:
    """Take texts through the trunk, the longest last, and keep what came out chunk by chunk."""
    from training.engine.data import Encoder
    from training.engine.reward_model import features, grow_reward_model, longest_input

    model, tokenizer, _fresh = grow_reward_model(location, seed=0)
    encoder = Encoder(tokenizer, longest_input(model, tokenizer, max_length))
    rows = [encoder.conversation(talk[:-1], talk[-1]["content"]) for talk in conversations]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    found: dict[str, Features] = {}
    for start in range(0, len(order), CHUNK):
        part = order[start : start + CHUNK]
        read = dict(zip([keys[i] for i in part], features(model, [rows[i] for i in part]), strict=True))
        with store:
            store.executemany(
                "INSERT OR IGNORE INTO features VALUES (?, ?)", [(k, v.tobytes()) for k, v in read.items()]
            )
        found.update(read)
        if progress is not None:
            progress(len(found), len(order))
    return found
