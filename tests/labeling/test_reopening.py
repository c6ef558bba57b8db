"""A rater's work is taken out of the count: nothing is lost, others are asked, the rater is told."""

import threading
from contextlib import suppress
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import AuditEvent, Role
from labeling import assignment, edits, history, judgments, reopening, rounds
from labeling.models import Edit, Feedback, Judgment, Round, Slot, Task
from labeling.reviews import ReviewError
from labeling.submissions import SubmissionError
from tests.cast import make_campaign, make_open_round, make_user
from tests.labeling.test_reviews import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER, "mara")


@pytest.fixture
def raters():
    return make_user(username="rafi"), make_user(username="rosa")


@pytest.fixture
def campaign(manager, raters):
    return make_campaign(by=manager, raters=raters)


def standing(rater):
    rows = {"extra": False, "withdrawn": False, "superseded_by": None, "rater": rater}
    return Judgment.objects.filter(**rows).count() + Edit.objects.filter(**rows).count()


def check_places(campaign):
    """The counters are what the rows say, as the queue's own audit asks of each task."""
    for task in campaign.tasks.all():
        counted = {"extra": False, "withdrawn": False, "superseded_by": None}
        said = task.judgments.filter(**counted).count() + task.edits.filter(**counted).count()
        assert task.counted == said == task.slots.filter(status="done").count()
        assert (task.status == "done") == (task.counted == task.overlap)
        if task.round.status == "open":
            assert task.slots.exclude(status="cancelled").count() == task.overlap


def test_what_a_rater_said_counts_no_more_and_others_are_asked(campaign, manager, raters):
    rafi, rosa = raters
    make_open_round(campaign, comparisons=3, edits=2, overlap=1)
    work(rafi, campaign, 4)
    before = reopening.preview(campaign, rafi)
    assert (before.all, before.asked_again, before.closed) == (4, 4, 0)
    done = reopening.reopen(campaign, rafi, manager, " Clicked through. ")
    assert done == before
    assert standing(rafi) == 0
    assert Judgment.objects.count() + Edit.objects.count() == 8  # every row is still there, each with its end
    withdrawal = (
        Judgment.objects.filter(withdrawn=True).first() or Edit.objects.filter(withdrawn=True).first()
    )
    assert withdrawal.meta == {"reopened": "Clicked through.", "by": manager.pk}
    check_places(campaign)
    # nothing of it comes back to the same rater; the fifth task was never theirs
    assert assignment.claim(rafi, campaign).task_id not in rafi.skips.values_list("task", flat=True)
    work(rosa, campaign, 4)
    assert standing(rosa) == 4
    check_places(campaign)


def test_the_rater_is_told_and_it_is_noted(campaign, manager, raters):
    make_open_round(campaign, comparisons=2, overlap=1)
    work(raters[0], campaign, 2)
    reopening.reopen(campaign, raters[0], manager, "You always took the left.")
    word = Feedback.objects.get()
    assert (word.rater, word.reviewer) == (raters[0], manager)
    assert word.text.startswith("2 of your answers count no more")
    assert word.text.endswith("You always took the left.")
    event = AuditEvent.objects.get(action="reopen")
    assert (event.detail["rater"], event.detail["judgments"]) == ("rafi", 2)


def test_doing_it_again_changes_nothing(campaign, manager, raters):
    make_open_round(campaign, comparisons=2, overlap=1)
    work(raters[0], campaign, 2)
    reopening.reopen(campaign, raters[0], manager, "Why.")
    assert reopening.reopen(campaign, raters[0], manager, "Why.").all == 0
    assert (Feedback.objects.count(), AuditEvent.objects.filter(action="reopen").count()) == (1, 1)
    assert Slot.objects.filter(status="open").count() == 2


def test_a_round_that_is_over_asks_nobody_anew(campaign, manager, raters):
    round_ = make_open_round(campaign, comparisons=2, overlap=1)
    work(raters[0], campaign, 2)
    rounds.close(round_)
    done = reopening.reopen(campaign, raters[0], manager, "Why.")
    assert (done.asked_again, done.closed) == (0, 2)
    assert not Slot.objects.filter(status="open").exists()
    assert set(Task.objects.values_list("counted", "status")) == {(0, "cancelled")}
    check_places(campaign)


def test_other_raters_and_gold_tasks_are_left_alone(campaign, manager, raters):
    rafi, rosa = raters
    make_open_round(campaign, comparisons=2, overlap=2)
    work(rafi, campaign, 2)
    work(rosa, campaign, 2)
    gold = Task.objects.first()
    Task.objects.filter(pk=gold.pk).update(gold=True)
    assert reopening.reopen(campaign, rafi, manager, "Why.").all == 1
    assert (standing(rafi), standing(rosa)) == (1, 2)
    assert gold.judgments.filter(withdrawn=True).count() == 0
    check_places(campaign)


@pytest.mark.parametrize("reason", ["", "  \n", "x" * 2001, "a\x00b"])
def test_a_reason_is_needed(campaign, manager, raters, reason):
    make_open_round(campaign)
    work(raters[0], campaign)
    with pytest.raises(ReviewError) as refused:
        reopening.reopen(campaign, raters[0], manager, reason)
    assert refused.value.field == "reason"
    assert standing(raters[0]) == 1


def test_what_is_reopened_can_not_be_taken_back(campaign, manager, raters):
    make_open_round(campaign)
    work(raters[0], campaign)
    said = Judgment.objects.get()
    reopening.reopen(campaign, raters[0], manager, "Why.")
    with pytest.raises(SubmissionError):
        judgments.undo(raters[0], said)


def test_the_raters_history_says_so_and_shows_no_skip(campaign, manager, raters):
    make_open_round(campaign, comparisons=2, edits=1, overlap=1)
    work(raters[0], campaign, 3)
    reopening.reopen(campaign, raters[0], manager, "Why.")
    entries, _ = history.of_rater(raters[0])
    assert [(entry.state, entry.takeable) for entry in entries] == [("reopened", False)] * 3


@pytest.mark.django_db(transaction=True)
def test_between_submits_of_several_raters_the_counts_stay_true(manager):
    people = [make_user() for _ in range(4)]
    campaign = make_campaign(by=manager, raters=tuple(people))
    make_open_round(campaign, comparisons=25, edits=3, overlap=2)
    errors = []

    def rate(rater):
        try:
            while (slot := assignment.claim(rater, campaign)) is not None:
                key = {"idempotency_key": uuid4()}
                if slot.task.kind == "edit":
                    edits.submit(rater, slot.lease, text="A better text, all in all.", **key)
                else:
                    said = judgments.submit(rater, slot.lease, verdict=1, **key)
                    if said.pk % 5 == 0:
                        with suppress(SubmissionError):  # it may just have been re-opened
                            judgments.undo(rater, said)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    def reopen(rater):
        try:
            for _ in range(6):
                reopening.reopen(campaign, rater, manager, "Why.")
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=rate, args=(p,)) for p in people]
    threads += [threading.Thread(target=reopen, args=(p,)) for p in people[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert Round.objects.get().status == "open"
    check_places(campaign)
    assert Judgment.objects.filter(withdrawn=True, meta__has_key="reopened").exists()
