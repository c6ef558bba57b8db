"""A pretrained trunk on real arguments: what it learns on some debates holds for others."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bench.reward import arguments, parity
from bench.reward.programs import lower_layers, write_run
from training.engine.__main__ import main

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif("TOUCHSTONE_REAL_DATA" not in os.environ, reason="TOUCHSTONE_REAL_DATA is not set"),
]


@pytest.fixture(scope="module")
def comparisons():
    return arguments.read()


def test_folds_keep_a_debate_whole(comparisons):
    fold = arguments.folds(comparisons, 5)
    assert set(fold) == set(range(5))
    places: dict[str, set[int]] = {}
    for each, k in zip(comparisons, fold.tolist(), strict=True):
        places.setdefault(each.debate, set()).add(k)
    assert all(len(found) == 1 for found in places.values())
    assert np.bincount(fold).max() < 1.4 * np.bincount(fold).min()


def test_a_frozen_trunk_tells_better_arguments_in_debates_it_never_saw(comparisons, tmp_path):
    fold = arguments.folds(comparisons, 5)
    rng = np.random.default_rng(0)
    train = [comparisons[i] for i in rng.permutation(np.flatnonzero(fold > 2))[:2000]]
    test = [comparisons[i] for i in rng.permutation(np.flatnonzero(fold == 0))[:600]]
    config = parity.config(1, "frozen") | {
        "trunk": lower_layers(parity.TRUNK, parity.LOWER, tmp_path / "lower")
    }
    rows = arguments.majority_rows(train, "train") + arguments.majority_rows(test, "test")
    run = write_run(tmp_path / "run", rows, config)

    assert main([str(run)]) == 0, (run / "error.txt").read_text()

    result = json.loads((run / "result.json").read_text())
    assert result["test"]["accuracy"] > 0.71
    assert result["test"]["accuracy"] > result["length_baseline"]["accuracy"] + 0.03
    again = parity.margins(Path(run / "model"), test)
    assert arguments.hits(test, again)[[bool(each.majority) for each in test]].mean() == pytest.approx(
        result["test"]["accuracy"], abs=1e-6
    )
