"""Log-probabilities of replies under the policy that a run starts from; they never change, so they are kept.

Each reply goes through the model alone: its figure then depends on no neighbour, and is the same to the
last bit whether it was kept by this run, by one that was killed, or by a run of an earlier round.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from training.engine.data import Reply
from training.engine.evaluation import Floats
from training.engine.features import fingerprint
from training.engine.optimisation import device
from training.engine.policy_model import load_policy_model, reply_log_probs
from training.engine.reward_model import longest_input

CHUNK = 64  # replies that are kept together
STRIDE = 32  # a reply is padded to a multiple: a processor's kernels are made anew for each length
PATIENCE = 60  # seconds to wait for another run that writes


def reference_log_probs(
    parent: str, replies: Sequence[Reply], pad_id: int, cache: Path, heard: Callable[[int, int], None]
) -> Floats:
    """Sum each reply's log-probabilities under `parent`, (rows,); `heard` gets (done, missing) and may raise.

    The cache is a folder of one SQLite file for each parent, by content, and kind of device.
    """
    keys = [_key(reply) for reply in replies]
    cache.mkdir(parents=True, exist_ok=True)
    store = sqlite3.connect(cache / f"{fingerprint(parent)}-{device().type}.sqlite3", timeout=PATIENCE)
    try:
        store.execute("CREATE TABLE IF NOT EXISTS log_probs (key TEXT PRIMARY KEY, value REAL NOT NULL)")
        known = dict(
            store.execute(
                "SELECT key, value FROM log_probs WHERE key IN (SELECT value FROM json_each(?))",
                [json.dumps(sorted(set(keys)))],
            )
        )
        missing = {key: reply for key, reply in zip(keys, replies, strict=True) if key not in known}
        if missing:
            _score(store, parent, missing, known, pad_id, heard)
    finally:
        store.close()
    return np.array([known[key] for key in keys])


def _score(
    store: sqlite3.Connection,
    parent: str,
    missing: dict[str, Reply],
    known: dict[str, float],
    pad_id: int,
    heard: Callable[[int, int], None],
) -> None:
    """Take the missing replies through the parent one by one, and keep them chunk by chunk."""
    model, tokenizer = load_policy_model(parent)
    model.eval()
    most = longest_input(model, tokenizer, 1 << 30)
    asked = list(missing.items())
    for start in range(0, len(asked), CHUNK):
        heard(start, len(asked))
        with torch.no_grad():
            found = {
                key: float(reply_log_probs(model, [reply], pad_id, _width(reply, most)))
                for key, reply in asked[start : start + CHUNK]
            }
        with store:
            store.executemany("INSERT OR IGNORE INTO log_probs VALUES (?, ?)", list(found.items()))
        known.update(found)


def _width(reply: Reply, most: int) -> int:
    """Return the tokens that a reply is padded to, none beyond what the model has places for."""
    return min(-(-(len(reply.prompt) + len(reply.reply)) // STRIDE) * STRIDE, most)


def _key(reply: Reply) -> str:
    return hashlib.sha256(json.dumps([reply.prompt, reply.reply]).encode()).hexdigest()
