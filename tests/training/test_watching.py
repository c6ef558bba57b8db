"""The over-optimisation watch: real draws and scores of a tiny model, tasks for people, and what they say."""

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from celery import current_app
from django.core.cache import cache
from django.utils import timezone
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from labeling import rounds
from labeling.models import Campaign, Response, Round, Score, Task
from labeling.rounds import StateError
from models_app import registry, sampling
from preferences.types import Estimate
from tests import cast
from tests.training import cast as labels
from training import execution, loop, runs, second_look, snapshots, watch, watching
from training.models import Watch, WatchPick

pytestmark = pytest.mark.django_db
PROMPTS = 24


@pytest.fixture(autouse=True)
def quiet_queues(monkeypatch: pytest.MonkeyPatch):
    cache.clear()
    sent: list[tuple[str, int]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.append((name, *args)))
    yield sent
    cache.clear()


@pytest.fixture(scope="session")
def tiny_reward(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-reward")
    AutoModelForSequenceClassification.from_pretrained(tiny_policy, num_labels=1).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_policy).save_pretrained(folder)
    return folder


@pytest.fixture
def campaign(folders, champion, tiny_reward) -> Campaign:
    """Make a campaign with both champions, an open round, and test prompts to watch."""
    by = cast.make_user("manager")
    campaign = cast.make_campaign(
        by=by, tasks_per_round=400, sampling=sampling.get_config(max_new_tokens=6), overlap=2
    )
    champion(campaign.model_family, by)
    judge = registry.register(campaign.model_family, "reward", "judge", "transformers", str(tiny_reward))
    registry.promote(judge, by=by, reason="The first")
    for _ in range(PROMPTS):
        labels.make_prompt(campaign, "test")
    round_ = Round.objects.create(campaign=campaign, number=1, task_target=400)
    rounds.change(round_, "generating")
    rounds.open_(round_)
    return campaign


def look(campaign: Campaign, prompts: int = PROMPTS) -> Watch:
    started = watch.start(campaign, prompts, by=campaign.created_by)
    watching.look(started.pk)
    started.refresh_from_db()
    return started


def vote(looked: Watch, for_pick: Any, raters: int = 6) -> None:
    """Have raters judge every task of a watch once, with the sides in turn."""
    people = [cast.make_user() for _ in range(raters)]
    for number, pick in enumerate(looked.picks.exclude(task=None).select_related("task")):
        shown = [0, 1] if number % 2 else [1, 0]
        better = -2 if for_pick(pick) == (shown[0] == 0) else 2
        assert pick.task is not None
        labels.judge(pick.task, people[number % raters], better, order_shown=shown)
    watching.count(looked.pk)
    looked.refresh_from_db()


def test_a_watch_draws_chooses_and_asks_people_unseen(campaign: Campaign) -> None:
    looked = look(campaign)
    assert (looked.status, looked.error) == ("done", "")
    assert looked.proxy["sizes"] == [1, 4, 16, 64]
    promised = [size["value"] for size in looked.proxy["promised"]]
    assert promised == sorted(promised)
    assert promised[0] == pytest.approx(0.5, abs=0.1)
    assert looked.proxy["check"] == {"why": "the reward model's votes are not known here"}

    picks = list(looked.picks.select_related("task", "pick", "rival", "prompt"))
    assert len({pick.prompt_id for pick in picks}) == PROMPTS
    for prompt in {pick.prompt_id for pick in picks}:
        assert sorted(n for pick in picks if pick.prompt_id == prompt for n in pick.sizes) == [4, 16, 64]
    value = {score.response_id: score.value or 0.0 for score in Score.objects.all()}
    drawn = {r.pk: r for r in Response.objects.filter(round=None)}
    for pick in picks:
        first = [
            r for r in drawn.values() if r.prompt_id == pick.prompt_id and r.copy < 1000 + max(pick.sizes)
        ]
        assert value[pick.pick_id] == max(value[r.pk] for r in first)
        assert pick.rival.copy == 1064
        assert pick.same == (pick.pick.text_hash == pick.rival.text_hash) == (pick.task is None)
    tasks = Task.objects.filter(selection=Task.Selection.WATCH)
    assert tasks.count() == sum(not pick.same for pick in picks) > PROMPTS
    assert {task.prompt.split for task in tasks} == {"test"}
    assert {task.slots.filter(status="open").count() for task in tasks} == {2}
    assert {task.probability for task in tasks} == {1.0}


def test_the_loop_neither_waits_for_a_watch_nor_counts_it(campaign: Campaign) -> None:
    vote(look(campaign, 8), lambda pick: True)
    facts = loop.read_facts(campaign)
    assert (facts.labels, facts.asked) == (0, False)
    with pytest.raises(runs.RunError):
        runs.queue_reward(campaign, snapshots.cut(campaign))  # nothing of it is for training


