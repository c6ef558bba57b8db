"""The table of the statistics' benchmark at a small size: the goals, and better than without a model."""

from __future__ import annotations

import pytest

from bench.statistics import raters

NAIVE = {
    "1 ability Spearman": ("majority agreement", "gold", "Dawid-Skene"),
    "2 spammers' precision": ("agreement < 60 %",),
    "2 spammers' recall": ("agreement < 60 %",),
    "3 three-vote labels": ("majority", "Dawid-Skene"),
}


@pytest.fixture(scope="module")
def table():
    return {figure.name: figure for figure in raters.figures(seeds=2, small=True)}


def test_the_goals_of_the_worlds_of_the_model_hold(table):
    held = {name for name, figure in table.items() if figure.holds}
    assert {
        "1 ability Spearman, easy: model, worst",
        "1 ability Spearman, hard: model, worst",
        "2 spammers' recall, easy: model, mean",
        "2 spammers' recall, hard: model, mean",
        "3 three-vote labels, easy: model, worst",
    } <= held


@pytest.mark.parametrize("world", ["easy", "hard", "probit", "curved", "crowds"])
def test_the_model_does_better_than_without_it_in_every_world(table, world):
    for row, methods in NAIVE.items():
        for method in methods:
            model, naive = (table[f"{row}, {world}: {of}, mean"].value for of in ("model", method))
            # agreement flags a third of the honest, and so a good part of the spammers
            assert model >= naive if "recall" in row else model > naive + 0.05, (row, method)


def test_a_refit_is_timed(table):
    assert 0 < table["11 refit of 10,000 votes"].value < 5
