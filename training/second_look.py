"""Second reward models beside a watch: each fitted to the votes of one half of the raters, on a frozen trunk.

What a reward model learnt of chance and of single raters the other half's model doesn't know, so the gain
that both see is closer to people's. The champion itself has seen both halves.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from django.conf import settings
from scipy.special import expit

from labeling import scores
from preferences import best_of_n
from preferences.intervals import Floats, clustered_bootstrap
from training import runs
from training.engine.data import Pair, read_pairs
from training.engine.features import embed, fit_frozen
from training.models import Run, Watch

if TYPE_CHECKING:
    from training.watching import Draws

FEWEST_VOTES = 50  # of each half
MOST_VOTES = 4000  # of each half, the first ones

Beat = Callable[[str, int, int], None]


def check(watch: Watch, draws: "Draws", beat: Beat) -> dict[str, Any]:
    """Return how two second models see the first one's choices, and each other's.

    {"win": by size, "agreement", "halves", "own", "cross", "raters", "votes"}, or {"why"} there is none.
    Raises EngineError for a trunk that can't be read.
    """
    run = Run.objects.filter(produced=watch.reward_model, kind=Run.Kind.REWARD).first()
    if run is None or not (runs.folder(run) / "pairs.parquet").is_file():
        return {"why": "the reward model's votes are not known here"}
    pairs = [pair for pair in read_pairs(runs.folder(run)) if pair.split == "train" and pair.weight > 0]
    halves = [[pair for pair in pairs if half(pair.rater) == side][:MOST_VOTES] for side in (0, 1)]
    if min(map(len, halves)) < FEWEST_VOTES:
        return {"why": "each half of the raters must have given at least 50 votes to learn from"}
    a, b = _readings(run, halves, draws, beat)
    return {
        **_compare(draws.rewards, a, b),
        "raters": [len({pair.rater for pair in votes}) for votes in halves],
        "votes": [len(votes) for votes in halves],
    }


def half(rater: str) -> int:
    """Return in which half a rater is: the same in every watch."""
    return hashlib.sha256(f"half {rater}".encode()).digest()[0] % 2


def _readings(run: Run, halves: list[list[Pair]], draws: "Draws", beat: Beat) -> list[Floats]:
    """Fit a linear reward to each half's votes on the trunk's features; return its rewards of all draws."""
    said = [
        [*before, {"role": "assistant", "content": text}]
        for pairs in halves
        for pair in pairs
        for before, text in ((pair.before_chosen, pair.chosen), (pair.before_rejected, pair.rejected))
    ]
    talks = said + [scores.conversation(answer) for row in draws.answers for answer in row]
    cache = settings.RUNS_DIR / "features"
    features = embed(
        run.config["trunk"], talks, cache=cache, progress=lambda done, total: beat("checking", done, total)
    )
    drawn = features[len(said) :].astype(np.float64)
    found, start = [], 0
    for pairs in halves:
        rows = np.arange(start, start + 2 * len(pairs))
        start += 2 * len(pairs)
        weights = fit_frozen(
            features[: len(said)],
            rows[::2],
            rows[1::2],
            np.array([pair.probability for pair in pairs], np.float64),
            np.array([pair.weight for pair in pairs], np.float64),
        )
        found.append((drawn @ weights).reshape(draws.rewards.shape))
    return found


def _compare(rewards: Floats, a: Floats, b: Floats) -> dict[str, Any]:
    def wins(chooser: Floats, judge: Floats) -> Floats:
        return best_of_n.expect(chooser[:, :-1], expit(judge[:, :-1] - judge[:, -1:]))

    def agree(one: Floats, other: Floats) -> float:
        centred = [values - values.mean(axis=1, keepdims=True) for values in (one, other)]
        scale = np.sqrt((centred[0] ** 2).sum() * (centred[1] ** 2).sum())
        return float((centred[0] * centred[1]).sum() / scale) if scale > 0 else 0.0

    def gained(*shares: Floats) -> float:
        return float(np.mean([share[:, -1].mean() - share[:, 0].mean() for share in shares]))

    seen = (wins(rewards, a) + wins(rewards, b)) / 2
    return {
        "win": [asdict(clustered_bootstrap(column, np.arange(len(column)))) for column in seen.T],
        "agreement": agree(rewards, a / (a.std() or 1.0) + b / (b.std() or 1.0)),
        "halves": agree(a, b),
        "own": gained(wins(a, a), wins(b, b)),
        "cross": gained(wins(a, b), wins(b, a)),
    }
