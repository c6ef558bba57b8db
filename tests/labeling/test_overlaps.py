"""Comparisons are asked of more raters while those asked disagree."""

import time
from threading import Event, Thread
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from labeling import assignment, campaigns, judgments
from labeling.campaigns import CampaignError
from labeling.models import Judgment, Round, Slot, Task
from labeling.submissions import Onward
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    return tuple(make_user() for _ in range(8))


def ask(campaign, raters, *preferred):
    """Let one rater after the other prefer the answer at a position (None: a tie)."""
    for rater, position in zip(raters, preferred, strict=False):
        slot = assignment.claim(rater, campaign)
        if slot is None:
            break
        side = 0 if position is None else (1 if slot.order_shown[1] == position else -1)
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=2 * side)
    return Task.objects.get()


@pytest.mark.parametrize(
    ("preferred", "asked"),
    [
        ((0, 0), 2),  # certain enough to 0.875
        ((0, 1, 0, 0, 0, 0), 5),  # 4 of 5: 0.891
        ((1, 0, 1, 0, 1, 0, 1, 0), 6),  # never certain: the cap
        ((None, None, 1, 1, 1, 1), 5),  # ties: half a vote each
    ],
)
def test_it_goes_on_until_the_majority_is_certain_or_the_cap_is_reached(raters, preferred, asked):
    campaign = make_campaign(raters=raters, overlap=2, overlap_cap=6, certainty=0.87)
    make_open_round(campaign, overlap=2)
    task = ask(campaign, raters, *preferred)
    assert (task.overlap, task.counted, task.status) == (asked, asked, Task.Status.DONE)
    assert task.slots.filter(status=Slot.Status.DONE).count() == asked
    assert not task.slots.filter(status=Slot.Status.OPEN).exists()


def test_without_a_cap_nothing_is_asked_twice(raters):
    campaign = make_campaign(raters=raters, overlap=2)
    make_open_round(campaign, overlap=2)
    task = ask(campaign, raters, 0, 1, 0)
    assert (task.overlap, task.counted) == (2, 2)


def test_a_late_answer_changes_nothing(raters):
    campaign = make_campaign(raters=raters, overlap=1, overlap_cap=3, certainty=0.7)
    make_open_round(campaign, overlap=1)
    late = assignment.claim(raters[0], campaign)
    assignment.give_back([late.pk])
    ask(campaign, raters[1:], 0)
    extra = judgments.submit(raters[0], late.lease, idempotency_key=uuid4(), verdict=2)
    assert extra.extra
    assert Task.objects.get().overlap == 1


def test_a_cap_below_the_overlap_is_refused(raters):
    campaign = make_campaign(raters=raters, overlap=2)
    with pytest.raises(CampaignError, match="less than"):
        campaigns.update(campaign, campaign.created_by, overlap_cap=1)


def _judge(slot, position, *, meanwhile=None, onward=None):
    """Prefer the answer at a position; something may happen after the slot was read."""
    first = [meanwhile] if meanwhile else []

    def said(_slot):
        if first:
            first.pop()()
        return {"verdict": 2 if slot.order_shown[1] == position else -2, "both_bad": False}

    kind = Task.Kind.COMPARE
    return judgments.store(slot.rater, slot.lease, kind, uuid4(), said, judgments.Remarks(), onward=onward)


@pytest.fixture
def pair():
    """Let two raters hold the same comparison, whose overlap adapts, and another be left for each."""
    raters = (make_user(), make_user())
    campaign = make_campaign(raters=raters, overlap=2, overlap_cap=4)
    make_open_round(campaign, comparisons=2, overlap=2)
    task = Task.objects.first()
    held = []
    for rater in raters:
        slot = assignment.claim(rater, campaign)
        if slot.task_id != task.pk:
            slot = assignment.claim(rater, campaign, [slot.lease])
        slot.rater = rater
        held.append(slot)
    return task, held


@pytest.mark.django_db(transaction=True)
def test_the_judgment_that_decides_takes_one_statement_more(pair):
    task, held = pair
    counts = []
    for position, slot in enumerate(held):
        onward = Onward(task.campaign.slug, [])
        with CaptureQueriesContext(connection) as seen:
            _judge(slot, position, onward=onward)
        counts.append(len(seen))
        assert onward.slot.task_id != task.pk
    assert counts == [2, 3], "the slot, the votes where all others have spoken, and what is stored"
    task.refresh_from_db()
    assert (task.overlap, task.counted, task.status) == (3, 2, Task.Status.OPEN)


@pytest.mark.django_db(transaction=True)
def test_who_becomes_the_last_meanwhile_decides(pair):
    task, (mine, other) = pair
    _judge(mine, 0, meanwhile=lambda: _judge(other, 1))
    task.refresh_from_db()
    assert (task.overlap, task.counted, task.status) == (3, 2, Task.Status.OPEN)
    assert sorted(task.slots.values_list("status", flat=True)) == ["done", "done", "open"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before", [False, True], ids=["at once", "locked"])
def test_of_two_at_the_same_moment_one_decides(pair, before):
    task, (mine, other) = pair
    if before:  # who has had the task before is asked for the lock from the start
        assignment.release(mine.rater, mine.lease)
    filled, errors = Event(), []

    def theirs():
        try:
            with transaction.atomic():
                _judge(other, 1)
                filled.set()
                _await_a_waiting_backend()
        except BaseException as error:
            errors.append(error)
        finally:
            filled.set()
            connection.close()

    thread = Thread(target=theirs)

    def meanwhile():
        thread.start()
        assert filled.wait(30)

    if before:
        meanwhile()
    _judge(mine, 0, meanwhile=None if before else meanwhile)
    thread.join()
    assert not errors
    task.refresh_from_db()
    assert (task.overlap, task.counted, task.status) == (3, 2, Task.Status.OPEN)
    assert Judgment.objects.filter(task=task).count() == 2
    assert sorted(task.slots.exclude(status="cancelled").values_list("status", flat=True)) == [
        "done",
        "done",
        "open",
    ]


@pytest.mark.django_db(transaction=True)
def test_a_round_that_is_over_asks_nobody_once_more(pair):
    task, (mine, other) = pair
    _judge(other, 1)
    _judge(mine, 0, meanwhile=lambda: Round.objects.update(status=Round.Status.CLOSED))
    task.refresh_from_db()
    assert (task.overlap, task.counted, task.status) == (2, 2, Task.Status.DONE)
    assert set(task.slots.values_list("status", flat=True)) == {"done"}


def _await_a_waiting_backend():
    """Wait until somebody waits for a lock that this transaction holds."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")
