"""A linear reward on frozen features: how strongly it is held back depends on what the features tell."""

import numpy as np
import pytest

from preferences.selection import posterior
from training.frozen import RIDGES, Space, fit_gaps


def chosen_ridge(gaps, says):
    """Return under which ridge the fit was made."""
    found = fit_gaps(gaps, says, np.ones(len(gaps)))
    same = [r for r in RIDGES if np.allclose(posterior(gaps, says, ridge=r).weights, found.weights)]
    assert len(same) == 1
    return same[0]


@pytest.mark.parametrize("seed", range(3))
def test_features_that_tell_much_are_held_back_less_than_noise(seed):
    rng = np.random.default_rng(seed)
    gaps = rng.normal(size=(400, 20))
    clear = (rng.random(400) < 1 / (1 + np.exp(-gaps @ rng.normal(0, 1.2, 20)))).astype(float)
    noise = rng.integers(0, 2, 400).astype(float)
    assert chosen_ridge(gaps, clear) <= 3
    assert chosen_ridge(gaps, noise) == max(RIDGES)


def test_a_space_knows_whose_features_it_has():
    space = Space(np.array([2, 5, 9]), np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]))
    assert space.knows(np.array([2, 3]), np.array([9, 9])).tolist() == [True, False]
    assert space.gaps(np.array([9, 2]), np.array([5, 9])).tolist() == [[3.0, 1.0], [-2.0, -3.0]]
