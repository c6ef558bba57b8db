import gzip
import json
import os
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from preferences.agreement import (
    agreement_by_group,
    ceiling,
    cohen_kappa,
    count_codes,
    fleiss_kappa,
    krippendorff_alpha,
    of_ceiling,
    pairwise_agreement,
)
from preferences.types import Estimate, Interval


def count_ratings(ratings: Iterable[tuple[Hashable, int]], categories: Sequence[int]) -> np.ndarray:
    items, given = zip(*ratings, strict=True)
    numbers = {item: number for number, item in enumerate(dict.fromkeys(items))}
    places = [list(categories).index(rating) for rating in given]
    return count_codes(np.array([numbers[item] for item in items]), np.array(places), len(categories))


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
    """Example A of the same paper: two observers, ten units, two categories, α = .095."""
    first = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    second = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = count_ratings([*enumerate(first), *enumerate(second)], [0, 1])
    assert krippendorff_alpha(counts).value == pytest.approx(0.095, abs=5e-4)


def test_alpha_of_two_observers_and_five_categories_as_published():
    """Example B of the same paper: five nominal categories, twelve units, α = .692."""
    first = ["a", "a", "b", "b", "d", "c", "c", "c", "e", "d", "d", "a"]
    second = ["b", "a", "b", "b", "b", "c", "c", "c", "e", "d", "d", "d"]
    numbers = {letter: k for k, letter in enumerate("abcde")}
    pairs = [(k, numbers[letter]) for row in (first, second) for k, letter in enumerate(row)]
    assert krippendorff_alpha(count_ratings(pairs, range(5))).value == pytest.approx(0.692, abs=5e-4)


# Fleiss (1971), table 1: thirty patients, five diagnoses, six psychiatrists
DIAGNOSES = [
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
    [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
    [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
]  # fmt: skip


def test_kappas_as_published():
    fleiss = fleiss_kappa(DIAGNOSES)
    assert fleiss.value == pytest.approx(0.430, abs=5e-4)
    assert fleiss.n == 30
    assert fleiss.interval.low < 0.43 < fleiss.interval.high
    # Cohen's κ of 2 × 2 tables with 20, 5, 10, 15 cases: agreement .7, by chance .5
    first = np.repeat([1, 0], 25)
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    cohen = cohen_kappa(first, second, 2)
    assert cohen.value == pytest.approx(0.4)
    # the published standard error of κ is .1275 (Fleiss, Cohen & Everitt 1969)
    assert cohen.interval == pytest.approx((0.4 - 1.96 * 0.1275, 0.4 + 1.96 * 0.1275), abs=0.04)


def test_kappas_that_are_undefined_say_why():
    assert "same" in fleiss_kappa([[2, 0], [2, 0]]).why
    assert "two ratings" in fleiss_kappa([[1, 0]]).why
    assert "same" in cohen_kappa(np.array([1, 1]), np.array([1, 1]), 2).why
    assert "two ratings" in cohen_kappa(np.array([], int), np.array([], int), 2).why
    with pytest.raises(ValueError, match="held against"):
        cohen_kappa(np.array([1, 1]), np.array([1]), 2)


def test_the_part_of_the_ceiling_that_is_reached():
    accuracy, bound = Estimate(0.7, Interval(0.6, 0.8), 50), Estimate(0.8, Interval(0.75, 0.9), 90)
    assert of_ceiling(accuracy, bound) == Estimate(0.7 / 0.8, Interval(0.6 / 0.9, 0.8 / 0.75), 50)
    missing = Estimate(None, None, 0, "there is none")
    assert of_ceiling(missing, bound) == missing
    assert of_ceiling(accuracy, missing) == missing
    assert of_ceiling(Estimate(0.7, None, 5, "too few"), bound).interval is None


def test_groups_are_measured_apart():
    items = [1, 1, 2, 2, 1, 1, 3, 3]
    ratings = [0, 0, 2, 2, 0, 1, 2, 0]
    groups = ["en", "en", "en", "en", "ar", "ar", "ar", "ar"]
    found = agreement_by_group(items, ratings, groups, 3, tie=1)
    assert list(found) == ["en", "ar"]
    assert found["en"].alpha.value == 1.0
    assert found["en"].pairs == Estimate(1.0, Interval(1.0, 1.0), 2)
    assert found["en"].ceiling == Estimate(1.0, Interval(1.0, 1.0), 2)
    assert found["ar"].pairs.value == 0.0
    assert "coins" in found["ar"].ceiling.why
    assert found["ar"].ceiling.n == 1
    alone = krippendorff_alpha(count_codes(np.array([1, 1, 3, 3]), np.array([0, 1, 2, 0]), 3))
    assert found["ar"].alpha == alone
    assert agreement_by_group([], [], [], 3) == {}
    with pytest.raises(ValueError, match="from 0 to 2"):
        agreement_by_group([1], [3], ["en"], 3)
    with pytest.raises(ValueError, match="its group"):
        agreement_by_group([1], [0], [], 3)


def test_items_that_belong_together_widen_the_interval():
    """A hundred clusters of ten items alike carry no more than a hundred items."""
    counts = np.repeat(np.random.default_rng(0).multinomial(3, [0.6, 0.1, 0.3], size=100), 10, axis=0)
    clusters = np.arange(1000) // 10
    for measure in (krippendorff_alpha, pairwise_agreement):
        apart, together, fewer = measure(counts), measure(counts, clusters=clusters), measure(counts[::10])
        assert together.value == apart.value
        width = together.interval.high - together.interval.low
        assert width > 2 * (apart.interval.high - apart.interval.low)
        assert width == pytest.approx(fewer.interval.high - fewer.interval.low, rel=0.15)
    with pytest.raises(ValueError, match="as many clusters"):
        krippendorff_alpha(counts, clusters=clusters[:3])


@pytest.mark.parametrize(("agreement", "bound"), [(0.63, 0.755), (0.726, 0.836), (0.77, 0.867), (0.5, 0.5)])
def test_the_ceiling_that_agreement_puts_on_accuracy(agreement, bound):
    found = ceiling(Estimate(agreement, Interval(0.45, 0.8), 100))
    assert found.value == pytest.approx(bound, abs=1e-3)
    assert found.interval == pytest.approx((0.5, 0.8873), abs=1e-4)
    assert found.n == 100


def test_no_ceiling_follows_from_less_than_chance():
    assert "coins" in ceiling(Estimate(0.49, None, 9)).why
    missing = Estimate(None, None, 0, "no item has two ratings yet")
    assert ceiling(missing) == missing


def test_no_judge_beats_the_ceiling():
    """Items of every difficulty, two verdicts each: whoever knows what most prefer stays below it."""
    rng = np.random.default_rng(1)
    share = rng.beta(2, 1, 40_000)
    verdicts = rng.random((2, 40_000)) < share
    counts = np.stack([verdicts.sum(axis=0), 2 - verdicts.sum(axis=0)], axis=1)
    bound = ceiling(pairwise_agreement(counts))
    assert ((share > 0.5) == verdicts[0]).mean() < bound.interval.high


def test_intervals_of_a_million_items_take_seconds():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(3, [0.5, 0.2, 0.3], size=1_000_000)
    began = process_time()
    alpha = krippendorff_alpha(counts)
    assert process_time() - began < 6
    assert alpha.interval.low < 0 < alpha.interval.high
    assert alpha.interval.high - alpha.interval.low < 0.01


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
    for outside in (-1, 2):
        with pytest.raises(ValueError, match="from 0 to 1"):
            count_codes(np.array([0, 0]), np.array([0, outside]), 2)


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
