"""Real people: consensus weighted by reliability foretells the next judgment better than a majority does."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.statistics.arguments import FILE, predict, read_arguments

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("TOUCHSTONE_REAL_DATA" not in os.environ, reason="TOUCHSTONE_REAL_DATA is not set"),
]


@pytest.fixture(scope="module")
def data():
    return read_arguments(Path(os.environ["TOUCHSTONE_REAL_DATA"]) / FILE)


def test_the_file_is_what_its_paper_says(data):
    assert data.votes.n_raters > 3000
    assert len(data.votes) > 66_000


@pytest.mark.parametrize("columns", [0, 1])
def test_weighted_consensus_foretells_held_out_judgments_better_than_the_majority(data, columns):
    """With a column for each argument and without any."""
    features = np.eye(data.n_answers) if columns else np.zeros((data.n_answers, 0))
    seen = predict(data, features, folds=5)
    for method, least in (("weighted votes", 0.0), ("labels", 0.03 if columns else 0.0)):
        interval = seen.gain(method).interval
        assert interval is not None
        assert interval.low > least
