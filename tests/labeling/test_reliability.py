"""How far to trust each rater: fitted from the rows, stored with its interval, said in words."""

import time

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from labeling import golds, reliability, scores, trust, vote_table
from labeling.models import Campaign, Judgment, QualityReport, Reliability, Score, TaskResponse
from models_app.models import ModelVersion
from tests.cast import POLICY, make_campaign, make_user
from tests.labeling.crowd import make_crowd, vote

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    honest = [make_user(username=f"honest{n}") for n in range(8)]
    return [*honest, make_user(username="left1"), make_user(username="random1")]


@pytest.fixture
def campaign(raters):
    return make_campaign(raters=tuple(raters))


@pytest.fixture
def crowd(campaign, raters):
    return make_crowd(campaign, raters, tasks=80, votes=60)


def make_scores(campaign, crowd, noise=0.3):
    """Store what a reward model would read of the answers, in eight features."""
    model = ModelVersion.objects.create(
        family=campaign.model_family, kind="reward", name="judge", backend="transformers", location="x",
        status="champion",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    for task in crowd:
        for place in TaskResponse.objects.filter(task=task):
            half = task.margin / 2 if place.position == 0 else -task.margin / 2
            read = rng.normal(0, noise, 8) + half
            Score.objects.create(
                response=place.response, model=model, value=half, features=read.astype(np.float16).tobytes()
            )
    return model


def test_the_table_holds_what_counts_and_no_repeats(campaign, raters):
    first, second, third = make_crowd(campaign, [], tasks=3, votes=0)
    vote(raters[0], first, -3, [0, 1])
    vote(raters[1], first, 2, [1, 0])
    old = vote(raters[0], second, 1)
    Judgment.objects.create(
        task=second, rater=raters[0], idempotency_key="0" * 32, verdict=1, order_shown=[0, 1], withdrawn=True,
        supersedes=old,
    )  # fmt: skip
    third.repeats = first
    third.save()
    vote(raters[0], third, 1)
    table = vote_table.read(campaign)
    places = dict(first.task_responses.values_list("position", "response"))
    assert table.raters.tolist() == [raters[0].pk, raters[1].pk]
    assert table.answers[table.votes.left].tolist() == [places[0], places[1]]
    assert table.answers[table.votes.right].tolist() == [places[1], places[0]]
    assert table.votes.grades.tolist() == [3, 1]  # of −3, −2, 2, 3, the best for the left is 3
    assert table.votes.points == 4
    texts = dict(first.task_responses.values_list("response", "response__text"))
    assert [len(texts[pk].split()) for pk in table.answers] == table.words.tolist()


@pytest.mark.parametrize("with_features", [False, True])
def test_who_clicks_or_draws_weighs_less_and_the_sentence_says_why(campaign, raters, crowd, with_features):
    if with_features:
        make_scores(campaign, crowd)
    assert reliability.refresh(campaign) == 10
    told = trust.of_raters(campaign, raters)
    weights = [told[rater.pk].weight for rater in raters]
    assert min(weights[:8]) > 0.6
    assert max(weights[8:]) < 0.35
    left = told[raters[8].pk]
    assert left.left.value > 0.9
    assert left.left.interval.low > 0.8
    assert "pick the left one" in left.why
    assert "one-sided" in [flag.flag for flag in left.flags]
    for rater in raters:
        found = told[rater.pk]
        assert found.ability.interval.low < found.ability.value < found.ability.interval.high
        assert found.ability.n == 60
        assert f"Weighted {trust.number(found.weight)} because" in found.why
        assert "n = 60" in found.why


def test_a_second_fit_takes_the_place_of_the_first(campaign, raters, crowd):
    reliability.refresh(campaign)
    gone = Reliability.objects.get(campaign=campaign, rater=raters[0])
    for row in Judgment.objects.filter(rater=raters[0]):
        Judgment.objects.create(
            task=row.task, rater=row.rater, idempotency_key=f"{row.pk:032x}", verdict=row.verdict,
            order_shown=row.order_shown, withdrawn=True, supersedes=row,
        )  # fmt: skip
    assert reliability.refresh(campaign) == 9
    assert not Reliability.objects.filter(pk=gone.pk).exists()
    assert set(trust.weights(campaign)) == {rater.pk for rater in raters[1:]}


def test_too_few_votes_weigh_as_usual_and_say_so(campaign, raters):
    make_crowd(campaign, raters[:2], tasks=5, votes=5)
    reliability.refresh(campaign)
    found = trust.of_raters(campaign, raters)
    assert {f.weight for f in found.values()} == {1.0}
    assert "too little" in found[raters[0].pk].why
    assert found[raters[0].pk].ability.value is None
    assert found[raters[0].pk].gold.why
    assert reliability.refresh(make_campaign()) == 0


def test_a_campaign_may_count_all_votes_alike(campaign, raters, crowd):
    reliability.refresh(campaign)
    Campaign.objects.filter(pk=campaign.pk).update(weigh_votes=False)
    campaign.refresh_from_db()
    assert trust.weights(campaign) == {}
    found = trust.of_raters(campaign, [raters[8]])[raters[8].pk]
    assert found.weight == 1.0
    assert found.why == "All votes weigh the same in this campaign."


def test_gold_and_repeats_are_scored_beside_the_fit(campaign, raters, crowd):
    fresh = make_crowd(campaign, [], tasks=1, votes=0)[0]
    golds.make(fresh, None, -2)
    vote(raters[0], fresh, -1, [0, 1])
    vote(raters[1], fresh, -1, [1, 0])
    reliability.refresh(campaign)
    found = trust.of_raters(campaign, raters[:2])
    assert (found[raters[0].pk].gold.value, found[raters[0].pk].gold.n) == (1.0, 1)
    assert (found[raters[1].pk].gold.value, found[raters[1].pk].gold.n) == (0.0, 1)


def test_a_fit_is_due_after_every_so_many_judgments(campaign, raters):
    tasks = make_crowd(campaign, [], tasks=4, votes=0)
    other = make_crowd(make_campaign(raters=tuple(raters)), [], tasks=1, votes=0)[0]
    vote(raters[0], other, 1)
    for task in tasks[:2]:
        vote(raters[0], task, 1)
    assert not trust.due(campaign, 3)
    assert not trust.due(campaign, 3)  # what was counted isn't counted again
    vote(raters[0], tasks[2], 1)
    assert trust.due(campaign, 3)
    reliability.refresh(campaign)
    assert not trust.due(campaign, 3)
    assert QualityReport.objects.get(campaign=campaign).fit_fresh == 0


def test_the_work_of_a_page_of_raters_does_not_grow(campaign, raters, crowd, django_assert_num_queries):
    reliability.refresh(campaign)
    with django_assert_num_queries(1):
        trust.of_raters(campaign, raters)


def test_answers_are_scored_once_by_the_champion(campaign, raters, tmp_path):
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_pretrained(POLICY, num_labels=1).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(POLICY).save_pretrained(tmp_path)
    make_crowd(campaign, raters[:2], tasks=3, votes=2)
    assert scores.fill(campaign) == 0  # there is no reward model yet
    model = ModelVersion.objects.create(
        family=campaign.model_family, kind="reward", name="judge", backend="transformers",
        location=str(tmp_path), status="champion",
    )  # fmt: skip
    judged = TaskResponse.objects.filter(task__judgments__isnull=False).values("response").distinct().count()
    assert scores.fill(campaign) == judged
    assert scores.fill(campaign) == 0
    table = vote_table.read(campaign)
    found, there = scores.features(campaign, table.answers)
    assert there.tolist() == list(range(judged))
    assert np.isfinite(found).all()
    stored = Score.objects.filter(model=model).first()
    weight = AutoModelForSequenceClassification.from_pretrained(tmp_path).score.weight.detach().float()[0]
    read = np.frombuffer(bytes(stored.features), np.float16)
    assert read @ weight.numpy() == pytest.approx(stored.value, abs=0.05)


@pytest.mark.django_db(transaction=True)
def test_workers_fit_what_has_come_in(celery_workers, settings):
    from labeling.tasks import tend_checks

    settings.RELIABILITY_EVERY = 30
    raters = [make_user(username=name) for name in ("honest1", "honest2", "honest3", "left1")]
    campaign = make_campaign(raters=tuple(raters), gold_share=0.1, repeat_share=0.1)
    make_crowd(campaign, raters, tasks=40, votes=30)
    tend_checks()
    until = time.monotonic() + 90
    while not (found := trust.weights(campaign)) and time.monotonic() < until:
        time.sleep(0.5)
    assert set(found) == {rater.pk for rater in raters}
    assert found[raters[3].pk] < min(found[rater.pk] for rater in raters[:3])
