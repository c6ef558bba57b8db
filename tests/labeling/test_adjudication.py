"""Disputes are found, ranked and decided blind; the final word stands, and gaps go into the guideline."""

import threading
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEvent, Role
from labeling import adjudication, assignment, campaigns, disputes, gaps, judgments, reopening, rounds
from labeling.campaigns import CampaignError
from labeling.models import Adjudication, GuidelineGap, Judgment, Reliability, Score, Task
from labeling.reviews import ReviewError
from labeling.submissions import SubmissionError
from labeling.views.adjudicating import model_says
from models_app import registry
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER, "mara")


@pytest.fixture
def raters():
    return tuple(make_user(username=name) for name in ("rafi", "rosa", "rita"))


@pytest.fixture
def campaign(manager, raters):
    return make_campaign(by=manager, raters=raters)


def vote(rater, task, position, flags=()):
    """Let a rater prefer the answer at a position of a task (None: neither)."""
    campaign = task.campaign
    leases = []
    while True:
        slot = assignment.claim(rater, campaign, besides=leases)
        assert slot is not None, "the task was not to be had"
        if slot.task_id == task.pk:
            break
        leases.append(slot.lease)
    verdict = 0 if position is None else (-2 if slot.order_shown[0] == position else 2)
    said = judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, flags=flags)
    for lease in leases:
        assignment.release(rater, lease)
    return said


def ask(campaign, raters, *positions, flags=()):
    """Make one comparison and let each rater prefer the answer at the position given."""
    task = make_open_round(campaign, overlap=len(positions)).tasks.get()
    for rater, position in zip(raters, positions, strict=False):
        vote(rater, task, position, flags)
    task.refresh_from_db()
    return task


def crown(campaign):
    """Make a champion reward model that gives the answers of a task these scores."""
    model = registry.register(campaign.model_family, "reward", f"judge-{uuid4().hex[:6]}", "imported")
    registry.promote(model, by=make_user(Role.MANAGER), reason="The first one.")
    return model


def score(model, task, *values):
    for place, value in zip(task.task_responses.all(), values, strict=True):
        Score.objects.create(response=place.response, model=model, value=value)


def opened(campaign):
    return {row.task_id: row for row in Adjudication.objects.filter(campaign=campaign, decided_at=None)}


def test_opposite_sides_are_more_in_dispute_than_a_tie(campaign, raters):
    apart = ask(campaign, raters, 0, 1)
    near = ask(campaign, raters, 0, None)
    agreed = ask(campaign, raters, 1, 1, 1)
    assert disputes.refresh(campaign) == 2
    rows = opened(campaign)
    assert set(rows) == {apart.pk, near.pk}
    assert agreed.pk not in rows
    # v W / (W + 1): 1 · 2/3 and ¼ · 2/3
    assert rows[apart.pk].urgency == pytest.approx(2 / 3)
    assert rows[near.pk].urgency == pytest.approx(1 / 6)
    assert (rows[apart.pk].evidence["first"], rows[apart.pk].evidence["second"]) == (1, 1)
    assert disputes.refresh(campaign) == 0  # again changes nothing


def test_a_vote_of_little_weight_makes_little_dispute(campaign, raters):
    task = ask(campaign, raters, 0, 0, 1)
    disputes.refresh(campaign)
    before = opened(campaign)[task.pk].urgency
    Reliability.objects.create(campaign=campaign, rater=raters[2], weight=0.1, computed_at=timezone.now())
    disputes.refresh(campaign)
    # mean (−1 −1 + .1) / 2.1, square 1, W 2.1
    mean = -1.9 / 2.1
    after = opened(campaign)[task.pk].urgency
    assert after == pytest.approx((1 - mean**2) * 2.1 / 3.1)
    assert after < before
    type(campaign).objects.filter(pk=campaign.pk).update(weigh_votes=False)
    disputes.refresh(campaign)
    assert opened(campaign)[task.pk].urgency == pytest.approx(before)


def test_a_confident_conflict_with_the_reward_model_is_routed(campaign, raters):
    model = crown(campaign)
    against = ask(campaign, raters, 0, 0, 0)
    score(model, against, -3.0, 3.0)
    unsure = ask(campaign, raters, 0, 0, 0)
    score(model, unsure, -0.2, 0.2)
    agreeing = ask(campaign, raters, 0, 0, 0)
    score(model, agreeing, 3.0, -3.0)
    disputes.refresh(campaign)
    rows = opened(campaign)
    assert set(rows) == {against.pk}
    row = rows[against.pk]
    assert (row.reason, row.evidence["model"], row.evidence["margin"]) == ("conflict", model.name, -6.0)
    assert row.urgency == pytest.approx(3 / 4 * (2 / (1 + 2.718281828**-6) - 1))


