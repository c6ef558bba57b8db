"""Comparisons are asked of more raters while those asked disagree."""

from uuid import uuid4

import pytest

from labeling import assignment, campaigns, judgments
from labeling.campaigns import CampaignError
from labeling.models import Slot, Task
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
