"""Gold tasks: made, mixed in unseen, counted nowhere, retired when their answer has got about."""

import json
import re
from uuid import uuid4

import pytest
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from accounts import tokens
from accounts.models import AuditEvent
from labeling import agreement, assignment, golds, judgments, origins, progress, rounds
from labeling.golds import GoldError
from labeling.models import Campaign, Gold, Round, Score, Slot, Task
from models_app.models import ModelVersion
from tests.cast import make_campaign, make_open_round, make_user
from tests.labeling.crowd import vote
from training import loop, snapshots

pytestmark = pytest.mark.django_db


@pytest.fixture
def raters():
    return tuple(make_user() for _ in range(4))


@pytest.fixture
def campaign(raters):
    return make_campaign(raters=raters, gold_share=1.0)


def say(rater, slot, side):
    """Answer for a position of the task: 0, 1, or None for neither."""
    verdict = 0 if side is None else (-2 if slot.order_shown[0] == side else 2)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)


def make(task, verdict=-2, **more):
    return golds.make(task, task.campaign.created_by, verdict, **more)


def test_everybody_may_get_a_gold_task_and_nobody_twice(raters, campaign):
    task = make_open_round(campaign, comparisons=6).tasks.order_by("pk")[2]
    make(task)
    for rater in raters:
        slot = assignment.claim(rater, campaign)
        assert slot.task_id == task.pk
        say(rater, slot, 0)
        assert assignment.claim(rater, campaign).task_id != task.pk
    golds.tend(campaign)
    task.refresh_from_db()
    assert (task.counted, task.overlap, task.status) == (4, 4, Task.Status.DONE)


def test_only_so_many_places_are_open_at_once(campaign, monkeypatch):
    monkeypatch.setattr(golds, "RESERVE", 2)
    task = make_open_round(campaign, comparisons=2).tasks.order_by("pk")[0]
    make(task)
    for _again in range(2):
        golds.tend(campaign)
        assert Slot.objects.filter(task=task, status=Slot.Status.OPEN).count() == 2


def test_a_rater_is_right_on_the_same_side_or_within_the_tolerance(raters, campaign):
    first, second = make_open_round(campaign, comparisons=2).tasks.order_by("pk")
    make(first, 3)  # the second answer is much better
    make(second, 1, tolerance=1)
    for rater, (side, strength) in zip(raters, [(1, 1), (0, 2), (None, 0), (1, 3)], strict=True):
        for _task in (first, second):
            slot = assignment.claim(rater, campaign)
            verdict = strength if slot.order_shown[1] == side else -strength
            judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)
    # of the first, the side alone counts; of the second, +1, −2, 0, +3 are 0, 3, 1 and 2 steps off
    told = golds.scores(campaign)
    assert [told[rater.pk] for rater in raters] == [(2, 2), (0, 2), (1, 2), (1, 2)]
    assert golds.scores(campaign, [raters[0].pk]) == {raters[0].pk: (2, 2)}


def test_what_was_said_before_a_task_became_gold_is_not_held_against_it(raters, campaign):
    task = make_open_round(campaign, overlap=2).tasks.get()
    say(raters[0], assignment.claim(raters[0], campaign), 1)
    make(task, -2)
    say(raters[1], assignment.claim(raters[1], campaign), 0)
    assert golds.scores(campaign) == {raters[1].pk: (1, 1)}


def test_an_undone_answer_is_told_anew(raters, campaign):
    task = make_open_round(campaign).tasks.get()
    make(task, -2)
    said = say(raters[0], assignment.claim(raters[0], campaign), 1)
    say(raters[0], judgments.undo(raters[0], said), 0)
    assert golds.scores(campaign) == {raters[0].pk: (1, 1)}


def test_gold_tasks_count_nowhere(raters, campaign):
    Campaign.objects.filter(pk=campaign.pk).update(overlap_cap=5, overlap=2, certainty=0.8)
    round_ = make_open_round(campaign, comparisons=3, overlap=2)
    gold = round_.tasks.order_by("pk")[0]
    make(gold)
    for rater in raters[:2]:
        say(rater, assignment.claim(rater, campaign), 0 if rater == raters[0] else 1)
    Campaign.objects.filter(pk=campaign.pk).update(gold_share=0)
    for rater in raters[:2]:
        say(rater, assignment.claim(rater, campaign), 0)
    work = progress.of_rater(raters[0])[0]
    assert (work.counted, work.wanted) == (2, 4)
    assert work.mine.ever == 2  # of their own work, raters miss nothing
    assert agreement.of_rater(raters[0], [campaign])[campaign.pk].n <= 1
    rows = list(snapshots.rows(snapshots.cut(campaign)))
    assert sum(len(row["judgments"]) for row in rows) == 2
    Round.objects.filter(pk=round_.pk).update(origin="loop")
    assert loop.read_facts(campaign).labels == 2
    gold.refresh_from_db()
    assert gold.counted == 2


