"""What comes first: tasks of high priority, tasks kept for somebody, gold tasks; and who gets no more."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from labeling import assignment, campaigns, judgments, origins, progress
from labeling.assignment import ReservationError
from labeling.models import Campaign, Slot, Task
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def rosa():
    return make_user(username="rosa")


@pytest.fixture
def campaign(rafi, rosa):
    return make_campaign(raters=(rafi, rosa))


def judge(rater, campaign, verdict=1):
    slot = assignment.claim(rater, campaign)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)


def test_higher_priorities_come_first_and_stay_so_after_a_lapse(rafi, campaign):
    round_ = make_open_round(campaign, comparisons=12)
    urgent = round_.tasks.order_by("pk")[7]
    assert assignment.prioritise(round_.tasks.filter(pk=urgent.pk), 3, campaign.created_by) == 1
    slot = assignment.claim(rafi, campaign)
    assert slot.task_id == urgent.pk
    assert "It comes before others: a manager gave it priority." in origins.explain(
        origins.find(rafi, campaign, slot.lease)
    )
    assignment.release(rafi, slot.lease)
    assert assignment.claim(rafi, campaign).task_id == urgent.pk


def test_a_round_opens_with_its_tasks_priorities(campaign, rafi):
    from labeling import rounds
    from tests.cast import add_task, make_round

    round_ = make_round(campaign)
    tasks = [add_task(round_) for _ in range(5)]
    Task.objects.filter(pk=tasks[3].pk).update(priority=1)
    rounds.open_(round_)
    assert assignment.claim(rafi, campaign).task_id == tasks[3].pk


def test_a_reserved_task_is_its_raters_alone_and_comes_first(rafi, rosa, campaign):
    round_ = make_open_round(campaign, comparisons=3)
    task = round_.tasks.order_by("pk")[1]
    assignment.prioritise(round_.tasks.exclude(pk=task.pk), 9, campaign.created_by)
    assignment.reserve(task, rafi, campaign.created_by)
    for _ in range(2):
        assert judge(rosa, campaign).task_id != task.pk
    assert assignment.claim(rosa, campaign) is None
    slot = assignment.claim(rafi, campaign)
    assert slot.task_id == task.pk
    assert "A manager chose you for it." in origins.explain(origins.find(rafi, campaign, slot.lease))


def test_a_task_that_is_taken_is_asked_once_more(rafi, rosa, campaign):
    task = make_open_round(campaign).tasks.get()
    judge(rosa, campaign)
    assignment.reserve(task, rafi, campaign.created_by)
    assert judge(rafi, campaign).task_id == task.pk
    task.refresh_from_db()
    assert (task.overlap, task.counted, task.status) == (2, 2, Task.Status.DONE)


def test_who_passes_a_reserved_task_over_leaves_it_to_others(rafi, rosa, campaign):
    task = make_open_round(campaign).tasks.get()
    assignment.reserve(task, rafi, campaign.created_by)
    judgments.skip(rafi, assignment.claim(rafi, campaign).lease)
    assert assignment.claim(rosa, campaign).task_id == task.pk


def test_who_leaves_the_campaign_leaves_what_was_kept_for_them(rafi, rosa, campaign):
    task = make_open_round(campaign).tasks.get()
    assignment.reserve(task, rafi, campaign.created_by)
    campaigns.remove_rater(campaign, rafi, campaign.created_by)
    assert assignment.claim(rosa, campaign).task_id == task.pk


def test_what_cannot_be_reserved_is_refused_by_name(rafi, rosa, campaign):
    task = make_open_round(campaign).tasks.get()
    by = campaign.created_by
    with pytest.raises(ReservationError, match="doesn't rate"):
        assignment.reserve(task, make_user(), by)
    judge(rafi, campaign)
    with pytest.raises(ReservationError, match="already"):
        assignment.reserve(task, rafi, by)
    campaign.rounds.update(status="closed")
    with pytest.raises(ReservationError, match="isn't open"):
        assignment.reserve(task, rosa, by)


def test_gold_tasks_come_by_the_campaigns_share(rafi, campaign):
    round_ = make_open_round(campaign, comparisons=60)
    gold = list(round_.tasks.order_by("pk").values_list("pk", flat=True)[:30])
    Task.objects.filter(pk__in=gold).update(gold=True)
    Slot.objects.filter(task__in=gold).update(gold=True)
    assert all(judge(rafi, campaign).task_id not in gold for _ in range(5))  # the share is 0
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=1.0)
    campaign.refresh_from_db()
    assert all(judge(rafi, campaign).task_id in gold for _ in range(5))
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=0.5)
    drawn = [judge(rafi, campaign).task_id in gold for _ in range(30)]
    assert 4 < sum(drawn) < 26  # outside in 2 of 100,000 runs
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=1.0)
    rest = [judge(rafi, campaign).task_id in gold for _ in range(20)]
    assert sum(rest) == 25 - sum(drawn)  # without any gold left, the others come


def test_a_rater_gets_as_many_as_the_limits_allow(rafi, rosa, campaign):
    make_open_round(campaign, comparisons=9)
    Campaign.objects.filter(pk=campaign.pk).update(daily_limit=2, rater_limit=3)
    campaign.refresh_from_db()
    judge(rafi, campaign)
    held = assignment.claim(rafi, campaign)
    assert assignment.claim(rafi, campaign, [held.lease]) is None
    assert assignment.claim(rafi, campaign).pk == held.pk  # what one holds one keeps
    assert progress.waiting(rafi, campaign).reason == "daily"
    Slot.objects.filter(rater=rafi).update(claimed_at=timezone.now() - timedelta(days=1))
    third = assignment.claim(rafi, campaign, [held.lease])
    assert third is not None
    assert assignment.claim(rafi, campaign, [held.lease, third.lease]) is None
    assert progress.waiting(rafi, campaign).reason == "all"
    assert progress.waiting(rosa, campaign).reason == "taken"
    assert judge(rosa, campaign)
