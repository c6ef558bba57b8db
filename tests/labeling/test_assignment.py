"""Who gets which slot: nobody twice, no task too often, nothing left lying."""

import random
import threading
from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from labeling import assignment, judgments, rounds, states
from labeling.assignment import LeaseError
from labeling.models import Campaign, Judgment, Slot, Task
from tests.cast import make_campaign, make_open_round, make_user


def let_lapse(slot: Slot) -> None:
    Slot.objects.filter(pk=slot.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def judge(rater, slot, verdict=1):
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)


@pytest.mark.django_db
def test_a_claim_gives_a_lease_and_a_side_order():
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    assert slot is not None
    assert slot.status == Slot.Status.CLAIMED
    assert slot.rater_id == rater.pk
    assert sorted(slot.order_shown) == [0, 1]
    assert timedelta(minutes=14) < slot.lease_until - timezone.now() <= timedelta(minutes=15)
    slot.refresh_from_db()
    assert slot.lease is not None


@pytest.mark.django_db
def test_a_second_claim_gives_the_slot_already_held():
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=5)
    first = assignment.claim(rater, campaign)
    again = assignment.claim(rater, campaign)
    assert (again.pk, again.lease, again.order_shown) == (first.pk, first.lease, first.order_shown)


@pytest.mark.django_db
def test_sides_are_shuffled():
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign, comparisons=40)
    orders = Counter()
    for _ in range(40):
        slot = assignment.claim(rater, campaign)
        orders[tuple(slot.order_shown)] += 1
        judge(rater, slot)
    assert min(orders[0, 1], orders[1, 0]) >= 8  # 1 in 10,000 fair shuffles fails


@pytest.mark.django_db
def test_nobody_gets_the_same_task_twice():
    rater, other = make_user(), make_user()
    campaign = make_campaign(raters=(rater, other), overlap=2)
    make_open_round(campaign, comparisons=2)
    seen = set()
    for _ in range(2):
        slot = assignment.claim(rater, campaign)
        seen.add(slot.task_id)
        judge(rater, slot)
    assert len(seen) == 2
    assert assignment.claim(rater, campaign) is None
    assert assignment.claim(other, campaign) is not None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kept", "asked"), [("skip", False), ("late", False), ("undone", True), ("silence", True)]
)
def test_a_task_whose_lease_is_gone_comes_back_to_those_who_said_nothing_that_stands(kept, asked):
    rater, other = make_user(), make_user()
    campaign = make_campaign(raters=(rater, other))
    make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    if kept == "skip":
        judgments.skip(rater, slot.lease)
    else:
        let_lapse(slot)
        assignment.expire_leases()
    if kept in {"late", "undone"}:
        taken = assignment.claim(other, campaign)
        said = judge(rater, slot)
        assert said.extra
        if kept == "undone":
            judgments.undo(rater, said)
        assignment.release(other, taken.lease)
    assert (assignment.claim(rater, campaign) is not None) == asked


@pytest.mark.django_db
def test_only_members_of_an_active_campaign_get_work():
    rater, stranger = make_user(), make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign)
    assert assignment.claim(stranger, campaign) is None
    for status in (Campaign.Status.PAUSED, Campaign.Status.CLOSED):
        states.change(campaign, status, campaign.created_by)
        assert assignment.claim(rater, campaign) is None
    states.change(campaign, Campaign.Status.ACTIVE, campaign.created_by)
    assert assignment.claim(rater, campaign) is not None


@pytest.mark.django_db
def test_a_closed_round_gives_no_work():
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    rounds.close(make_open_round(campaign))
    assert assignment.claim(rater, campaign) is None


@pytest.mark.django_db
def test_a_lapsed_lease_is_claimable_by_others_and_stays_known():
    rater, other = make_user(), make_user()
    campaign = make_campaign(raters=(rater, other))
    make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    assert assignment.claim(other, campaign) is None
    let_lapse(slot)
    taken = assignment.claim(other, campaign)
    assert taken.task_id == slot.task_id
    old = Slot.objects.get(pk=slot.pk)
    assert (old.status, old.lease, old.rater_id) == (Slot.Status.CANCELLED, slot.lease, rater.pk)


