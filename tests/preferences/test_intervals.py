from time import process_time

import numpy as np
import pytest
from scipy.stats import binomtest

from preferences.intervals import clustered_bootstrap, paired_difference, resample_totals, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (50, 80), (200, 200)])
def test_wilson_matches_scipy(successes, trials):
    expected = binomtest(successes, trials).proportion_ci(0.95, "wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_says_nothing_and_of_nonsense_is_refused():
    assert wilson(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="12 successes of 10"):
        wilson(12, 10)


def test_bootstrap_covers_the_mean_when_prompts_differ():
    """Nominal 95 % with strong prompt effects, 200 worlds; an i.i.d. interval would cover about 70 %."""
    rng = np.random.default_rng(7)
    covered = 0
    for world in range(200):
        prompts = np.repeat(np.arange(60), 5)
        values = rng.normal(size=60)[prompts] + rng.normal(size=300)
        estimate = clustered_bootstrap(values, prompts, seed=world, resamples=500)
        assert estimate.interval is not None
        covered += estimate.interval.low <= 0 <= estimate.interval.high
    assert 0.90 <= covered / 200 <= 0.985


def test_bootstrap_is_reproducible_and_ignores_how_clusters_are_named():
    values = np.random.default_rng(0).normal(size=100)
    numbered = clustered_bootstrap(values, np.arange(100) // 4, seed=3)
    named = clustered_bootstrap(values, [f"prompt {i // 4}" for i in range(100)], seed=3)
    assert numbered == named
    assert numbered != clustered_bootstrap(values, np.arange(100) // 4, seed=4)


def test_bootstrap_in_blocks_equals_one_block(monkeypatch):
    values, clusters = np.random.default_rng(0).normal(size=300), np.arange(300) // 3
    whole = clustered_bootstrap(values, clusters, seed=1)
    monkeypatch.setattr("preferences.intervals._CHUNK_CELLS", 1000)
    assert clustered_bootstrap(values, clusters, seed=1) == whole


def test_undefined_figures_say_why():
    assert "nothing" in clustered_bootstrap([], []).why
    single = clustered_bootstrap([1.0, 0.0], ["p", "p"])
    assert (single.value, single.interval) == (0.5, None)
    assert "two clusters" in single.why


@pytest.mark.parametrize(("values", "clusters"), [([1.0], []), ([float("nan")], ["p"])])
def test_bad_input_is_refused(values, clusters):
    with pytest.raises(ValueError, match="values"):
        clustered_bootstrap(values, clusters)


def test_paired_difference_is_narrower_than_unpaired():
    rng = np.random.default_rng(2)
    first = rng.integers(0, 2, 400).astype(float)
    second = np.where(rng.random(400) < 0.1, 1 - first, first)
    estimate = paired_difference(first, second, np.arange(400))
    assert estimate.value == pytest.approx(first.mean() - second.mean())
    assert estimate.interval is not None
    assert estimate.interval.high - estimate.interval.low < 0.08
    with pytest.raises(ValueError, match="equal lengths"):
        paired_difference([1.0], [1.0, 2.0], ["a"])


def test_rows_that_are_alike_are_drawn_together_with_the_same_distribution():
    rng = np.random.default_rng(0)
    alike = rng.integers(0, 2, size=(400, 1)).astype(float)
    together = resample_totals(alike, 20_000, 1)[:, 0]
    apart = resample_totals(alike + rng.normal(size=(400, 1)) * 1e-9, 20_000, 2)[:, 0]
    assert together.mean() == pytest.approx(apart.mean(), abs=0.4)
    assert together.std() == pytest.approx(apart.std(), rel=0.03)


def test_a_million_clusters_take_seconds():
    rng = np.random.default_rng(0)
    began = process_time()
    estimate = clustered_bootstrap(rng.integers(0, 2, 1_000_000).astype(float), rng.integers(0, 10**6, 10**6))
    assert process_time() - began < 5
    assert estimate.interval.low < 0.5 < estimate.interval.high
