"""What the report says of reward models whose worth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.engine.conftest import World, prepare
from training.engine import held_out, report
from training.engine.__main__ import main
from training.engine.data import Pair
from training.engine.held_out import HeldOut

HELLO = [{"role": "user", "content": "Hello?"}]


def pair(number: int = 0, **fields: Any) -> Pair:
    told: dict[str, Any] = {
        "prompt_id": f"p{number}", "messages": HELLO, "chosen": f"yes {number}", "rejected": f"no {number}",
        "probability": 1.0, "weight": 1.0, "rater": "ann", "round": 1, "split": "test",
        "before_chosen": HELLO, "before_rejected": HELLO, **fields,
    }  # fmt: skip
    return Pair(**told)


def scored(pairs: list[Pair], margins: Any) -> HeldOut:
    margins = np.asarray(margins, dtype=np.float64)
    return HeldOut(pairs, np.column_stack([margins, np.zeros(len(margins))]))


def test_accuracy_is_told_by_strength_round_skill_and_who_was_held_out() -> None:
    pairs = [
        pair(0, verdict=1, round=1, skills=("arabic",)),
        pair(1, verdict=3, round=2),
        pair(2, verdict=3, round=2, rater_held_out=True),
        pair(3, probability=0.5, round=3),
        pair(4, probability=0.6, round=2, skills=("arabic", "code")),
    ]
    found = held_out.by_group(scored(pairs, [-1, 1, 1, 5, 1]))
    told = {
        name: [(row["group"], row["value"], row["n"]) for row in found[name]]
        for name in ("by_strength", "by_round", "by_skill")
    }
    assert told == {
        "by_strength": [(1, 0.5, 2), (3, 1.0, 2)],
        "by_round": [(1, 0.0, 1), (2, 1.0, 3)],
        "by_skill": [("arabic", 0.5, 2), ("code", 1.0, 1)],
    }
    assert (found["known_raters"]["n"], found["held_out_raters"]["value"]) == (3, 1.0)
    newest = held_out.newest_round(scored(pairs, [-1, 1, 1, 5, 1]), pairs)
    assert (newest["round"], newest["value"], newest["n"]) == (3, None, 0)
    assert newest["why"]


def crowd(agree: float, prompts: int = 300) -> list[Pair]:
    """Make five raters' votes on each pair, of whom a share says what most of them say."""
    rng = np.random.default_rng(0)
    return [
        pair(n, rater=f"r{r}", probability=float(rng.random() < agree))
        for n in range(prompts)
        for r in range(5)
    ]


def test_the_ceiling_follows_from_agreement_and_beyond_it_is_leakage() -> None:
    votes = crowd(0.8)
    honest = held_out.reach(scored(votes, np.ones(len(votes))), votes)
    assert honest["agreement"]["value"] == pytest.approx(0.8**2 + 0.2**2, abs=0.02)
    assert honest["ceiling"]["value"] == pytest.approx(0.8, abs=0.02)
    assert honest["of_ceiling"]["value"] == pytest.approx(1, abs=0.02)
    assert not honest["leak"]
    seen = held_out.reach(scored(votes, [p.probability - 0.5 for p in votes]), votes)
    assert seen["of_ceiling"]["interval"][0] > 1
    assert seen["leak"]
    swapped = [
        pair(n, chosen=p.rejected, rejected=p.chosen, probability=1 - p.probability, rater=p.rater)
        for n, p in ((int(p.prompt_id[1:]), p) for p in votes[::2])
    ]
    both = held_out.reach(scored(votes, np.ones(len(votes))), [*swapped, *votes[1::2]])
    assert both["agreement"]["value"] == honest["agreement"]["value"]


def test_a_temperature_of_validation_mends_what_test_votes_are_told() -> None:
    rng = np.random.default_rng(0)

    def part(n: int, boast: float) -> HeldOut:
        margin = rng.normal(0, 1.5, n)
        says = (rng.random(n) < 1 / (1 + np.exp(-margin))).astype(float)
        return scored([pair(i, probability=p) for i, p in enumerate(says)], boast * margin)

    found = report.calibration(part(2000, 4), part(4000, 4))
    assert found["temperature"] == pytest.approx(4, rel=0.15)
    assert found["before"]["value"] > 0.1 > 0.03 > found["after"]["value"]
    assert found["before"]["interval"][0] > found["after"]["interval"][1]
    assert 0 < found["by_chance"] < 0.03
    assert sum(row["n"] for row in found["after"]["bins"]) == 4000
    few = report.calibration(part(10, 4), part(10, 4))
    assert (few["temperature"], few["before"]["value"]) == (1.0, None)
    assert few["why"]
    assert few["after"]["why"]


def test_a_taste_for_length_shows_at_equal_verdicts() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        pair(n, chosen="word " * rng.integers(1, 40), rejected="word " * rng.integers(1, 40), verdict=2)
        for n in range(300)
    ]
    more = held_out.word_difference(pairs)
    blind, fond = rng.normal(1, 1, 300), more / 10 + rng.normal(1, 0.1, 300)
    train = [pair(0, chosen="longer one", rejected="short")]
    low = held_out.length(train, scored(pairs, blind))
    high = held_out.length(train, scored(pairs, fond))
    assert (low["rule"], low["matched_by"]) == ("longer", "verdicts")
    assert low["matched"]["interval"][0] < 0 < low["matched"]["interval"][1]
    assert high["matched"]["interval"][0] > 0.9
    assert high["shorter_wins"]["value"] < 0.4 < low["shorter_wins"]["value"]
    assert high["shorter_wins"]["n"] == (more < 0).sum()
    assert low["gain"]["interval"][0] > 0
    assert 0 < high["equal_length"]["n"] < 150
    assert [row["value"] for row in high["bins"]][::4] == [0.0, 1.0]
    assert sum(row["n"] for row in high["bins"]) == 300
    ties = [pair(n, chosen=p.chosen, rejected=p.rejected, probability=0.5) for n, p in enumerate(pairs)]
    of_ties = held_out.length(train, scored(ties, fond))
    assert of_ties["matched_by"] == "ties"
    assert of_ties["matched"]["value"] > 0.9
    assert of_ties["baseline"]["value"] is None


def test_a_run_reports_all_of_it(policy: Path, tmp_path: Path) -> None:
    pairs = [
        row | {"rater": f"r{n // 8 % 30}", "skills": '["code"]'} for n, row in enumerate(World().pairs(480))
    ]
    folder = prepare(tmp_path / "run", {"kind": "reward", "trunk": str(policy)}, pairs=pairs)
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    result = json.loads((folder / "result.json").read_text())
    found = result["report"]
    assert found["held_out_raters"]["n"] + found["known_raters"]["n"] == result["test"]["n"]
    assert found["held_out_raters"]["n"] > 0
    assert found["invariance"]["n"] == 64
    assert found["invariance"]["greatest"] < 1e-4
    points = found["learning_curve"]["points"]
    assert [point["share"] for point in points] == [0.125, 0.25, 0.5, 1.0]
    assert points[-1]["value"] > points[0]["value"]
    spread = np.array(found["learning_curve"]["covariance"])
    width = points[-1]["interval"][1] - points[-1]["interval"][0]
    assert 2 * 1.96 * np.sqrt(spread[-1, -1]) == pytest.approx(width, rel=0.2)
    assert [row["group"] for row in found["by_skill"]] == ["code"]
    assert found["newest_round"]["round"] == 1
    assert found["agreement"]["why"] == "no item has two ratings yet"