def test_a_model_that_boasts_is_believed_as_far_as_its_temperature_says(campaign, raters):
    model = crown(campaign)
    type(model).objects.filter(pk=model.pk).update(options={"temperature": 2.0})
    sure, boasting = ask(campaign, raters, 0, 0, 0), ask(campaign, raters, 0, 0, 0)
    score(model, sure, -3.0, 3.0)
    score(model, boasting, -2.0, 2.0)  # σ(4) = .98, σ(4 / 2) = .88
    disputes.refresh(campaign)
    (row,) = opened(campaign).values()
    assert row.task == sure
    assert row.urgency == pytest.approx(3 / 4 * (2 / (1 + 2.718281828**-3) - 1))
    assert model_says(row, -6.0)["sure"] == pytest.approx(1 / (1 + 2.718281828**-3))


def test_flags_gold_and_open_tasks(campaign, raters):
    flagged = ask(campaign, raters, 0, 0, flags=("unsafe",))
    gold = ask(campaign, raters, 0, 1)
    Task.objects.filter(pk=gold.pk).update(gold=True)
    unfinished = make_open_round(campaign, overlap=3).tasks.get()
    vote(raters[0], unfinished, 0)
    vote(raters[1], unfinished, 1)
    disputes.refresh(campaign)
    rows = opened(campaign)
    assert {pk: row.reason for pk, row in rows.items()} == {flagged.pk: "flag"}
    rounds.close(unfinished.round)  # nobody is asked any more
    disputes.refresh(campaign)
    assert set(opened(campaign)) == {flagged.pk, unfinished.pk}


def test_what_is_no_dispute_any_more_goes(campaign, manager, raters):
    ask(campaign, raters, 0, 1)
    held = ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    Adjudication.objects.exclude(task=held).update(urgency=0.01)
    mine = adjudication.claim(manager, campaign)
    assert mine.task_id == held.pk
    for round_ in campaign.rounds.all():
        rounds.close(round_)
    reopening.reopen(campaign, raters[1], manager, "Why.")
    disputes.refresh(campaign)
    assert set(opened(campaign)) == {held.pk}  # a reviewer has it before them


def test_the_most_urgent_comes_first_and_nobody_gets_the_same(campaign, manager, raters):
    other = make_user(Role.MANAGER)
    near, apart = ask(campaign, raters, 0, None), ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    first, second = adjudication.claim(manager, campaign), adjudication.claim(other, campaign)
    assert (first.task_id, second.task_id) == (apart.pk, near.pk)
    assert adjudication.claim(manager, campaign) == first
    assert adjudication.claim(make_user(Role.MANAGER), campaign) is None
    adjudication.release(first, manager)
    assert adjudication.claim(make_user(Role.MANAGER), campaign).pk == first.pk
    with pytest.raises(ReviewError):
        adjudication.decide(first, manager, -2)


def test_nobody_decides_on_what_they_judged(campaign, manager, raters):
    campaigns.add_rater(campaign, manager, manager)
    ask(campaign, (manager, raters[0]), 0, 1)
    disputes.refresh(campaign)
    assert adjudication.claim(manager, campaign) is None
    assert adjudication.claim(make_user(Role.MANAGER), campaign) is not None


def test_the_final_word_is_in_task_order_noted_and_said_once(campaign, manager, raters):
    task = ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    row = adjudication.claim(manager, campaign)
    with pytest.raises(ReviewError):
        adjudication.votes(row)  # blind until decided
    with pytest.raises(SubmissionError):
        adjudication.decide(row, manager, 5)
    done = adjudication.decide(row, manager, -2)
    left = adjudication.order_shown(row)[0]
    assert done.verdict == (-2 if left == 0 else 2)
    assert AuditEvent.objects.get(action="adjudicate").target == f"labeling.task:{task.pk}"
    with pytest.raises(ReviewError):
        adjudication.decide(row, manager, 2)
    assert adjudication.claim(manager, campaign) is None
    assert disputes.refresh(campaign) == 0  # what is decided is not opened again
    # the votes on the sides that the reviewer saw
    seen = {vote.judgment.rater.username: vote.verdict for vote in adjudication.votes(done)}
    assert seen == {"rafi": -2 if left == 0 else 2, "rosa": 2 if left == 0 else -2}