def test_a_gold_task_goes_on_in_the_next_round(raters, campaign):
    round_ = make_open_round(campaign, comparisons=2)
    task = round_.tasks.order_by("pk")[0]
    make(task)
    say(raters[0], assignment.claim(raters[0], campaign), 0)
    rounds.close(round_)
    golds.tend(campaign)
    assert assignment.claim(raters[1], campaign) is None  # alone it would be told
    make_open_round(campaign, comparisons=2)
    golds.tend(campaign)
    slot = assignment.claim(raters[1], campaign)
    assert slot.task_id == task.pk
    assert Task.objects.get(pk=task.pk).round.status == Round.Status.OPEN
    judgments.undo(raters[1], say(raters[1], slot, 1))  # like any other


def test_without_work_besides_it_a_gold_task_promises_none(raters, campaign):
    task = make_open_round(campaign).tasks.get()
    make(task)
    assert progress.of_rater(raters[0])[0].next == "wait"


def test_gold_tasks_go_with_the_last_other_work_and_come_back_with_more(raters, campaign):
    round_ = make_open_round(campaign, comparisons=2)
    task = round_.tasks.order_by("pk")[0]
    make(task)
    other = Slot.objects.filter(gold=False)
    other.update(status=Slot.Status.CANCELLED)
    golds.tend(campaign)
    assert assignment.claim(raters[0], campaign) is None
    other.update(status=Slot.Status.OPEN)
    golds.tend(campaign)
    assert assignment.claim(raters[0], campaign).task_id == task.pk


def keys(value):
    """Return the shape of a JSON value: its keys, without what they hold."""
    if isinstance(value, dict):
        return {key: keys(inner) for key, inner in value.items()}
    return [keys(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def skeleton(html):
    """Blank what differs from task to task, and the one ahead, so that only a mark of gold could differ."""
    html = re.sub(r'<template class="ahead">.*?</template>', "", html, flags=re.DOTALL)
    html = re.sub(r"Question \d+\?|Answer one, \d+\.|The other answer, number \d+\.", "·", html)
    html = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "·", html)
    html = re.sub(r'value="[A-Za-z0-9]{64}"', "·", html)
    return re.sub(r"\d+", "0", html)


def test_nothing_on_the_page_or_in_the_api_tells_a_gold_task(raters, campaign):
    """Hold page, reason and API of a gold task, a repeat and a plain task against each other."""
    Campaign.objects.filter(pk=campaign.pk).update(repeat_share=0.1)
    campaign.refresh_from_db()
    round_ = make_open_round(campaign, comparisons=4)
    before = say(raters[0], assignment.claim(raters[0], campaign), 0)  # so that each page offers an undo
    plain, gold, repeated = round_.tasks.exclude(pk=before.task_id).order_by("pk")
    make(gold)
    Task.objects.filter(pk=repeated.pk).update(repeats=plain)
    Slot.objects.filter(task=repeated).update(reserved_for=raters[0])
    pages, answers, reasons = {}, {}, {}
    rater = raters[0]
    client, api = Client(), APIClient()
    client.force_login(rater)
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(rater, 'test')}")
    for kind in ("repeat", "gold", "plain"):
        slot = assignment.claim(rater, campaign)
        task = slot.task
        assert task.pk == {"repeat": repeated, "gold": gold, "plain": plain}[kind].pk
        pages[kind] = skeleton(client.get(f"/rate/{campaign.slug}/").content.decode())
        told = api.post(f"/api/v1/rate/{campaign.slug}/next/").json()
        assert told["task"] == task.pk
        answers[kind] = keys(told)
        reasons[kind] = [
            "".join(c for c in s if not c.isdigit())
            for s in origins.explain(origins.find(rater, campaign, slot.lease))
        ]
        say(rater, slot, 0)
    assert pages["gold"] == pages["plain"] == pages["repeat"]
    assert answers["gold"] == answers["plain"] == answers["repeat"]
    assert reasons["gold"] == reasons["plain"] == reasons["repeat"]
    history = json.dumps(api.get("/api/v1/history/").json())
    assert "gold" not in history
    assert "repeat" not in history
    assert not Slot.objects.filter(rater=rater, status="claimed").exists()


