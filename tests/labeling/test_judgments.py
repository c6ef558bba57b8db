"""Judgments: once, whole, never lost."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from labeling import assignment, campaigns, drafts, judgments, rounds
from labeling.assignment import LeaseError
from labeling.judgments import JudgmentError
from labeling.models import Campaign, Criterion, Draft, Judgment, Skip, Slot, Task
from tests.cast import make_campaign, make_open_round, make_user


@pytest.fixture
def rater(db):
    return make_user()


@pytest.fixture
def other(db):
    return make_user()


@pytest.fixture
def campaign(rater, other):
    return make_campaign(raters=(rater, other))


@pytest.fixture
def slot(rater, campaign):
    make_open_round(campaign)
    return assignment.claim(rater, campaign)


def submit(rater, slot, **fields):
    return judgments.submit(rater, slot.lease, **{"idempotency_key": uuid4(), "verdict": 2, **fields})


def lose(slot):
    Slot.objects.filter(pk=slot.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assignment.expire_leases()


def test_a_verdict_is_stored_with_everything_it_was_said_about(rater, campaign, slot):
    drafts.save(rater, slot.lease, {"comment": "so f"})
    judgment = submit(
        rater,
        slot,
        verdict=-3,
        comment=" so far\r\nso good ",
        reasons=[["shorter"], []],
        active_ms=900,
        flags=["unsafe"],
        attention={"prompt": 100, "answers": [500, 300]},
    )
    judgment.refresh_from_db()
    assert (judgment.verdict, judgment.comment) == (-3, "so far\nso good")
    left, right = slot.order_shown
    assert (judgment.reasons[left], judgment.reasons[right]) == (["shorter"], [])
    assert (judgment.attention["answers"][left], judgment.attention["answers"][right]) == (500, 300)
    assert judgment.flags == ["unsafe"]
    assert judgment.order_shown == slot.order_shown
    assert judgment.guideline == campaign.guidelines.get()
    assert (judgment.slot_id, judgment.extra, judgment.active_ms) == (slot.pk, False, 900)
    slot.refresh_from_db()
    assert slot.status == Slot.Status.DONE
    assert (slot.task.counted, slot.task.status) == (1, Task.Status.DONE)
    assert not Draft.objects.exists()


def test_a_task_is_open_until_its_overlap_is_reached(rater, other):
    campaign = make_campaign(raters=(rater, other), overlap=2)
    make_open_round(campaign)
    submit(rater, assignment.claim(rater, campaign))
    task = Task.objects.get()
    assert (task.counted, task.status) == (1, Task.Status.OPEN)
    submit(other, assignment.claim(other, campaign))
    task.refresh_from_db()
    assert (task.counted, task.status) == (2, Task.Status.DONE)


def test_a_double_submit_gives_the_same_row(rater, slot):
    key = uuid4()
    first = submit(rater, slot, idempotency_key=key)
    assert submit(rater, slot, idempotency_key=key, verdict=-1) == first
    assert Judgment.objects.get().verdict == 2
    assert Task.objects.get().counted == 1


def test_a_second_verdict_under_the_same_lease_is_refused(rater, slot):
    submit(rater, slot)
    with pytest.raises(JudgmentError, match="already answered"):
        submit(rater, slot)
    assert Judgment.objects.count() == 1


def test_a_key_of_another_task_is_refused(rater, campaign, slot):
    make_open_round(campaign)
    key = uuid4()
    submit(rater, slot, idempotency_key=key)
    with pytest.raises(JudgmentError) as refused:
        submit(rater, assignment.claim(rater, campaign), idempotency_key=key)
    assert refused.value.field == "idempotency_key"


@pytest.mark.parametrize("lease", ["foreign", "unknown"])
def test_a_foreign_lease_changes_nothing(rater, other, slot, lease):
    with pytest.raises(LeaseError, match="isn't yours"):
        judgments.submit(
            other, slot.lease if lease == "foreign" else uuid4(), idempotency_key=uuid4(), verdict=1
        )
    assert not Judgment.objects.exists()
    slot.refresh_from_db()
    assert slot.status == Slot.Status.CLAIMED


def test_an_expired_lease_counts_while_its_place_is_free(rater, slot):
    lose(slot)
    judgment = submit(rater, slot)
    assert not judgment.extra
    assert judgment.slot_id != slot.pk
    assert judgment.order_shown == slot.order_shown
    filled = Slot.objects.get(pk=judgment.slot_id)
    assert (filled.status, filled.rater) == (Slot.Status.DONE, rater)
    assert Task.objects.get().counted == 1


def test_an_expired_lease_not_swept_yet_counts(rater, slot):
    Slot.objects.filter(pk=slot.pk).update(lease_until=timezone.now() - timedelta(hours=1))
    assert not submit(rater, slot).extra


@pytest.mark.parametrize("how", ["claimed by another", "judged by another", "round closed"])
def test_a_late_submit_is_kept_as_extra(rater, other, campaign, slot, how):
    if how == "round closed":
        rounds.close(slot.task.round)
    else:
        lose(slot)
        taken = assignment.claim(other, campaign)
        if how == "judged by another":
            submit(other, taken)
    before = Task.objects.get().counted
    key = uuid4()
    judgment = submit(rater, slot, idempotency_key=key)
    assert judgment.extra
    assert judgment.slot is None
    assert judgment.order_shown == slot.order_shown
    assert Task.objects.get().counted == before
    assert submit(rater, slot, idempotency_key=key) == judgment


def test_a_late_submit_fills_the_slot_that_its_rater_claimed_anew(rater, campaign, slot):
    lose(slot)
    anew = assignment.claim(rater, campaign)
    judgment = submit(rater, slot)
    assert judgment.slot_id == anew.pk
    with pytest.raises(JudgmentError, match="already answered"):
        submit(rater, anew)


@pytest.mark.parametrize("scale", [2, 4, 7])
@pytest.mark.parametrize("ties", [True, False])
def test_each_scale_takes_its_own_verdicts_only(rater, scale, ties):
    campaign = make_campaign(raters=(rater,), scale=scale, allow_ties=ties)
    allowed = judgments.verdicts(campaign)
    assert len(allowed) == {2: 2, 4: 4, 7: 6}[scale] + ties
    make_open_round(campaign, comparisons=7)
    for verdict in range(-3, 4):
        slot = assignment.claim(rater, campaign)
        if verdict in allowed:
            assert submit(rater, slot, verdict=verdict).verdict == verdict
            continue
        with pytest.raises(JudgmentError) as refused:
            submit(rater, slot, verdict=verdict)
        assert refused.value.field == "verdict"
        judgments.skip(rater, slot.lease)
    assert Judgment.objects.count() == len(allowed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verdict", 4),
        ("verdict", -4),
        ("verdict", True),
        ("verdict", "2"),
        ("verdict", 1.0),
        ("both_bad", True),  # with verdict 2
        ("both_bad", "yes"),
        ("comment", 7),
        ("comment", "a\x00b"),
        ("comment", "x" * 10_001),
        ("reasons", "short"),
        ("reasons", [["x" * 201], []]),
        ("reasons", [[3], []]),
        ("reasons", [["one answer only"]]),
        ("flags", "unsafe"),
        ("flags", ["funny"]),
        ("attention", {"sides": []}),
        ("attention", {"answers": [1]}),
        ("attention", {"answers": [1, -1]}),
        ("display_rate", 501),
        ("criteria", {"kindness": [1, 2]}),
        ("criteria", [1]),
        ("active_ms", -1),
        ("active_ms", 2**40),
        ("guideline", 9),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(rater, slot, field, value):
    with pytest.raises(JudgmentError) as refused:
        submit(rater, slot, **{field: value})
    assert refused.value.field == field
    assert not Judgment.objects.exists()
    assert Task.objects.get().counted == 0


def test_both_bad_prefers_neither(rater, slot):
    judgment = submit(rater, slot, verdict=0, both_bad=True)
    assert (judgment.verdict, judgment.both_bad) == (0, True)


def test_grades_are_kept_by_position_not_by_side(rater, campaign, slot):
    Criterion.objects.create(campaign=campaign, key="kind", name="Kind", points=5, required=True)
    Criterion.objects.create(campaign=campaign, key="true", name="True", points=3)
    for wrong in (
        None,
        {"kind": [1]},
        {"kind": [0, 1]},
        {"kind": [1, None]},
        {"kind": "12"},
        {"kind": [1, 6]},
    ):
        with pytest.raises(JudgmentError) as refused:
            submit(rater, slot, criteria=wrong)
        assert refused.value.field == "criteria"
    judgment = submit(rater, slot, criteria={"kind": [5, 1]})
    assert judgment.criteria["kind"][slot.order_shown[0]] == 5
    assert judgment.criteria["kind"][slot.order_shown[1]] == 1
    assert "true" not in judgment.criteria


def test_the_guideline_that_was_shown_is_the_one_recorded(rater, campaign, slot):
    campaigns.add_guideline(campaign, "Second thoughts.", campaign.created_by)
    make_open_round(campaign)
    assert submit(rater, slot, guideline=1).guideline.number == 1
    assert submit(rater, assignment.claim(rater, campaign)).guideline.number == 2


def test_a_comparison_takes_no_verdict_on_an_edit(rater, campaign):
    make_open_round(campaign, comparisons=0, edits=1)
    with pytest.raises(JudgmentError, match="asks for something else"):
        submit(rater, assignment.claim(rater, campaign))


def test_an_undo_gives_the_task_back_and_a_new_verdict_replaces_the_old(rater, campaign, slot):
    first = submit(rater, slot, verdict=3)
    again = judgments.undo(rater, first)
    assert again.task_id == slot.task_id
    assert again.order_shown == slot.order_shown
    task = Task.objects.get()
    assert (task.counted, task.status) == (0, Task.Status.OPEN)
    assert assignment.claim(rater, campaign).pk == again.pk
    second = submit(rater, again, verdict=-1)
    withdrawal = Judgment.objects.get(withdrawn=True)
    assert withdrawal.supersedes == first
    assert second.supersedes == withdrawal
    task.refresh_from_db()
    assert (task.counted, task.status) == (1, Task.Status.DONE)
    assert Judgment.objects.get(pk=first.pk).verdict == 3
    effective = Judgment.objects.filter(extra=False, withdrawn=False, superseded_by=None)
    assert list(effective) == [second]


def test_an_undo_is_refused_twice_for_strangers_and_after_the_round(rater, other, campaign, slot):
    judgment = submit(rater, slot)
    with pytest.raises(JudgmentError, match="yourself"):
        judgments.undo(other, judgment)
    judgments.undo(rater, judgment)
    with pytest.raises(JudgmentError, match="already undone"):
        judgments.undo(rater, judgment)
    last = submit(rater, assignment.claim(rater, campaign))
    rounds.close(slot.task.round)
    with pytest.raises(JudgmentError, match="round is over"):
        judgments.undo(rater, last)
    assert Judgment.objects.count() == 3


def test_an_undone_task_left_lying_can_come_back(rater, other, campaign, slot):
    again = judgments.undo(rater, submit(rater, slot))
    lose(again)
    assert assignment.claim(rater, campaign).task_id == slot.task_id


def test_an_extra_judgment_can_be_undone(rater, slot):
    rounds.close(slot.task.round)
    judgment = submit(rater, slot)
    assert judgments.undo(rater, judgment) is None
    assert Judgment.objects.get(withdrawn=True).supersedes == judgment


def test_a_skipped_task_never_comes_back(rater, other, campaign, slot):
    first = judgments.skip(rater, slot.lease, Skip.Kind.CANNOT_JUDGE, "in Welsh")
    assert judgments.skip(rater, slot.lease) == first
    assert (first.kind, first.reason) == (Skip.Kind.CANNOT_JUDGE, "in Welsh")
    assert assignment.claim(rater, campaign) is None
    assert assignment.claim(other, campaign).task_id == slot.task_id


@pytest.mark.parametrize(
    ("kind", "reason", "field"),
    [("cannot_judge", " ", "reason"), ("bored", "", "kind"), ("skip", 3, "reason")],
)
def test_a_bad_skip_is_refused(rater, slot, kind, reason, field):
    with pytest.raises(JudgmentError) as refused:
        judgments.skip(rater, slot.lease, kind, reason)
    assert refused.value.field == field
    assert not Skip.objects.exists()


def test_what_was_judged_cant_be_skipped_nor_a_foreign_task(rater, other, slot):
    with pytest.raises(LeaseError):
        judgments.skip(other, slot.lease)
    submit(rater, slot)
    with pytest.raises(JudgmentError, match="undo it first"):
        judgments.skip(rater, slot.lease)


def test_a_draft_is_kept_by_task_and_not_after_the_submit(rater, other, slot):
    drafts.save(rater, slot.lease, {"comment": "a"})
    drafts.save(rater, slot.lease, {"comment": "ab"})
    assert Draft.objects.get().data == {"comment": "ab"}
    with pytest.raises(LeaseError):
        drafts.save(other, slot.lease, {"comment": "mine"})
    with pytest.raises(JudgmentError):
        drafts.save(rater, slot.lease, {"comment": "x" * 400_000})
    with pytest.raises(JudgmentError):
        drafts.save(rater, slot.lease, {"comment": "\x00"})
    submit(rater, slot)
    drafts.save(rater, slot.lease, {"comment": "late"})
    assert not Draft.objects.exists()


def test_the_database_refuses_to_change_a_judgment(rater, slot):
    judgment = submit(rater, slot)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Judgment.objects.filter(pk=judgment.pk).update(verdict=0)


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_make_one_judgment():
    rater = make_user()
    campaign = make_campaign(raters=(rater,), scale=Campaign.Scale.FOUR)
    make_open_round(campaign)
    slot = assignment.claim(rater, campaign)
    key = uuid4()
    rows: list[int] = []

    def click():
        try:
            rows.append(submit(rater, slot, idempotency_key=key).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(rows) == 20
    assert len(set(rows)) == 1
    assert Task.objects.get().counted == 1


def test_only_a_page_may_grade_by_what_is_asked_no_more(rater, slot):
    gone = {"criteria": {"gone": [3, 4]}}
    with pytest.raises(judgments.JudgmentError, match="gone"):
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1, **gone)
    said = judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1, by_page=True, **gone)
    assert said.criteria == {}
