"""Figures come from the judgments that count, by answer and not by side, with an interval or with why not."""

import os
from pathlib import Path

import pytest

from labeling import quality
from labeling.imports import import_records
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.training.cast import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign()


def test_without_judgments_every_figure_says_why(campaign):
    figures = quality.measure(campaign)
    for estimate in [figures.agreement, figures.alpha, figures.left]:
        assert estimate.value is None
        assert estimate.why
    assert (figures.policies, figures.reference) == ([], "")
    assert figures.policies_why == "no answers of two different policies have been compared yet"


def test_agreement_is_about_answers_whichever_side_they_stood_on(campaign):
    round_, raters = make_round(campaign), [make_user(), make_user()]
    for _ in range(4):
        task = add_task(round_, overlap=2)
        judge(task, raters[0], 2, order_shown=[0, 1])
        judge(task, raters[1], -2, order_shown=[1, 0])
    figures = quality.measure(campaign)
    assert (figures.agreement.value, figures.agreement.n) == (1.0, 4)
    assert figures.left.value == 0.5
    assert figures.alpha.why == "every rating is the same, so chance agreement is total"


def test_the_better_policy_takes_votes_from_the_base(campaign):
    round_ = make_round(campaign)
    for number in range(30):
        judge(add_task(round_), make_user(), -1 if number % 5 == 0 else 1)
    figures = quality.measure(campaign)
    assert figures.reference == "writer-0"
    (better,) = figures.policies
    assert better.policy == "writer-1"
    assert better.share.value == pytest.approx(0.8, abs=0.02)
    assert better.share.interval is not None
    assert better.share.interval.low > 0.5


def test_what_does_not_count_changes_no_figure(campaign):
    round_ = make_round(campaign)
    task, rater = add_task(round_), make_user()
    first = judge(task, rater, 3)
    before = quality.measure(campaign)
    judge(task, make_user(), -3, extra=True)
    assert quality.measure(campaign) == before
    judge(task, rater, 3, supersedes=first, withdrawn=True)
    assert quality.counted(campaign).count() == 0
    assert quality.measure(campaign).left.value is None


@pytest.mark.real_data
@pytest.mark.skipif("TOUCHSTONE_REAL_DATA" not in os.environ, reason="TOUCHSTONE_REAL_DATA is not set")
def test_real_judgments_agree_as_published():
    campaign = make_campaign(overlap=3)
    with (Path(os.environ["TOUCHSTONE_REAL_DATA"]) / "pandalm_testset.jsonl.gz").open("rb") as source:
        import_records(campaign, source, format="touchstone", by=None)
    figures = quality.measure(campaign)
    assert figures.alpha.value == pytest.approx(0.86, abs=0.01)
    assert figures.agreement.n == 999
    assert len(figures.policies) == 4
