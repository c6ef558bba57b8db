import choix
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from preferences.bradley_terry import RIDGE, rate
from preferences.types import Pair, Vote

SCORES = {"a": 1.0, "b": 0.2, "c": -0.4, "d": -0.8}


def _vote(rater, prompt, left, right, d, threshold, rng):
    logit = d + rng.logistic()
    return Vote(rater, Pair(prompt, left, right), 0 if abs(logit) < threshold else -1 if logit > 0 else 1)


def _votes(n, seed, threshold=0.0, rater_spread=0.0, prompt_spread=0.0, raters=30, prompts=150):
    rng = np.random.default_rng(seed)
    names = list(SCORES)
    scores = np.array(list(SCORES.values()))
    tastes = rng.normal(size=(raters, 4)) * rater_spread
    topics = rng.normal(size=(prompts, 4)) * prompt_spread
    votes = []
    for _ in range(n):
        r, p = rng.integers(raters), rng.integers(prompts)
        i, j = rng.choice(4, 2, replace=False)
        u = scores + tastes[r] + topics[p]
        votes.append(_vote(f"r{r}", f"p{p}", names[i], names[j], u[i] - u[j], threshold, rng))
    return votes


def _scores(board):
    return np.array([r.score for r in sorted(board.ratings, key=lambda r: r.policy)])


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_choix_without_ties(seed):
    votes = _votes(400, seed)
    wins = [(v.pair.left, v.pair.right) if v.verdict < 0 else (v.pair.right, v.pair.left) for v in votes]
    number = {name: k for k, name in enumerate(SCORES)}
    expected = choix.opt_pairwise(4, [(number[w], number[x]) for w, x in wins], alpha=RIDGE / 2, tol=1e-12)
    assert _scores(rate(votes)) == pytest.approx(expected - expected.mean(), abs=1e-6)


def test_scores_with_ties_maximise_the_ordered_likelihood():
    votes = _votes(600, 1, threshold=0.7)
    board = rate(votes)

    def loss(x):
        theta, t = dict(zip(SCORES, x[:4], strict=True)), np.exp(x[4])
        total = RIDGE / 2 * (x[:4] @ x[:4])
        for v in votes:
            d = theta[v.pair.left] - theta[v.pair.right]
            p = [expit(d - t), expit(d + t) - expit(d - t), expit(-d - t)][np.sign(v.verdict) + 1]
            total -= np.log(p)
        return total

    best = minimize(loss, np.zeros(5), tol=1e-12)
    assert _scores(board) == pytest.approx(best.x[:4] - best.x[:4].mean(), abs=1e-4)
    assert board.tie_threshold == pytest.approx(np.exp(best.x[4]), abs=1e-4)
    assert [r.policy for r in board.ratings] == ["a", "b", "c", "d"]


def test_swapping_sides_changes_nothing():
    votes = _votes(300, 2, threshold=0.5)
    swapped = [v.swap() if k % 2 else v for k, v in enumerate(votes)]
    assert _scores(rate(swapped)) == pytest.approx(_scores(rate(votes)), abs=1e-9)


def test_win_shares_add_up_and_follow_the_votes():
    votes = [Vote(f"r{k % 9}", Pair(f"p{k}", "new", "old"), -1 if k % 4 else 1) for k in range(400)]
    board = rate(votes)
    share, mirrored = board.win_share("new", "old"), board.win_share("old", "new")
    assert share.value is not None
    assert mirrored.value is not None
    assert share.interval is not None
    assert share.value == pytest.approx(0.75, abs=1e-3)
    assert share.value + mirrored.value == pytest.approx(1)
    assert share.interval.low < 0.75 < share.interval.high
    assert share.interval.high - share.interval.low < 0.15


def test_intervals_cover_with_rater_and_prompt_effects():
    """Nominal 95 % with rater and prompt tastes; the truth is the rating of many fresh raters and prompts."""
    spread = {"rater_spread": 0.5, "prompt_spread": 0.7}
    truth = _scores(rate(_votes(60_000, 99, raters=3000, prompts=3000, **spread)))
    covered = total = 0
    for seed in range(60):
        board = rate(_votes(1200, seed, **spread))
        for rating in board.ratings:
            covered += rating.interval.low <= truth["abcd".index(rating.policy)] <= rating.interval.high
            total += 1
    assert 0.92 <= covered / total <= 0.99


def test_a_policy_that_won_every_vote_has_a_finite_score_and_a_wide_interval():
    votes = [Vote(f"r{k % 5}", Pair(f"p{k}", "new", "old"), -2) for k in range(40)]
    best = rate(votes).ratings[0]
    assert best.policy == "new"
    assert 2 < best.score < 20
    assert best.interval.high - best.interval.low > 2


def test_one_vote_and_one_rater_still_have_intervals():
    assert np.isfinite(rate([Vote("r", Pair("p", "a", "b"), -1)]).ratings[0].interval.high)
    votes = [Vote("r", Pair(f"p{k}", "a", "b"), 1 - 2 * (k % 3 == 0)) for k in range(30)]
    assert np.isfinite(rate(votes).ratings[0].interval.high)


@pytest.mark.parametrize(
    ("votes", "message"),
    [
        ([], "no votes"),
        ([Vote("r", Pair("p", "a", "a"), 1)], "with itself"),
        ([Vote("r", Pair("p", "a", "b"), 1), Vote("r", Pair("p", "c", "d"), 1)], "never compared"),
    ],
)
def test_votes_that_cannot_be_rated_are_refused(votes, message):
    with pytest.raises(ValueError, match=message):
        rate(votes)