def test_people_who_like_what_is_chosen_say_that_it_pays(campaign: Campaign) -> None:
    looked = look(campaign)
    assert looked.people["standing"] == ("too few" if looked.proxy["same"] < 20 else "undecided")
    vote(looked, lambda pick: True)
    reading = watch.read(looked)
    assert not reading.alarm
    assert reading.says[0] == "The proxy still pays: people prefer the best of 64 to a random answer."
    assert reading.rows[0].people == Estimate(0.5, None, 0)
    assert looked.votes == looked.picks.exclude(task=None).count()


def test_people_who_dislike_the_best_of_many_raise_the_alarm(campaign: Campaign) -> None:
    looked = look(campaign)
    vote(looked, lambda pick: 64 not in pick.sizes)
    reading = watch.read(looked)
    assert looked.people["standing"] == "stopped"
    assert reading.alarm
    assert "Don't optimise against it any further." in reading.says[0]
    assert any("promises more than people see" in sentence for sentence in reading.says)


def test_a_watch_whose_worker_died_goes_on_where_it_was(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = watch.start(campaign, 8)
    draw, calls = sampling.draw, []

    def dies(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return draw(*args, **kwargs)

    monkeypatch.setattr(sampling, "draw", dies)
    with pytest.raises(RuntimeError):
        watching.look(started.pk)
    kept = set(Response.objects.filter(round=None).values_list("pk", flat=True))
    assert len(kept) == 4 * 65
    watching.look(started.pk)  # its worker was heard of a moment ago
    assert len(calls) == 2
    watch.tend(campaign)
    Watch.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    watching.look(started.pk)
    started.refresh_from_db()
    assert (started.status, len(calls)) == ("done", 3)
    assert kept < set(Response.objects.filter(round=None).values_list("pk", flat=True))
    picks = WatchPick.objects.count()
    watching.look(started.pk)
    assert WatchPick.objects.count() == picks

    again = look(campaign, 8)
    assert len(calls) <= 6
    assert again.status == "done"


def test_where_the_round_has_closed_nobody_is_asked(campaign: Campaign) -> None:
    started = watch.start(campaign, 8)
    rounds.close(campaign.rounds.get())
    watching.look(started.pk)
    started.refresh_from_db()
    assert started.status == "done"
    assert not Task.objects.filter(selection="watch").exists()
    assert watch.read(started).rows[-1].promised.value is not None


def test_the_loop_starts_one_watch_a_round(campaign: Campaign, quiet_queues, settings) -> None:
    settings.WATCH_SHARE = 0.0
    watch.tend(campaign)
    assert not campaign.watches.exists()
    settings.WATCH_SHARE = 0.15
    watch.tend(campaign)
    started = campaign.watches.get()
    assert started.prompts == 24
    watch.tend(campaign)
    started.status = "done"
    started.save()
    watch.tend(campaign)
    assert campaign.watches.count() == 1


def test_what_cannot_be_watched_is_said(campaign: Campaign) -> None:
    watch.start(campaign, 8)
    with pytest.raises(StateError, match="still under way"):
        watch.start(campaign, 8)
    Watch.objects.update(status="done")
    with pytest.raises(StateError, match="1 to 200"):
        watch.start(campaign, 0)
    other = cast.make_campaign()
    with pytest.raises(StateError, match="champion"):
        watch.start(other, 8)
    Watch.objects.update(status="queued")
    version = registry.champion(campaign.model_family, "reward")
    assert version is not None
    version.location = "/nowhere/at/all"
    version.save()
    watching.look(campaign.watches.get().pk)
    failed = campaign.watches.get()
    assert (failed.status, failed.error) == ("failed", "There is no folder /nowhere/at/all.")


def test_a_second_look_is_fitted_to_each_half_of_the_raters(campaign: Campaign, tiny_policy: Path) -> None:
    raters = [cast.make_user() for _ in range(12)]
    for number, rater in enumerate(raters):  # which half somebody is in is drawn from the pseudonym
        rater.pseudonym = next(
            name for k in count() if second_look.half(name := f"r{number}-{k}") == number % 2
        )
        rater.save()
    old = Round.objects.create(campaign=campaign, number=2, origin="import", status="open")
    rng = np.random.default_rng(0)
    for number in range(30):
        texts = ("gladly " * rng.integers(1, 5), f"ugh no {'tea ' * rng.integers(1, 5)}")
        task = labels.make_task(old, texts)
        for rater in rng.permutation(12)[:6]:
            labels.judge(task, raters[rater], -2 if number % 7 else 2)
    run = runs.queue_reward(campaign, snapshots.cut(campaign))
    execution.prepare(run, runs.folder(run))
    run.produced = registry.champion(campaign.model_family, "reward")
    run.save()
    looked = look(campaign, 8)
    assert looked.error == ""
    check = looked.proxy["check"]
    assert sum(check["raters"]) == 12
    assert sum(check["votes"]) == 180
    assert check["halves"] > 0.8
    assert check["own"] > 0
    assert check["cross"] / check["own"] > 0.8
    assert len(watch.read(looked).says) >= 3
