"""Figures come from the judgments that count, by answer and not by side, with an interval or with why not."""

import os
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest
from django.utils import timezone

from accounts.models import Skill
from labeling import measuring, quality
from labeling.imports import import_records
from labeling.models import QualityReport, Task
from labeling.tasks import measure_figures, tend_figures
from tests.cast import add_task, make_campaign, make_round, make_user
from tests.training.cast import judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign():
    return make_campaign()


def test_without_judgments_every_figure_says_why(campaign):
    found = measuring.measure(campaign)
    for estimate in [found.agreement, found.alpha, found.left]:
        assert estimate.value is None
        assert estimate.why
    assert (found.policies, found.reference) == ([], "")
    assert found.policies_why == "no answers of two different policies have been compared yet"


def test_agreement_is_about_answers_whichever_side_they_stood_on(campaign):
    round_, raters = make_round(campaign), [make_user(), make_user()]
    for _ in range(4):
        task = add_task(round_, overlap=2)
        judge(task, raters[0], 2, order_shown=[0, 1])
        judge(task, raters[1], -2, order_shown=[1, 0])
    found = measuring.measure(campaign)
    assert (found.agreement.value, found.agreement.n) == (1.0, 4)
    assert found.left.value == 0.5
    assert found.alpha.why == "every rating is the same, so chance agreement is total"


def test_the_better_policy_takes_votes_from_the_base(campaign):
    round_ = make_round(campaign)
    for number in range(30):
        judge(add_task(round_), make_user(), -1 if number % 5 == 0 else 1)
    found = measuring.measure(campaign)
    assert found.reference == "writer-0"
    (better,) = found.policies
    assert better.policy == "writer-1"
    assert better.share.value == pytest.approx(0.8, abs=0.02)
    assert better.share.interval is not None
    assert better.share.interval.low > 0.5


def test_what_does_not_count_changes_no_figure(campaign):
    round_ = make_round(campaign)
    task, rater = add_task(round_), make_user()
    first = judge(task, rater, 3)
    before = measuring.measure(campaign)
    judge(task, make_user(), -3, extra=True)
    assert measuring.measure(campaign) == before
    judge(task, rater, 3, supersedes=first, withdrawn=True)
    assert quality.counted(campaign).count() == 0
    assert measuring.measure(campaign).left.value is None


def test_agreement_is_told_apart_by_kind_skill_language_and_round(campaign):
    arabic = Skill.objects.create(name="arabic")
    readers, others = [make_user(), make_user()], [make_user(), make_user()]
    for reader in readers:
        reader.skills.add(arabic)
    for number, language in enumerate(["ar", "en"]):
        round_ = make_round(campaign)
        for _ in range(6):
            task = add_task(round_, overlap=4)
            task.prompt.language = language
            task.prompt.save()
            for rater in readers:
                judge(task, rater, 2)
            for rater, verdict in zip(others, [1, -1 if number else 1], strict=True):
                judge(task, rater, verdict)
    found = {(group.by, group.name): group for group in measuring.measure(campaign).groups}
    assert set(found) == {
        ("kind", "compare"), ("skill", "arabic"), ("language", "ar"), ("language", "en"),
        ("round", "1"), ("round", "2"),
    }  # fmt: skip
    assert (found["language", "ar"].pairs.value, found["language", "ar"].pairs.n) == (1.0, 6)
    assert found["round", "2"].pairs.value == 0.5
    assert found["skill", "arabic"].pairs.value == 1.0
    assert found["skill", "arabic"].pairs.n == 12
    assert found["kind", "compare"].ceiling.value == pytest.approx((1 + 0.5**0.5) / 2)


def test_rankings_agree_by_pairs_in_a_group_of_their_own(campaign):
    round_ = make_round(campaign)
    for _ in range(3):
        task = add_task(round_, ("one", "two", "three"), overlap=2)
        for order in ([[0], [1], [2]], [[0], [2], [1]]):
            judge(task, make_user(), None, ranking=order, order_shown=[0, 1, 2])
    found = measuring.measure(campaign)
    (group,) = [group for group in found.groups if group.by == "kind"]
    assert (group.name, group.pairs.n) == ("rank", 9)
    assert group.pairs.value == pytest.approx(2 / 3)
    assert found.agreement.value is None


def test_gold_tasks_repeats_and_pairs_picked_to_teach_say_nothing_of_policies(campaign):
    round_ = make_round(campaign)
    task = add_task(round_)
    for marks in ({"gold": True}, {"repeats": task}, {"selection": Task.Selection.ACTIVE}):
        other = add_task(round_)
        Task.objects.filter(pk=other.pk).update(**marks)
        judge(other, make_user(), 1)
    found = measuring.measure(campaign)
    assert "no answers of two different policies" in found.policies_why
    assert found.left.n == 1


def test_style_is_told_apart_and_a_duel_is_called_when_it_is_decided(campaign):
    round_ = make_round(campaign)
    for number in range(60):
        long, short = "many words " * 12, "few words"
        judge(add_task(round_, (short, long) if number % 2 else (long, short)), make_user(), 2)
    found = measuring.measure(campaign)
    (policy,) = found.policies
    assert {style.name for style in found.styles} == {"length", "lists", "headings", "code", "bold"}
    assert next(style for style in found.styles if style.name == "lists").effect.value is None
    (duel,) = found.duels
    assert (duel.first, duel.second, duel.outcome) == ("writer-1", "writer-0", "first")
    assert duel.evidence >= 20
    assert duel.votes < 60
    assert duel.share.interval.low > 0.5
    assert policy.model == round_.tasks.first().responses.get(policy__name="writer-1").policy_id
    assert policy.fair.interval.low < 0.5


