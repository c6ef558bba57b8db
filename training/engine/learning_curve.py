"""How much more votes would teach: heads on the frozen trunk, fitted to ever more of the training votes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from preferences.intervals import clustered_covariance, encode_clusters
from training.engine import features
from training.engine.config import RewardConfig
from training.engine.data import Pair
from training.engine.evaluation import hits
from training.engine.held_out import HeldOut, distinct_conversations, figure
from training.engine.run_dir import RunDir

SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)
MIN_VOTES = 200
MOST_VOTES = 20_000  # beyond that the curve is flat, and its fit would want memory


def learning_curve(run: RunDir, config: RewardConfig, parts: dict[str, list[Pair]]) -> dict[str, Any]:
    """Test heads fitted to 1/8, 1/4, 1/2 and all of the training votes, by whole prompts, on the test votes.

    They are linear in the trunk's frozen features: the curve tells whether more votes help, and may lie below
    the model itself. Of more than 20,000 votes it takes so many.
    """
    test = parts["test"]
    voted = [pair for pair in parts["train"] if pair.weight]
    if len(voted) < MIN_VOTES:
        return {"points": [], "why": "a learning curve needs at least 200 training votes"}
    if not any(pair.probability != 0.5 for pair in test):
        return {"points": [], "why": "there are no votes to test on yet"}
    place = _shuffle_prompts(voted, config.seed)
    kept = np.argsort(place, kind="stable")[:MOST_VOTES]
    train, place = [voted[i] for i in kept], place[kept]
    talks, sides = distinct_conversations([*train, *test])
    read = features.embed(
        config.trunk,
        talks,
        cache=run.features,
        max_length=config.hyper.max_length,
        progress=lambda done, total: run.progress(done, total, "testing"),
    )
    learnt, tested = sides[: len(train)], sides[len(train) :]
    probability = np.array([pair.probability for pair in train])
    weight = np.array([pair.weight for pair in train])
    points, right = [], []
    for share in SHARES:
        run.check_stop()
        n = int(np.searchsorted(place, share * (place[-1] + 1)))
        chosen, rejected = learnt[:n].T
        weights = features.fit_frozen(read, chosen, rejected, probability[:n], weight[:n])
        found = HeldOut(test, (read @ weights)[tested])
        points.append({"share": share, "votes": n, **figure(found.accuracy())})
        right.append(hits(found.probability, found.margin))
    prompts = found.prompts[found.clear]
    if len(np.unique(prompts)) < 2:
        return {"points": points}
    # all points are tested on the same votes: what is common to them says nothing of the curve's rise
    return {"points": points, "covariance": clustered_covariance(np.array(right), prompts.tolist()).tolist()}


def _shuffle_prompts(pairs: Sequence[Pair], seed: int) -> npt.NDArray[np.int64]:
    """Place the prompts in a random order; returns that of each pair."""
    codes, prompts = encode_clusters([pair.prompt_id for pair in pairs])
    return np.random.default_rng(seed).permutation(prompts)[codes]
