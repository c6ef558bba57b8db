"""A learning curve is carried on as far as its points allow, and no further."""

import numpy as np
import pytest

from preferences.intervals import clustered_bootstrap, clustered_covariance
from preferences.learning import forecast

VOTES = (250, 500, 1000, 2000)


def _curve(bound, fall, speed, votes):
    return bound - fall * (np.asarray(votes) / VOTES[-1]) ** -speed


def test_a_curve_that_is_known_exactly_goes_on_as_it_went():
    found = forecast(VOTES, _curve(0.8, 0.05, 0.5, VOTES), 1e-8 * np.eye(4), [4000, 10_000], n=900)
    for at, estimate in zip(found.votes, found.accuracy, strict=True):
        assert estimate.interval.low <= _curve(0.8, 0.05, 0.5, at) <= estimate.interval.high
        assert estimate.n == 900
    assert found.gain[1].interval.high - found.gain[1].interval.low < 0.03


def test_a_flat_curve_promises_little_and_none_passes_the_ceiling():
    flat = forecast(VOTES, [0.7] * 4, 1e-6 * np.eye(4), [3000, 10_000])
    assert flat.gain[0].interval.high < 0.01
    steep = forecast(VOTES, [0.5, 0.6, 0.7, 0.78], 1e-6 * np.eye(4), [10_000], ceiling=0.8)
    assert steep.accuracy[0].interval.high <= 0.8 + 0.005
    assert steep.gain[0].value > 0


def test_votes_that_all_points_share_make_gains_no_less_sure():
    own, common = 1e-5 * np.eye(4), np.full((4, 4), 4e-4)
    alone = forecast(VOTES, _curve(0.8, 0.05, 0.5, VOTES), own + np.diag(np.diag(common)), [4000])
    shared = forecast(VOTES, _curve(0.8, 0.05, 0.5, VOTES), own + common, [4000])
    width = [f.gain[0].interval.high - f.gain[0].interval.low for f in (shared, alone)]
    assert width[0] < width[1]


def test_intervals_hold_what_comes_true():
    rng = np.random.default_rng(0)
    covariance = 3e-4 * np.ones((4, 4)) + 2e-5 * np.eye(4)
    held = []
    for _ in range(80):
        speed, fall = np.exp(rng.uniform(np.log(0.2), np.log(1.5))), rng.uniform(0, 0.1)
        seen = _curve(0.8, fall, speed, VOTES) + rng.multivariate_normal(np.zeros(4), covariance)
        found = forecast(VOTES, seen, covariance, [3000, 10_000], ceiling=0.9)
        for at, gain, level in zip(found.votes, found.gain, found.accuracy, strict=True):
            true = _curve(0.8, fall, speed, at)
            rise = true - _curve(0.8, fall, speed, VOTES[-1])
            held.append(
                (
                    gain.interval.low <= rise <= gain.interval.high,
                    level.interval.low <= true <= level.interval.high,
                )
            )
    shares = np.mean(held, axis=0)
    assert (shares >= 0.9).all(), shares


def test_what_makes_no_curve_is_refused():
    with pytest.raises(ValueError, match="make no curve"):
        forecast([100, 200], [0.6, 0.7], np.eye(2), [400])
    with pytest.raises(ValueError, match="make no curve"):
        forecast(VOTES, [0.6, 0.7, 0.7], np.eye(3), [400])


def test_a_covariance_of_clustered_means_agrees_with_the_bootstrap():
    rng = np.random.default_rng(1)
    clusters = rng.integers(60, size=600)
    common = rng.normal(size=60)[clusters]
    series = np.array([common + rng.normal(size=600), common + rng.normal(size=600)])
    found = clustered_covariance(series, clusters)
    resampled = clustered_bootstrap(series[0], clusters)
    half = (resampled.interval.high - resampled.interval.low) / 2
    assert 1.96 * np.sqrt(found[0, 0]) == pytest.approx(half, rel=0.1)
    assert 0.7 < found[0, 1] / np.sqrt(found[0, 0] * found[1, 1]) < 1
    with pytest.raises(ValueError, match="two clusters"):
        clustered_covariance(series, np.zeros(600, np.int64))