def test_two_raters_have_cohens_kappa_and_three_do_not(campaign):
    round_, raters = make_round(campaign), [make_user(), make_user()]
    for number in range(4):
        task = add_task(round_, overlap=3)
        for rater in raters:
            judge(task, rater, 1 if number % 2 else -1)
    found = measuring.measure(campaign)
    assert (found.cohen.value, found.cohen.n, found.fleiss.value) == (1.0, 4, 1.0)
    judge(task, make_user(), 0)
    assert "exactly two raters" in measuring.measure(campaign).cohen.why


def test_figures_are_stored_and_read_back_as_they_were(campaign):
    round_, raters = make_round(campaign), [make_user(), make_user()]
    for number in range(30):
        task = add_task(round_, overlap=2)
        for rater in raters:
            judge(task, rater, 1 if number % 3 else -1)
    before = quality.latest(campaign)
    assert before.computed_at is None
    assert "within a minute" in before.figures.alpha.why
    assert quality.refresh(campaign)
    report = quality.latest(campaign)
    assert report.figures == measuring.measure(campaign)
    assert (report.judgments, report.fresh) == (60, 0)


def test_figures_that_another_version_stored_are_computed_anew(campaign):
    judge(add_task(make_round(campaign)), make_user(), 1)
    quality.refresh(campaign)
    QualityReport.objects.update(figures={"agreement": 0.7})
    assert quality.latest(campaign).computed_at is None
    assert campaign.pk in quality.tend()
    quality.refresh(campaign)
    assert quality.latest(campaign).figures.left.n == 1


def test_pages_read_figures_with_one_query(campaign, django_assert_num_queries):
    judge(add_task(make_round(campaign)), make_user(), 1)
    quality.refresh(campaign)
    with django_assert_num_queries(1):
        quality.latest(campaign)


def test_figures_are_due_after_enough_judgments_or_when_they_are_old(campaign):
    round_ = make_round(campaign)
    assert campaign.pk not in quality.tend()
    judge(add_task(round_), make_user(), 1)
    assert campaign.pk in quality.tend()
    quality.refresh(campaign)
    assert campaign.pk not in quality.tend()
    judge(add_task(round_), make_user(), 1)
    assert campaign.pk not in quality.tend()
    assert quality.latest(campaign).fresh == 1
    QualityReport.objects.update(computed_at=timezone.now() - timedelta(hours=1))
    assert campaign.pk in quality.tend()
    QualityReport.objects.update(computed_at=timezone.now())
    for _ in range(19):
        judge(add_task(round_), make_user(), 1)
    assert campaign.pk in quality.tend()
    assert quality.latest(campaign).fresh == 20


def test_very_many_judgments_are_not_counted_for_each_page(campaign, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(quality, "MANY", 2)
    round_ = make_round(campaign)
    judge(add_task(round_), make_user(), 1)
    quality.refresh(campaign)
    judge(add_task(round_), make_user(), 1)
    other = make_campaign()
    assert quality.count(campaign, quality.latest(campaign)) == 2
    assert quality.counts([campaign, other]) == {campaign.pk: 2, other.pk: 0}
    quality.refresh(campaign)
    report = quality.latest(campaign)
    judge(add_task(round_), make_user(), 1)
    with django_assert_num_queries(0):
        assert quality.count(campaign, report) == 2
    assert quality.counts([campaign]) == {campaign.pk: 2}
    quality.tend()
    assert quality.count(campaign, quality.latest(campaign)) == 3
    with django_assert_num_queries(2):
        assert quality.counts([campaign, other]) == {campaign.pk: 3, other.pk: 0}


def test_two_workers_do_not_compute_the_same_at_once(campaign, monkeypatch):
    judge(add_task(make_round(campaign)), make_user(), 1)
    elsewhere = []

    def measure(campaign, compute=measuring.measure):
        elsewhere.append(quality.refresh(campaign))
        return compute(campaign)

    monkeypatch.setattr(measuring, "measure", measure)
    assert quality.refresh(campaign)
    assert elsewhere == [False]
    assert quality.latest(campaign).judgments == 1


@pytest.mark.django_db(transaction=True)
def test_workers_compute_what_is_due(campaign, celery_workers):
    for _ in range(3):
        judge(add_task(campaign.rounds.first() or make_round(campaign)), make_user(), 1)
    tend_figures.delay()
    deadline = timezone.now() + timedelta(seconds=60)
    while quality.latest(campaign).computed_at is None and timezone.now() < deadline:
        sleep(0.2)
    assert quality.latest(campaign).judgments == 3
    measure_figures(campaign.pk)
    assert quality.latest(campaign).figures.left.n == 3


@pytest.mark.real_data
@pytest.mark.skipif("TOUCHSTONE_REAL_DATA" not in os.environ, reason="TOUCHSTONE_REAL_DATA is not set")
def test_real_judgments_agree_as_published():
    campaign = make_campaign(overlap=3)
    with (Path(os.environ["TOUCHSTONE_REAL_DATA"]) / "pandalm_testset.jsonl.gz").open("rb") as source:
        import_records(campaign, source, format="touchstone", by=None)
    found = measuring.measure(campaign)
    assert found.alpha.value == pytest.approx(0.86, abs=0.01)
    assert found.agreement.n == 999
    assert len(found.policies) == 4
