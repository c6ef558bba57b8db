"""Comparisons chosen in a round: what is asked, when more is opened, what is noted, and when it stops."""

from itertools import pairwise
from random import Random

import pytest
from celery import current_app
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from labeling import assignment, batches, campaigns, rounds
from labeling.models import Campaign, Slot, Task, TaskResponse
from tests import cast
from tests.training import choices
from training import choosing, loop, payoff, selection
from training.loop import Action
from training.tasks import choose_pairs

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet_queues():
    cache.clear()
    yield
    current_app.control.purge()
    cache.clear()


@pytest.fixture
def rater():
    return cast.make_user()


@pytest.fixture
def campaign(rater):
    return cast.make_campaign(
        raters=(rater,), tasks_per_round=80, retrain_after=1000, choose_pairs=True, weigh_votes=False
    )


def asked(round_):
    return round_.tasks.exclude(task_responses=None)


def test_the_first_batch_is_random_and_the_rest_waits_without_slots(campaign, rater):
    round_ = choices.make_choosing_round(campaign)
    assert asked(round_).count() == 20
    assert batches.waiting(round_).count() == 60
    assert set(asked(round_).values_list("selection", flat=True)) == {"random"}
    assert set(Slot.objects.values_list("task", flat=True)) == set(asked(round_).values_list("pk", flat=True))
    for task in asked(round_).select_related("prompt"):
        assert task.probability == pytest.approx(1 / 6)
        assert {r.prompt_id for r in task.responses.all()} == {task.prompt_id}
    assert choices.judge(rater, campaign) == 20
    assert loop.decide(loop.read_facts(campaign)).action is Action.WAIT, "its next batch is still to be asked"


def test_more_is_opened_before_raters_run_out_and_chosen_once_enough_was_said(campaign, rater):
    campaign.tasks_per_round = 120
    campaign.save()
    round_ = choices.make_choosing_round(campaign)
    trunk = choices.make_trunk(campaign)
    choices.read_all(round_, trunk)
    assert batches.lacking(round_) == 0
    choices.judge(rater, campaign, 9)
    assert batches.lacking(round_) == 0, "more than half a batch is open"
    choices.judge(rater, campaign, 1)
    assert batches.lacking(round_) == 10
    for _turn in range(11):
        choose_pairs(round_.pk)
        assert Slot.objects.filter(status="open").count() > 10 or not batches.waiting(round_).exists()
        choices.judge(rater, campaign, 11)
    round_.refresh_from_db()
    done = asked(round_).select_related("prompt")
    assert not batches.waiting(round_).exists()
    active = done.filter(selection="active")
    assert 10 <= active.count() <= 50
    assert {task.prompt.split for task in active} == {"train"}
    assert {task.probability for task in active} == {1.0}
    pairs = [tuple(sorted(task.responses.values_list("pk", flat=True))) for task in done]
    assert len(set(pairs)) == len(pairs), "no pair is asked twice"
    assert round_.selection["refit"]["labels"] >= choosing.FEWEST
    assert round_.selection["why"] == ""
    assert round_.selection["trunk"] == trunk.pk
    gains = [example["gain"] for example in round_.selection["examples"]]
    assert gains
    assert all(one >= other for one, other in pairwise(gains))
    choices.judge(rater, campaign)
    assert loop.decide(loop.read_facts(campaign)).action is Action.CLOSE_ROUND


def test_held_out_prompts_are_asked_about_random_pairs_of_their_own(campaign, rater):
    round_ = choices.make_choosing_round(campaign)
    planned = set(round_.tasks.filter(prompt__split="test").values_list("pk", "prompt"))
    choices.read_all(round_, choices.make_trunk(campaign))
    while choices.judge(rater, campaign, 10):
        choose_pairs(round_.pk)
    held_out = round_.tasks.filter(prompt__split="test")
    assert set(held_out.values_list("pk", "prompt")) == planned
    assert set(held_out.values_list("selection", flat=True)) == {"random"}


@pytest.mark.parametrize(
    ("why", "prepare"),
    [
        ("no trunk", lambda round_: None),
        ("few labels", lambda round_: choices.read_all(round_, choices.make_trunk(round_.campaign))),
        ("reading", lambda round_: choices.make_trunk(round_.campaign)),
        ("off", lambda round_: Campaign.objects.update(choose_pairs=False)),
        ("stopped", lambda round_: selection.stop(round_.campaign, {"labels": 1000})),
    ],
)
def test_what_cannot_be_chosen_is_drawn_and_the_reason_is_noted(campaign, rater, why, prepare):
    round_ = choices.make_choosing_round(campaign)
    prepare(round_)
    round_.campaign.refresh_from_db()
    choices.judge(rater, campaign, 15)
    choosing.refill(round_, choosing.runs.first_checkpoint(campaign))
    assert asked(round_).count() == 35
    assert round_.selection["why"] == why
    assert set(asked(round_).values_list("selection", flat=True)) == {"random"}


def test_a_trunk_that_cannot_be_read_is_named_and_pairs_are_drawn(campaign, rater):
    round_ = choices.make_choosing_round(campaign)
    choices.make_trunk(campaign)
    choices.judge(rater, campaign, 15)
    choose_pairs(round_.pk)
    round_.refresh_from_db()
    assert "/nowhere" in round_.selection["unreadable"]
    choices.judge(rater, campaign, 15)
    choose_pairs(round_.pk)
    round_.refresh_from_db()
    assert round_.selection["why"] == "unreadable"
    assert not selection.due(round_)


