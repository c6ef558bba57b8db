"""Repeats: a rater meets a comparison of their own again, later, unannounced, and never as a fresh vote."""

from uuid import uuid4

import pytest

from labeling import assignment, campaigns, judgments, progress, quality, repeats, rounds
from labeling.models import Campaign, Round, Slot, Task
from tests.cast import make_campaign, make_open_round, make_user
from training import loop, snapshots

pytestmark = pytest.mark.django_db


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def rosa():
    return make_user(username="rosa")


@pytest.fixture
def campaign(rafi, rosa, monkeypatch):
    monkeypatch.setattr(repeats, "LATER", 3)
    return make_campaign(raters=(rafi, rosa), repeat_share=0.25)


def judge(rater, campaign, side=0):
    slot = assignment.claim(rater, campaign)
    verdict = -1 if slot.order_shown[0] == side else 1
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)


def test_a_rater_meets_an_earlier_comparison_again_and_nobody_else_does(rafi, rosa, campaign):
    make_open_round(campaign, comparisons=12)
    said = [judge(rafi, campaign).task_id for _ in range(3)]
    assert repeats.tend(campaign) == 0  # too few lie in between
    said += [judge(rafi, campaign).task_id for _ in range(2)]
    assert repeats.tend(campaign) == 1
    assert repeats.tend(campaign) == 0  # one waits
    assert judge(rosa, campaign).task.repeats_id is None
    again = judge(rafi, campaign, side=0)
    assert again.task.repeats_id in said[:2]
    answers = [
        list(t.task_responses.values_list("position", "response")) for t in (again.task, again.task.repeats)
    ]
    assert answers[0] == answers[1]
    assert repeats.consistency(campaign) == {rafi.pk: (1, 1)}
    assert repeats.tend(campaign) == 0  # the next one comes after three more


def test_repeats_come_as_often_as_the_share_says(rafi, campaign):
    make_open_round(campaign, comparisons=60)
    said = []
    for _ in range(44):
        said.append(judge(rafi, campaign, side=len(said) % 2))
        repeats.tend(campaign)
    asked = [j for j in said if j.task.repeats_id is not None]
    assert len(asked) == 10
    assert len({j.task.repeats_id for j in asked}) == 10  # never the same one a third time
    places = {j.task_id: n for n, j in enumerate(said)}
    between = [[s for s in said[places[j.task.repeats_id] + 1 : n] if s.task.repeats_id is None]
               for n, j in enumerate(said) if j.task.repeats_id]  # fmt: skip
    assert min(map(len, between)) >= 3


def test_a_repeat_is_no_fresh_vote(rafi, campaign):
    Campaign.objects.filter(pk=campaign.pk).update(overlap_cap=4)
    round_ = make_open_round(campaign, comparisons=8)
    for _ in range(5):
        judge(rafi, campaign)
    repeats.tend(campaign)
    again = judge(rafi, campaign, side=1)
    assert again.task.repeats_id is not None
    again.task.refresh_from_db()
    assert (again.task.overlap, again.task.counted) == (1, 1)
    assert quality.counted(campaign).count() == 5
    assert progress.open_labels([campaign]) == {campaign.pk: (5, 13)}  # one voice is too few to be certain
    rows = list(snapshots.rows(snapshots.cut(campaign)))
    assert sum(len(row["judgments"]) for row in rows) == 5
    Round.objects.filter(pk=round_.pk).update(origin="loop")
    assert loop.read_facts(campaign).labels == 5
    assert repeats.consistency(campaign) == {rafi.pk: (0, 1)}


def test_a_repeat_is_nobody_elses_even_when_passed_over_or_left_behind(rafi, rosa, campaign):
    make_open_round(campaign, comparisons=12)
    for _ in range(5):
        judge(rafi, campaign)
    repeats.tend(campaign)
    judgments.skip(rafi, assignment.claim(rafi, campaign).lease)
    assert not Slot.objects.filter(task__repeats__isnull=False, status=Slot.Status.OPEN).exists()
    repeats.tend(campaign)
    waiting = Slot.objects.filter(task__repeats__isnull=False, status=Slot.Status.OPEN)
    assert waiting.count() == 1
    campaigns.remove_rater(campaign, rafi, campaign.created_by)
    assert not waiting.exists()


def test_repeats_end_with_their_round_and_with_the_share(rafi, campaign):
    round_ = make_open_round(campaign, comparisons=8)
    for _ in range(5):
        judge(rafi, campaign)
    repeats.tend(campaign)
    rounds.close(round_)
    assert assignment.claim(rafi, campaign) is None
    assert repeats.tend(campaign) == 0  # no round is open
    make_open_round(campaign, comparisons=2)
    Campaign.objects.filter(pk=campaign.pk).update(repeat_share=0)
    campaign.refresh_from_db()
    assert repeats.tend(campaign) == 0
    Campaign.objects.filter(pk=campaign.pk).update(repeat_share=0.25)
    campaign.refresh_from_db()
    assert repeats.tend(campaign) == 1
    assert Task.objects.filter(repeats__isnull=False, status="open").get().round.status == "open"


def test_looking_for_who_is_due_is_one_query(rafi, rosa, campaign, django_assert_num_queries):
    make_open_round(campaign, comparisons=12, overlap=2)
    for rater in (rafi, rosa):
        for _ in range(5):
            judge(rater, campaign)
    with django_assert_num_queries(1):
        assert {rater for rater, _task in repeats.find_due(campaign)} == {rafi.pk, rosa.pk}