def test_retired_gold_is_asked_no_more_and_stays_out_of_datasets(raters, campaign):
    task = make_open_round(campaign, comparisons=2).tasks.order_by("pk")[0]
    gold = make(task)
    say(raters[0], assignment.claim(raters[0], campaign), 0)
    golds.retire(gold, campaign.created_by, "The question was unclear.")
    golds.retire(gold, campaign.created_by, "Again.")
    assert assignment.claim(raters[1], campaign).task_id != task.pk
    gold.refresh_from_db()
    assert gold.retired_why == "The question was unclear."
    assert AuditEvent.objects.filter(action="retire gold").count() == 1
    assert golds.scores(campaign) == {raters[0].pk: (1, 1)}
    with pytest.raises(GoldError):
        golds.retire(gold, None, " ")


@pytest.mark.parametrize(
    ("right", "leaked"),
    [
        ([False] * 12 + [True] * 12, True),
        ([True, False] * 6 + [True] * 12, True),
        ([True] * 24, False),  # it is easy
        ([True] * 7 + [False] * 5 + [True] * 12, False),
        ([False] * 12 + [True] * 11, False),
        ([False] * 12 + [True] * 11 + [False], False),
    ],
)
def test_a_gold_task_has_leaked_when_everybody_is_suddenly_right(right, leaked):
    assert golds.has_leaked(right) is leaked


def test_a_leaked_gold_task_is_retired_and_judges_nobody(campaign, monkeypatch):
    monkeypatch.setattr(golds, "LATEST", 2)
    task = make_open_round(campaign, comparisons=3).tasks.order_by("pk")[0]
    gold = make(task)
    crowd = list(campaign.memberships.order_by("pk"))
    for membership, side in zip(crowd, [1, 1, 0, 0], strict=True):
        say(membership.user, assignment.claim(membership.user, campaign), side)
    golds.tend(campaign)
    gold.refresh_from_db()
    assert gold.retired_at is not None
    assert gold.retired_why == golds.LEAKED
    assert golds.scores(campaign) == {}
    assert list(golds.listed(campaign)) == [gold]
    assert golds.answered(campaign) == {gold.pk: (2, 4)}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"verdict": 4}, "verdict"),
        ({"verdict": True}, "verdict"),
        ({"verdict": 1, "tolerance": 9}, "tolerance"),
        ({"verdict": 1, "explanation": "\x00"}, "explanation"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(campaign, values, field):
    task = make_open_round(campaign).tasks.get()
    with pytest.raises(GoldError) as refused:
        make(task, **values)
    assert refused.value.field == field
    assert not Gold.objects.exists()
    assert not Task.objects.filter(gold=True).exists()


def test_only_comparisons_become_gold_and_once(raters):
    campaign = make_campaign(raters=raters, allow_ties=False)
    edit, comparison = make_open_round(campaign, comparisons=1, edits=1).tasks.order_by("-kind")
    with pytest.raises(GoldError, match="comparison"):
        make(edit)
    with pytest.raises(GoldError, match="ties"):
        make(comparison, 0)
    make(comparison)
    with pytest.raises(GoldError, match="already"):
        make(comparison)


def test_what_raters_and_the_model_agree_on_is_proposed_the_surest_first(raters, campaign):
    tasks = list(make_open_round(campaign, comparisons=4, overlap=4).tasks.order_by("pk"))
    for rater, verdicts in zip(raters[:3], [(2, -1, 1, 1), (3, -1, 1, 1), (1, -1, -1, 1)], strict=True):
        for task, verdict in zip(tasks, verdicts, strict=True):
            vote(rater, task, verdict, [0, 1])
            Task.objects.filter(pk=task.pk).update(counted=F("counted") + 1)
    found = golds.propose(campaign)
    told = [(row["task"], row["verdict"], row["votes"]) for row in found]
    assert told == [(tasks[0].pk, 2, 3), (tasks[1].pk, -1, 3), (tasks[3].pk, 1, 3)]
    model = ModelVersion.objects.create(
        family=campaign.model_family, kind="reward", name="judge", backend="transformers", location="x",
        status="champion",
    )  # fmt: skip
    for task, margin in zip(tasks, (0.5, -3, 9, -1), strict=True):
        first, second = task.task_responses.order_by("position")
        Score.objects.create(response=first.response, model=model, value=1)
        Score.objects.create(response=second.response, model=model, value=1 + margin)
    assert [row["task"] for row in golds.propose(campaign)] == [tasks[1].pk, tasks[0].pk]
    gold = golds.accept(campaign, tasks[1], campaign.created_by)
    assert (gold.verdict, gold.source) == (-1, Gold.Source.PROPOSED)
    assert [task.pk for task, _row in golds.proposals(campaign)] == [tasks[0].pk]
    with pytest.raises(GoldError):
        golds.accept(campaign, tasks[2], campaign.created_by)
