"""How much more votes would teach: heads on the frozen trunk, fitted to ever more of the training votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from preferences.intervals import encode_clusters
from training.engine import features
from training.engine.config import RewardConfig
from training.engine.data import Pair
from training.engine.held_out import HeldOut, conversations, figure
from training.engine.run_dir import RunDir

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
MIN_VOTES = 200


def learning_curve(run: RunDir, config: RewardConfig, parts: dict[str, list[Pair]]) -> dict[str, Any]:
    """Test heads fitted to 1/8, 1/4, 1/2 and all of the training votes, by whole prompts, on the test votes.

    They are linear in the trunk's frozen features: the curve tells whether more votes help, and may lie below
    the model itself.
    """
    train = [pair for pair in parts["train"] if pair.weight]
    test = parts["test"]
    if len(train) < MIN_VOTES:
        return {"points": [], "why": "a learning curve needs at least 200 training votes"}
    if not any(pair.probability != 0.5 for pair in test):
        return {"points": [], "why": "there are no votes to test on yet"}
    read = features.embed(
        config.trunk,
        conversations([*train, *test]),
        cache=run.features,
        max_length=config.hyper.max_length,
        progress=lambda done, total: run.progress(done, total, "testing"),
    )
    tested, chosen = read[2 * len(train) :], np.arange(0, 2 * len(train), 2)
    probability = np.array([pair.probability for pair in train])
    weight = np.array([pair.weight for pair in train])
    points = []
    for share, taken in _growing(train, config.seed):
        run.check_stop()
        rows = chosen[taken]
        weights = features.fit_frozen(read, rows, rows + 1, probability[taken], weight[taken])
        found = HeldOut(test, (tested @ weights).reshape(-1, 2)).accuracy()
        points.append({"share": share, "votes": len(taken), **figure(found)})
    return {"points": points}


def _growing(train: Sequence[Pair], seed: int) -> list[tuple[float, Any]]:
    """Take ever more prompts, each share within the next; returns shares and the places of their votes."""
    codes, prompts = encode_clusters([pair.prompt_id for pair in train])
    place = np.random.default_rng(seed).permutation(prompts)[codes]
    return [(share, np.flatnonzero(place < np.ceil(share * prompts))) for share in SHARES]
