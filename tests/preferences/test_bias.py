import numpy as np
import pytest
from scipy.special import expit

from preferences.bias import (
    Format,
    choice_biases,
    compare_formats,
    compare_lengths,
    length_bias,
    position_bias,
    position_bias_by_rater,
    read_format,
)


def _votes(rng, raters=40, each=60, side=0.0, length=0.0, spread=0.0, lists=0.0):
    """Simulate choices of raters whose pull to the left varies by `spread` around `side`."""
    n = raters * each
    who = np.repeat(np.arange(raters), each)
    utility, lengths = rng.normal(0, 1.5, n), rng.normal(0, 0.7, n)
    marks = rng.integers(-1, 2, n)
    eta = utility + rng.normal(side, spread, raters)[who] + length * lengths + lists * marks
    return (rng.random(n) < expit(eta)).astype(float), who, utility, lengths, marks


def test_marks_are_read_as_markdown_reads_them():
    assert read_format("Plain words - and a dash, 3.5 metres, 2 * 3 * 4, snake_case__name") == Format(
        False, False, False, False
    )
    assert read_format("# Title\n\n1. one\n2. two\n\n**very** `code`") == Format(True, True, True, True)
    assert read_format("```\n# no heading\n- no list\n**no bold**\n```") == Format(False, False, True, False)
    assert compare_formats("- a", "# b\n- c") == {"lists": 0, "headings": -1, "code": 0, "bold": 0}


def test_the_left_share_of_one_rater_is_wilsons_and_the_campaigns_is_clustered():
    choices, raters = [1, 1, 0.5, 0, 1, 0], ["a", "a", "a", "a", "b", "b"]
    everybody = position_bias(choices, raters)
    assert everybody.value == pytest.approx(3.5 / 6)
    assert everybody.n == 6
    by_rater = position_bias_by_rater(choices, raters)
    assert (by_rater["a"].value, by_rater["a"].n, by_rater["b"].value) == (2.5 / 4, 4, 0.5)
    alone = position_bias([1, 0], ["a", "a"])
    assert (alone.value, alone.interval, alone.why) == (0.5, None, "an interval needs at least two raters")
    assert position_bias([], []).why == "there are no votes yet"
    with pytest.raises(ValueError, match="a choice is"):
        position_bias([2], ["a"])


def test_the_interval_of_the_left_share_covers_though_raters_lean_to_different_sides():
    covered = naive = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        choices, raters, *_ = _votes(rng, raters=20, each=60, spread=0.8)
        found = position_bias(choices, raters)
        covered += found.interval.low <= 0.5 <= found.interval.high
        naive += abs(found.value - 0.5) < 1.96 * 0.5 / np.sqrt(len(choices))
    assert 0.92 <= covered / 400 <= 0.98
    assert naive / 400 < 0.85


def test_length_pulls_are_found_at_matched_quality_and_undefined_without_any():
    rng = np.random.default_rng(1)
    choices, raters, utility, lengths, marks = _votes(rng, side=0.3, length=0.8, lists=0.5)
    utility += 0.9 * lengths  # longer answers are better as well
    choices = (rng.random(len(choices)) < expit(utility + 0.8 * lengths + 0.5 * marks + 0.3)).astype(float)
    matched = length_bias(choices, lengths, raters, utility)
    assert matched.interval.low < expit(0.8 * np.log(2)) < matched.interval.high
    raw = length_bias(choices, lengths, raters)
    assert raw.interval.low > matched.interval.low
    both = choice_biases(choices, {"length": lengths, "lists": marks}, raters, utility)
    assert both["lists"].interval.low < 0.5 < both["lists"].interval.high
    assert both["lists"].n == np.count_nonzero(marks)
    nothing = length_bias(choices, np.zeros(len(choices)), raters)
    assert (nothing.value, nothing.n) == (None, 0)
    assert "unequal length" in nothing.why


def test_intervals_of_pulls_cover_and_separation_stays_finite():
    covered = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        choices, raters, utility, lengths, marks = _votes(rng, raters=25, each=40, length=0.6, lists=0.4)
        found = choice_biases(choices, {"length": lengths, "lists": marks}, raters, utility)
        covered += found["length"].interval.low <= 0.6 <= found["length"].interval.high
        covered += found["lists"].interval.low <= 0.4 <= found["lists"].interval.high
    assert 0.92 <= covered / 400 <= 0.98
    always = choice_biases([1.0, 0.0] * 20, {"length": [1.0, -1.0] * 20}, ["a"] * 40)["length"]
    assert np.isfinite([always.value, *always.interval]).all()
    assert always.interval.low > 2


def test_swapping_the_sides_turns_every_pull_around():
    choices, raters, utility, lengths, marks = _votes(np.random.default_rng(2), length=0.5)
    here = choice_biases(choices, {"length": lengths, "lists": marks}, raters, utility)
    there = choice_biases(1 - choices, {"length": -lengths, "lists": -marks}, raters, -utility)
    assert here["length"].value == pytest.approx(there["length"].value)
    assert compare_lengths([0, 9], [4, 9]) == pytest.approx([-np.log(5), 0])