def test_a_cause_is_given_once_and_a_gap_goes_into_the_guideline(campaign, manager, raters):
    for positions in ((0, 1), (1, 0)):
        ask(campaign, raters, *positions)
    disputes.refresh(campaign)
    first = adjudication.decide(adjudication.claim(manager, campaign), manager, -2)
    with pytest.raises(ReviewError):
        adjudication.sort(first, manager, "guideline_gap")
    with pytest.raises(ReviewError):
        adjudication.sort(first, manager, "weather")
    adjudication.sort(first, manager, "guideline_gap", "Both are defensible.", "Say whether length counts.")
    with pytest.raises(ReviewError):
        adjudication.sort(first, manager, "rater_error")
    gap = gaps.listed(campaign).get()
    assert (gap.text, gap.verdict, gap.status) == ("Say whether length counts.", first.verdict, "open")
    example = gaps.make_example(gap, manager, "{A} is shorter.")
    assert (example.use, example.verdict, example.explanation) == (
        "edge_case",
        gap.verdict,
        "{A} is shorter.",
    )
    gap.refresh_from_db()
    assert (gap.status, gap.example, gap.settled_by) == ("taken_up", example, manager)
    with pytest.raises(ReviewError):
        gaps.dismiss(gap, manager, "Why.")
    second = adjudication.decide(adjudication.claim(manager, campaign), manager, 0)
    adjudication.sort(second, manager, "guideline_gap", gap="Say what a tie is.")
    other = gaps.listed(campaign).get(status="open")
    with pytest.raises(ReviewError):
        gaps.dismiss(other, manager, " ")
    gaps.dismiss(other, manager, "It says so.")
    assert [g.status for g in gaps.listed(campaign)] == ["dismissed", "taken_up"]


def test_a_refused_example_leaves_the_gap_open(campaign, manager, raters):
    ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    row = adjudication.decide(adjudication.claim(manager, campaign), manager, -2)
    adjudication.sort(row, manager, "guideline_gap", gap="What of length?")
    gap = gaps.listed(campaign).get()
    with pytest.raises(CampaignError):
        gaps.make_example(gap, manager, "")
    gap.refresh_from_db()
    assert gap.status == "open"


def test_figures_have_their_interval_and_n(campaign, manager, raters):
    empty = adjudication.measure(campaign)
    assert (empty.people.value, empty.people.why) == (None, "nothing has been decided yet")
    model = crown(campaign)
    tasks = [ask(campaign, raters, 0, 0, 1) for _ in range(2)]
    for task in tasks:
        score(model, task, -1.0, 1.0)  # the model prefers the second
    disputes.refresh(campaign)
    for right in (0, 1):
        row = adjudication.claim(manager, campaign)
        left = adjudication.order_shown(row)[0]
        row = adjudication.decide(row, manager, -2 if left == right else 2)
    adjudication.sort(row, manager, "rater_error")
    found = adjudication.measure(campaign)
    assert (found.people.value, found.people.n) == (0.5, 2)
    assert (found.model.value, found.model.n) == (0.5, 2)
    assert (found.causes["rater_error"].value, found.causes["rater_error"].n) == (1.0, 1)
    assert found.causes["model_error"].value == 0.0
    assert found.people.interval[0] < 0.5 < found.people.interval[1]


@pytest.mark.django_db(transaction=True)
def test_reviewers_at_once_never_hold_the_same(manager, raters):
    campaign = make_campaign(by=manager, raters=raters)
    for _ in range(6):
        ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    reviewers = [make_user(Role.MANAGER) for _ in range(3)]
    taken, errors = [], []

    def review(reviewer):
        try:
            while (row := adjudication.claim(reviewer, campaign)) is not None:
                taken.append(row.pk)
                adjudication.decide(row, reviewer, 2)
                disputes.refresh(campaign)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=review, args=(r,)) for r in reviewers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert len(taken) == len(set(taken)) == 6
    assert Adjudication.objects.filter(decided_at=None).count() == 0
    assert Judgment.objects.count() == 12
    assert GuidelineGap.objects.count() == 0