def test_a_fast_rater_finds_work_while_slower_ones_lag(campaign, rater):
    campaign.overlap = 3
    campaign.save()
    round_ = choices.make_choosing_round(campaign)
    assert choices.judge(rater, campaign, 20) == 20
    other = cast.make_user()
    campaigns.add_rater(campaign, other, campaign.created_by)
    assignment.claim(other, campaign)
    assert batches.lacking(round_) == 0, "who doesn't work just now waits for nothing"
    choices.judge(rater, campaign, 0)
    batches.ask_at_random(round_, 1)
    assignment.claim(rater, campaign)
    assert batches.lacking(round_) == 20


def test_a_round_that_closed_meanwhile_gets_nothing(campaign):
    round_ = choices.make_choosing_round(campaign)
    before = TaskResponse.objects.count()
    rounds.close(round_)
    assert batches.ask_at_random(round_, 20) == 0
    assert TaskResponse.objects.count() == before
    assert not Slot.objects.filter(status="open").exists()


def test_two_choices_at_once_ask_each_pair_and_place_once(campaign):
    round_ = choices.make_choosing_round(campaign)
    tasks = list(batches.waiting(round_).select_related("prompt")[:10])
    picks = batches.draw(tasks, batches.possible(round_), Random(1))
    assert batches.ask(round_, picks) == 10
    assert batches.ask(round_, picks) == 0
    again = [
        batches.Pick(task.pk, picks[0].pair, Task.Selection.RANDOM, 0.5) for task in batches.waiting(round_)
    ]
    assert batches.ask(round_, again) == 0
    assert batches.ask(round_, picks, give_up=tasks) == 0
    assert not round_.tasks.filter(status="cancelled").exists()


def test_what_no_pair_is_left_for_is_cancelled(campaign, rater):
    campaign.tasks_per_round = 80
    campaign.save()
    round_ = choices.make_choosing_round(campaign, answers=2)
    for _turn in range(5):
        choices.judge(rater, campaign)
        choose_pairs(round_.pk)
    assert round_.tasks.filter(status="done").count() == 40, "a pair for each prompt"
    assert round_.tasks.filter(status="cancelled").count() == 40
    assert loop.decide(loop.read_facts(campaign)).action is Action.CLOSE_ROUND


def test_the_conductor_sends_for_a_choice_when_one_is_due(campaign, rater, monkeypatch):
    sent = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.append((name, args)))
    round_ = choices.make_choosing_round(campaign)
    selection.tend()
    selection.tend()
    assert sent == [("training.tasks.choose_pairs", [round_.pk])], "once, until it is answered"
    choose_pairs(round_.pk)
    selection.tend()
    assert len(sent) == 1, "nothing is due"
    choices.judge(rater, campaign, 15)
    campaigns.pause_loop(campaign, "A run failed.")
    selection.tend()
    assert len(sent) == 2, "raters go on while the loop is paused"
    with CaptureQueriesContext(connection) as queries:
        selection.tend()
    assert len(queries) <= 4


# -- whether it pays ------------------------------------------------------------------------------------


def test_the_arms_are_compared_at_equal_numbers_on_the_random_stream(campaign, rater, monkeypatch):
    monkeypatch.setattr(payoff, "SMALLEST", 10)
    campaign.tasks_per_round = 120
    campaign.save()
    round_ = choices.make_choosing_round(campaign)
    choices.read_all(round_, choices.make_trunk(campaign))
    while choices.judge(rater, campaign, 10):
        choose_pairs(round_.pk)
    choose_pairs(round_.pk)
    round_.refresh_from_db()
    found = round_.selection["payoff"]
    assert 0 < found["held_out"] <= round_.tasks.filter(prompt__split="test", counted=1).count()
    assert found["active"] + found["random"] == found["labels"]
    assert [point["labels"] for point in found["curve"]] == payoff.sizes(
        min(found["active"], found["random"])
    )
    assert found["verdict"] == "early"
    assert found["saved"] is None
    assert 0.5 < found["everything"]["value"] <= 1


def test_it_stops_when_it_does_not_pay_and_a_manager_can_begin_again(campaign, rater, monkeypatch):
    found = {"payoff": payoff.pays(*[payoff.np.array(hits) for hits in ([0.0, 1], [1.0, 1], [1, 2])], 1000)}
    monkeypatch.setattr(payoff, "compare", lambda *_: dict(found))
    monkeypatch.setattr(payoff, "_mine", lambda votes, round_: payoff.np.ones(1000, bool))
    round_ = choices.make_choosing_round(campaign)
    payoff.measure(round_, choices.make_trunk(campaign))
    campaign.refresh_from_db()
    assert campaign.selection["stopped"]["labels"] == 1000
    assert campaign.selection["stopped"]["value"] == -0.5
    assert rounds.begin_choosing(campaign) == {}
    selection.resume(campaign, campaign.created_by)
    last = Task.objects.order_by("-pk").first().pk
    assert campaign.selection == {"since": last}
    assert rounds.begin_choosing(campaign) == {"answers": 4}


def test_what_is_saved_is_read_between_the_points_of_the_curve():
    def curve(*points):
        return [{"labels": n, "likelihood": both} for n, *both in points]

    assert payoff.saved(curve((50, -0.6, -0.65), (100, -0.5, -0.6), (200, -0.4, -0.5))) == pytest.approx(0.5)
    assert payoff.saved(curve((50, -0.6, -0.65), (100, -0.5, -0.6), (200, -0.4, -0.45))) == pytest.approx(
        0.25
    )
    assert payoff.saved(curve((50, -0.6, -0.65), (100, -0.6, -0.6))) == pytest.approx(0.5)
    assert payoff.saved(curve((50, -0.6, -0.55), (100, -0.5, -0.45))) is None
    assert payoff.sizes(201) == [25, 50, 100, 201]
