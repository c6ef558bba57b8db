"""What workers count for pages: by hour, by rater and by round, and what came since."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from labeling import assignment, counting, edits, judgments, pace
from labeling.counting import Tally
from labeling.models import CountedTo, HourCount, Judgment, RaterCount, Round, RoundCount
from labeling.pace import Span
from preferences.types import Estimate
from tests.cast import make_campaign, make_open_round, make_user

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


def hour(ago: int, judgments: int, now: datetime = NOW) -> Span:
    begins = now.replace(minute=0) - timedelta(hours=ago)
    return Span(begins, judgments, 0, begins)


@pytest.fixture
def campaign():
    return make_campaign(raters=(make_user(username="rafi"),))


def say(campaign, verdict=1):
    rater = campaign.memberships.get().user
    slot = assignment.claim(rater, campaign)
    if slot.task.kind == "edit":
        signals = {"pasted": 30, "typed": 10, "pastes": 1, "bursts": 1, "typing_ms": 900}
        return edits.submit(rater, slot.lease, idempotency_key=uuid4(), text="Better.", signals=signals)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, active_ms=4000)


@pytest.mark.django_db
def test_counts_hold_what_has_settled_and_the_rest_is_counted_for_the_page(campaign, monkeypatch):
    make_open_round(campaign, comparisons=2, edits=1)
    for _ in range(3):
        say(campaign)
    counting.catch_up()
    assert HourCount.objects.count() == 0  # too young
    assert [sum(span[1:3]) for span in counting.since(campaign.pk)] == [3]
    monkeypatch.setattr(counting, "SETTLED", -1)
    monkeypatch.setattr(counting, "CHUNK", 1)
    counting.catch_up()
    counting.catch_up()  # nothing twice
    kept = HourCount.objects.get()
    assert (kept.judgments, kept.edits) == (2, 1)
    assert counting.since(campaign.pk) == []
    one = RaterCount.objects.get()
    assert (one.judgments, one.edits, one.timed, one.active_ms) == (2, 1, 2, 8000)
    assert (one.pasted, one.typed) == (30, 10)
    spans = pace.by_hour(campaign, timezone.now() - timedelta(hours=1))
    assert [(span.judgments, span.edits) for span in spans] == [(2, 1)]
    assert [(span.judgments, span.edits) for span in pace.by_day(campaign, 3, spans)] == [(2, 1)]


@pytest.mark.django_db
def test_undone_and_corrected_answers_are_no_new_work(campaign, monkeypatch):
    monkeypatch.setattr(counting, "SETTLED", -1)
    make_open_round(campaign, comparisons=2)
    said = say(campaign)
    judgments.undo(said.rater, said)
    counting.catch_up()
    assert HourCount.objects.get().judgments == 1
    assert Judgment.objects.count() == 2


@pytest.mark.django_db
def test_rounds_are_counted_by_the_worker_once_they_are_large(
    campaign, monkeypatch, django_assert_num_queries
):
    round_ = make_open_round(campaign, comparisons=3, overlap=2)
    say(campaign)
    counted = Tally(tasks=3, done=0, labels=1, wanted=6)
    with django_assert_num_queries(2):
        assert counting.of_rounds([round_]) == {round_.pk: counted}
    counting.catch_up()
    monkeypatch.setattr(counting, "MANY", 1)
    say(campaign)
    with django_assert_num_queries(1):
        assert counting.of_rounds([round_]) == {round_.pk: counted}  # as of the last look
    counting.catch_up()
    assert RoundCount.objects.get().labels == 2
    assert counting.of_rounds([round_])[round_.pk].labels == 2


@pytest.mark.django_db
def test_a_round_without_tasks_counts_nothing(campaign):
    empty = Round.objects.create(campaign=campaign, number=1)
    assert counting.of_rounds([empty]) == {empty.pk: Tally()}
    assert CountedTo.objects.count() == 0


def test_time_left_is_what_is_wanted_over_the_pace_of_the_last_day():
    steady = [hour(ago, 100) for ago in range(1, 40)]
    found = pace.measure(steady, 1000, NOW)
    # 24 whole hours with labels, of 24.5
    assert found.an_hour.value == pytest.approx(2400 / 24.5)
    assert found.hours.value == pytest.approx(1000 / found.an_hour.value)
    low, high = found.an_hour.interval
    assert low < found.an_hour.value < high
    assert found.hours.interval.low == pytest.approx(1000 / high)
    bursts = [hour(ago, 400 if ago % 4 == 0 else 0) for ago in range(1, 40)]
    wide = pace.measure(bursts, 1000, NOW)
    assert wide.hours.interval.high - wide.hours.interval.low > 3 * (
        found.hours.interval.high - found.hours.interval.low
    )


def test_a_pace_that_is_not_known_says_why():
    assert pace.measure([], 5, NOW).hours == Estimate(None, None, 0, pace.NOBODY)
    assert pace.measure([hour(0, 9)], 5, NOW).hours == Estimate(None, None, 9, pace.TOO_FEW)
    assert pace.measure([hour(0, 50)], None, NOW).hours.why == pace.NOTHING_ASKED
    young = pace.measure([hour(1, 50), hour(0, 20)], 70, NOW)
    assert young.an_hour.value == pytest.approx(70 / 1.5)
    assert (young.hours.value, young.hours.interval, young.hours.why) == (1.5, None, pace.SHORT)


def test_a_sampled_round_is_over_when_there_is_enough_to_learn_from():
    class Known:
        retrain_after = 50

    loop = Round(pk=1, status="open", origin="loop")
    given = Round(pk=2, status="open", origin="import")
    closed = Round(pk=3, status="closed", origin="loop")
    tallies = {1: Tally(90, 0, 20, 90), 2: Tally(90, 10, 10, 90), 3: Tally(90, 0, 0, 90)}
    assert pace.left_of(Known, [loop, given, closed], tallies) == 30 + 80
    assert pace.left_of(Known, [closed], tallies) is None
