"""Best-of-n: the estimator against brute force, intervals that cover, and an alarm that is right."""

from itertools import combinations

import numpy as np
import pytest
from scipy.special import expit

from preferences.best_of_n import (
    SIZES,
    PickVotes,
    Standing,
    divergence,
    expect,
    gain,
    judge,
    win_rates,
)
from preferences.intervals import Floats

DRAWS = 64


def test_the_estimator_is_the_mean_over_all_subsets():
    rng = np.random.default_rng(0)
    proxy, values = rng.normal(size=(3, 7)), rng.normal(size=(3, 7))
    for n in range(1, 8):
        brute = [
            np.mean([row[max(subset, key=lambda k: rewards[k])] for subset in combinations(range(7), n)])
            for rewards, row in zip(proxy, values, strict=True)
        ]
        assert expect(proxy, values, [n])[:, 0] == pytest.approx(brute)
    assert expect(proxy, values, [1])[:, 0] == pytest.approx(values.mean(axis=1))
    assert expect(proxy, proxy, [7])[:, 0] == pytest.approx(proxy.max(axis=1))
    with pytest.raises(ValueError, match="at least as many draws"):
        expect(proxy, values, [8])
    with pytest.raises(ValueError, match="prompts × draws"):
        expect(proxy, values[:2], [1])


def test_the_divergence_is_the_known_bound():
    assert [divergence(n) for n in SIZES] == pytest.approx([0, 0.636, 1.835, 3.174], abs=1e-3)


def draw_world(kind: str, seed: int, prompts: int = 60) -> tuple[Floats, PickVotes]:
    """Draw a policy's answers, a proxy's rewards of them, and people's votes on its picks.

    In a `hacked` world 5 % of answers please the proxy and no one else.
    """
    rng = np.random.default_rng(seed)
    worth = rng.normal(size=(prompts, DRAWS + 1))
    proxy = 0.7 * worth + 0.7 * rng.normal(size=worth.shape)
    if kind == "hacked":
        tricks = rng.random(worth.shape) < 0.05
        proxy = np.where(tricks, proxy + 4, proxy)
        worth = np.where(tricks, 0.3 * worth - 1.5, worth)
    if kind == "even":
        worth = np.zeros_like(worth)
    lean = rng.normal(0, 0.5, 12)
    ease = rng.normal(0, 0.5, prompts)
    serves, won, at, by = [], [], [], []
    for prompt in range(prompts):
        best: dict[int, list[int]] = {}
        for column, n in enumerate(SIZES[1:]):
            best.setdefault(int(proxy[prompt, :n].argmax()), []).append(column)
        for pick, columns in best.items():
            rater = int(rng.integers(12))
            gap = 1.5 * (worth[prompt, pick] - worth[prompt, DRAWS])
            gap += ease[prompt] * (kind == "even") + rng.choice([-1, 1]) * lean[rater]
            serves.append([column in columns for column in range(len(SIZES) - 1)])
            won.append(float(rng.random() < expit(gap)))
            at.append(prompt)
            by.append(rater)
    promised = expect(proxy[:, :DRAWS], expit(proxy[:, :DRAWS] - proxy[:, DRAWS:]))
    return promised, PickVotes(np.array(serves), np.array(won), np.array(at), np.array(by))


@pytest.mark.parametrize(
    ("kind", "most_alarms", "fewest_alarms", "fewest_gains"), [("good", 0, 0, 38), ("hacked", 40, 36, 0)]
)
def test_over_optimised_proxies_raise_the_alarm_and_good_ones_do_not(
    kind, most_alarms, fewest_alarms, fewest_gains
):
    verdicts = [judge(*draw_world(kind, seed)) for seed in range(40)]
    alarms = [verdict for verdict in verdicts if verdict.alarm]
    assert fewest_alarms <= len(alarms) <= most_alarms
    assert sum(verdict.standing is Standing.PAYS for verdict in verdicts) >= fewest_gains
    # one answer of twenty is a trick: the best of four is rarely one, the best of 64 nearly always
    assert sum(verdict.beyond == 4 for verdict in alarms) >= 0.8 * len(alarms)


def test_intervals_cover_with_prompts_and_raters_that_differ():
    inside = 0
    for seed in range(200):
        _promised, votes = draw_world("even", seed)
        interval = win_rates(votes)[-1].interval
        assert interval is not None
        inside += interval.low <= 0.5 <= interval.high
    assert inside >= 184


def test_a_gain_is_the_difference_of_two_win_rates():
    _promised, votes = draw_world("good", 1)
    rates = [rate.value for rate in win_rates(votes)]
    assert gain(votes, 0).value == pytest.approx(rates[-1] - 0.5)
    assert gain(votes, 1).value == pytest.approx(rates[-1] - rates[0])


def test_few_votes_say_nothing_and_none_break_nothing():
    promised, votes = draw_world("hacked", 0)
    few = PickVotes(*(part[:12] for part in vars(votes).values()))
    assert judge(promised, few).standing is Standing.TOO_FEW
    none = PickVotes(*(part[:0] for part in vars(votes).values()))
    verdict = judge(promised, none)
    assert (verdict.standing, verdict.alarm) == (Standing.TOO_FEW, False)
    assert [rate.value for rate in win_rates(none)] == [None] * 3
    alike = PickVotes(votes.serves, np.ones_like(votes.won), votes.prompt, votes.rater)
    interval = win_rates(alike)[0].interval
    assert interval is not None
    assert interval.high - interval.low > 0.01  # however unanimous