@pytest.mark.django_db
def test_the_sweep_gives_back_only_what_lapsed():
    rater, other = make_user(), make_user()
    campaign = make_campaign(raters=(rater, other))
    make_open_round(campaign, comparisons=2)
    slot, kept = assignment.claim(rater, campaign), assignment.claim(other, campaign)
    let_lapse(slot)
    assert assignment.expire_leases() == 1
    assert assignment.expire_leases() == 0
    kept.refresh_from_db()
    assert kept.status == Slot.Status.CLAIMED
    assert Slot.objects.filter(task=slot.task_id, status=Slot.Status.OPEN).count() == 1


@pytest.mark.django_db
def test_a_lapsed_lease_of_a_closed_round_opens_nothing():
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    round_ = make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    rounds.close(round_)
    let_lapse(slot)
    assert assignment.expire_leases() == 0
    assert not Slot.objects.filter(status=Slot.Status.OPEN).exists()


@pytest.mark.django_db
def test_a_heartbeat_extends_a_lease_until_it_is_gone():
    rater, other = make_user(), make_user()
    campaign = make_campaign(raters=(rater, other))
    make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    let_lapse(slot)
    assert assignment.heartbeat(rater, slot.lease) > timezone.now()
    assert assignment.expire_leases() == 0
    with pytest.raises(LeaseError):
        assignment.heartbeat(other, slot.lease)
    assignment.release(rater, slot.lease)
    with pytest.raises(LeaseError, match="run out"):
        assignment.heartbeat(rater, slot.lease)
    with pytest.raises(LeaseError):
        assignment.release(rater, slot.lease)
    assert assignment.claim(other, campaign).task_id == slot.task_id


@pytest.mark.django_db(transaction=True)
def test_many_raters_at_once_never_pass_the_overlap_nor_judge_twice():
    raters = [make_user() for _ in range(6)]
    campaign = make_campaign(raters=tuple(raters), overlap=3)
    make_open_round(campaign, comparisons=15)
    problems: list[BaseException] = []

    def work(rater, seed):
        rng = random.Random(seed)
        try:
            while (slot := assignment.claim(rater, campaign)) is not None:
                dice = rng.random()
                if dice < 0.15:
                    let_lapse(slot)
                    assignment.expire_leases()
                if dice < 0.1:
                    continue
                key = uuid4()
                for _ in range(rng.choice((1, 1, 2))):
                    judgments.submit(rater, slot.lease, idempotency_key=key, verdict=1)
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    # two windows for each rater
    threads = [threading.Thread(target=work, args=(rater, i)) for i, rater in enumerate(raters * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    said = [p for p in problems if not isinstance(p, judgments.JudgmentError)]
    assert said == []
    for rater in raters:  # a window that was refused stopped; the rest of the work is done here
        while (slot := assignment.claim(rater, campaign)) is not None:
            judge(rater, slot)
    counted = Judgment.objects.filter(extra=False, withdrawn=False)
    pairs = Counter(counted.values_list("task", "rater"))
    assert max(pairs.values()) == 1
    assert set(Counter(task for task, _ in pairs).values()) == {3}
    assert set(Task.objects.values_list("counted", "status")) == {(3, Task.Status.DONE)}
    assert not Slot.objects.filter(status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED]).exists()
    assert Slot.objects.filter(status=Slot.Status.DONE).count() == 45


@pytest.mark.django_db(transaction=True)
def test_a_claim_steps_over_what_others_are_just_claiming():
    rater, other, third = make_user(), make_user(), make_user()
    campaign = make_campaign(raters=(rater, other, third))
    make_open_round(campaign, comparisons=2)
    got: list[int | None] = []

    def work(who):
        try:
            slot = assignment.claim(who, campaign)
            got.append(slot and slot.pk)
        finally:
            connection.close()

    with transaction.atomic():
        first = assignment.claim(rater, campaign)
        for who in (other, third):  # the first claim isn't committed yet, and they don't wait for it
            thread = threading.Thread(target=work, args=(who,), daemon=True)
            thread.start()
            thread.join(timeout=30)
        assert len(got) == 2
    assert got[0] not in (None, first.pk)
    assert got[1] is None


@pytest.mark.django_db(transaction=True)
def test_one_rater_claiming_in_many_windows_holds_one_slot():
    rater = make_user()
    campaign = make_campaign(raters=(rater,), overlap=2)
    make_open_round(campaign, comparisons=10)
    got: list[int] = []

    def work():
        try:
            got.append(assignment.claim(rater, campaign).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(got) == 8
    assert len(set(got)) == 1
