import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from preferences.agreement import count_ratings, krippendorff_alpha, pairwise_agreement

# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, example C: four observers, twelve units
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
PUBLISHED = count_ratings(
    [(u, v) for row in OBSERVERS for u, v in enumerate(row) if v is not None], [1, 2, 3, 4, 5]
)


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("interval", 0.849)])
def test_alpha_of_the_published_example(scale, alpha):
    estimate = krippendorff_alpha(PUBLISHED, scale)
    assert estimate.value == pytest.approx(alpha, abs=5e-4)
    assert estimate.n == 11
    assert estimate.interval is not None
    assert estimate.interval.low < alpha < estimate.interval.high


def test_alpha_of_two_observers_as_published():
    """Example B of the same paper: two observers, ten units, two categories, α = .095."""
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = count_ratings([*enumerate(first), *enumerate(second)], [0, 1])
    assert krippendorff_alpha(counts).value == pytest.approx(0.095, abs=5e-4)


def test_alpha_is_zero_for_coin_flips_and_one_for_unanimity():
    rng = np.random.default_rng(0)
    flips = krippendorff_alpha(rng.multinomial(3, [1 / 3] * 3, size=3000))
    assert flips.value == pytest.approx(0, abs=0.03)
    assert krippendorff_alpha([[3, 0], [0, 3], [3, 0]]).value == 1.0


def test_pairwise_agreement_counts_pairs():
    estimate = pairwise_agreement([[3, 0, 0], [2, 1, 0], [1, 1, 1]])
    assert estimate.value == pytest.approx((3 + 1 + 0) / 9)


def test_undefined_figures_say_why():
    assert "two ratings" in krippendorff_alpha([[1, 0], [0, 1]]).why
    assert "two ratings" in pairwise_agreement(np.zeros((0, 3))).why
    assert "same" in krippendorff_alpha([[2, 0], [3, 0]]).why
    assert "two items" in pairwise_agreement([[2, 1]]).why
    single = krippendorff_alpha([[2, 1]])
    assert single.interval is None or single.value is not None


def test_bad_counts_are_refused():
    with pytest.raises(ValueError, match="matrix"):
        krippendorff_alpha([[-1, 2]])
    with pytest.raises(ValueError, match="as many values"):
        krippendorff_alpha([[1, 1]], "interval", values=[0.0])
    with pytest.raises(ValueError, match="rating 9"):
        count_ratings([("item", 9)], [0, 1])


def _real_counts(name: str) -> np.ndarray:
    folder = os.environ.get("TOUCHSTONE_REAL_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip("TOUCHSTONE_REAL_DATA is not set")
    ratings = []
    with gzip.open(Path(folder) / name, "rt", encoding="utf-8") as lines:
        for item, line in enumerate(lines):
            for annotation in json.loads(line)["annotations"]:
                ratings.append((item, 2 if annotation["choice"] == "tie" else annotation["choice"]))
    return count_ratings(ratings, [0, 1, 2])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "alpha"), [("pandalm_testset.jsonl.gz", 0.86), ("tulu_human_eval.jsonl.gz", 0.33)]
)
def test_alpha_of_real_raters(name, alpha):
    assert krippendorff_alpha(_real_counts(name)).value == pytest.approx(alpha, abs=0.01)
