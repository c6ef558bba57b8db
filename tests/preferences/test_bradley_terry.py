import gzip
import json
import os
from pathlib import Path
from time import process_time

import choix
import evalica
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from preferences.ballots import Ballots, collect
from preferences.bradley_terry import RIDGE, rate
from preferences.types import Pair, Vote

NAMES = ("llama", "pythia", "bloom", "opt", "cerebras")
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


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_choix_and_evalica_without_ridge_and_ties(seed):
    votes = _votes(400, seed)
    ours = _scores(rate(votes, ridge=1e-9))
    wins = [(v.pair.left, v.pair.right) if v.verdict < 0 else (v.pair.right, v.pair.left) for v in votes]
    names = list(SCORES)
    choix_scores = choix.opt_pairwise(4, [(names.index(w), names.index(x)) for w, x in wins], tol=1e-12)
    assert ours == pytest.approx(choix_scores - choix_scores.mean(), abs=1e-6)
    left, right = [v.pair.left for v in votes], [v.pair.right for v in votes]
    winners = [evalica.Winner.X if v.verdict < 0 else evalica.Winner.Y for v in votes]
    fitted = evalica.bradley_terry(left, right, winners, tolerance=1e-13, limit=100_000).scores
    evalica_scores = np.log(fitted[names].to_numpy())
    assert ours == pytest.approx(evalica_scores - evalica_scores.mean(), abs=1e-6)


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


def test_arrays_say_what_votes_say():
    votes = _votes(500, 3, threshold=0.4)
    ballots = collect(votes)
    shuffled = np.random.default_rng(0).permutation(len(votes))
    columns = (ballots.left, ballots.right, ballots.outcome, 7 * ballots.raters, 3 * ballots.prompts)
    board = rate(Ballots(ballots.policies, *(column[shuffled] for column in columns)))
    for ours, theirs in zip(board.ratings, rate(votes).ratings, strict=True):
        assert (ours.policy, ours.votes) == (theirs.policy, theirs.votes)
        assert ours.score == pytest.approx(theirs.score, abs=1e-9)
        assert ours.interval == pytest.approx(theirs.interval, abs=1e-9)


def _styled(n, seed):
    """Votes in which `wordy` is no better than `plain`, but longer, and raters like length."""
    rng = np.random.default_rng(seed)
    votes, longer = [], []
    for k in range(n):
        left_is_wordy = bool(rng.random() < 0.5)
        difference = rng.normal(0.6, 1) * (1 if left_is_wordy else -1)
        pair = Pair(f"p{k % 80}", *(("wordy", "plain") if left_is_wordy else ("plain", "wordy")))
        votes.append(Vote(f"r{k % 25}", pair, -1 if 0.8 * difference + rng.logistic() > 0 else 1))
        longer.append(difference)
    return votes, np.array(longer)


def test_style_explains_what_style_won():
    votes, longer = _styled(4000, 0)
    raw = rate(votes).win_share("wordy", "plain")
    board = rate(votes, covariates={"length": longer, "lists": np.zeros(len(votes))})
    fair = board.win_share("wordy", "plain")
    assert raw.interval.low > 0.55
    assert fair.interval.low < 0.5 < fair.interval.high
    per_unit = board.effects["length"].value / np.sqrt((longer**2).mean())
    assert per_unit == pytest.approx(0.8, abs=0.1)
    assert board.effects["length"].interval.low > 0
    assert board.effects["lists"].value is None
    assert "never differ" in board.effects["lists"].why


def test_style_controlled_scores_maximise_the_penalised_likelihood():
    votes, longer = _styled(300, 1)
    x = longer / np.sqrt((longer**2).mean())
    sign = np.array([1 if v.pair.left == "wordy" else -1 for v in votes])
    won = np.array([v.verdict < 0 for v in votes])

    def loss(at):
        d = sign * (at[0] - at[1]) + at[2] * x
        return RIDGE / 2 * at @ at - np.log(expit(np.where(won, d, -d))).sum()

    best = minimize(loss, np.zeros(3), tol=1e-12).x
    board = rate(votes, covariates={"length": longer})
    assert board.effects["length"].value == pytest.approx(best[2], abs=1e-4)
    assert max(r.score for r in board.ratings) == pytest.approx(abs(best[0] - best[1]) / 2, abs=1e-4)


def test_covariates_that_do_not_fit_are_refused():
    votes, longer = _styled(10, 0)
    with pytest.raises(ValueError, match="length needs one finite number"):
        rate(votes, covariates={"length": longer[:5]})
    with pytest.raises(ValueError, match="finite"):
        rate(votes, covariates={"length": np.full(10, np.nan)})


def test_a_million_votes_take_seconds():
    rng = np.random.default_rng(0)
    n, policies = 1_000_000, tuple("abcdefgh")
    left = rng.integers(0, 8, n)
    right = (left + rng.integers(1, 8, n)) % 8
    d = np.linspace(1, -1, 8)[left] - np.linspace(1, -1, 8)[right] + rng.logistic(size=n)
    outcome = np.where(np.abs(d) < 0.3, 0, np.sign(d)).astype(np.int8)
    began = process_time()
    board = rate(Ballots(policies, left, right, outcome, rng.integers(0, 500, n), rng.integers(0, n, n)))
    assert process_time() - began < 10
    assert [r.policy for r in board.ratings] == list(policies)


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


@pytest.mark.real_data
@pytest.mark.skipif("TOUCHSTONE_REAL_DATA" not in os.environ, reason="TOUCHSTONE_REAL_DATA is not set")
def test_real_models_rank_as_published():
    votes = []
    with gzip.open(Path(os.environ["TOUCHSTONE_REAL_DATA"]) / "pandalm_testset.jsonl.gz", "rt") as lines:
        for line in map(json.loads, lines):
            pair = Pair(line["id"], *(response["model"] for response in line["responses"]))
            for said in line["annotations"]:
                verdict = 0 if said["choice"] == "tie" else (-1, 1)[said["choice"]]
                votes.append(Vote(said["annotator"], pair, verdict))
    board = rate(votes)
    ranked = [next(name for name in NAMES if name in rating.policy.lower()) for rating in board.ratings]
    assert ranked == ["llama", "pythia", "bloom", "opt", "cerebras"]
    assert len(votes) == 2997
