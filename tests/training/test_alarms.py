"""Alarms: a taste for length, a poisoned reward model and a disliked policy pause the loop, in words."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from celery import current_app
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from labeling import generation, rounds, scores
from labeling.models import Campaign, Round, Task, TaskResponse
from models_app import registry, sampling
from models_app.models import ModelVersion, Promotion
from preferences.simulation import TASTES, SimulatedRater
from preferences.types import Estimate, Interval
from tests import cast
from tests.training import cast as labels
from tests.training import engine_here
from training import alarms, bands, execution, loop, runs, safeguards, snapshots, tasks, vitals
from training.bands import FIGURES, BandError
from training.models import Alarm, AlarmFigure, Evaluation, Run

GOOD, BAD = "gladly wait four minutes please", "ugh no"


@pytest.fixture(autouse=True)
def quiet_queues() -> Iterator[None]:
    cache.clear()
    yield
    current_app.control.purge()
    cache.clear()


def figure(value: float | None, low: float | None = None, high: float | None = None, n: int = 99) -> Estimate:
    return Estimate(value, None if low is None or high is None else Interval(low, high), n)


@pytest.mark.parametrize(
    ("estimate", "side"),
    [
        (figure(1.6, 1.52, 1.7), "high"),
        (figure(1.6, 1.4, 1.8), ""),  # it may be chance
        (figure(1.6, 1.52, 1.7, n=29), ""),  # too few to say
        (figure(1.6), "high"),
        (figure(0.3, 0.25, 0.35), "low"),
        (figure(1.0, 0.9, 1.1), ""),
        (figure(None), ""),
    ],
)
def test_a_figure_alarms_where_its_whole_interval_has_left_the_band(estimate: Estimate, side: str) -> None:
    found = alarms.raise_({"length": estimate}, {"length": FIGURES["length"].band})
    assert [raised.values["side"] for raised in found] == ([side] if side else [])
    assert not alarms.raise_({"length": estimate}, {"length": (None, None)})


@pytest.fixture
def people() -> list[User]:
    return [cast.make_user() for _ in range(12)]


@pytest.fixture
def campaign(folders: Path, champion) -> Campaign:
    by = cast.make_user("manager")
    campaign = cast.make_campaign(
        by=by,
        hyper={"reward": {"epochs": 6, "learning_rate": 0.01}},
        tasks_per_round=90,
        retrain_after=1000,
        sampling=sampling.get_config(max_new_tokens=30),
    )
    champion(campaign.model_family, by)
    for split in ("train", "test"):
        for _ in range(45):
            labels.make_prompt(campaign, split)
    return campaign


def opened(campaign: Campaign) -> Round:
    """Have the loop begin a round and the policy answer it."""
    loop.tick(campaign)
    round_ = loop.last_round(campaign)
    assert round_ is not None
    assert generation.generate(round_.pk)
    return round_


@pytest.mark.django_db(transaction=True)
def test_a_taste_for_length_alone_pauses_the_loop(campaign: Campaign, people: list[User]) -> None:
    round_ = opened(campaign)
    taste, rng = TASTES["length"], np.random.default_rng(0)
    rater = SimulatedRater("lover of length", noise=0.0)
    for number, task in enumerate(round_.tasks.filter(status="open").order_by("prompt__content_hash", "pk")):
        texts = [place.response.text for place in task.task_responses.order_by("position")]
        liked = [taste.utility("", text) for text in texts]
        labels.judge(task, people[number % 12], rater.vote(liked[0], liked[1], rng))
    assert loop.tick(campaign).says.startswith("Waiting for labels")
    tasks.refresh_alarms(campaign.pk)
    measured = AlarmFigure.objects.get(name="longer").estimate
    assert measured["interval"][0] > 0.8, measured
    assert loop.describe(campaign).endswith("above 80.0 % people seem to go by length.")
    assert loop.tick(campaign).says.endswith("people seem to go by length.")
    campaign.refresh_from_db()
    assert campaign.loop_paused.endswith("people seem to go by length.")
    alarm = Alarm.objects.get()
    assert (alarm.name, alarm.round) == ("longer", round_)
    assert alarm.paused_at is not None

    manager = campaign.created_by
    assert manager is not None
    with pytest.raises(BandError, match="Say why"):
        alarms.resume(campaign, manager, " ")
    alarms.resume(campaign, manager, "Length is what we want here.")
    tasks.refresh_alarms(campaign.pk)
    assert loop.tick(campaign).says.startswith("Waiting for labels")  # it is settled for this round
    alarm.refresh_from_db()
    assert (alarm.settled_by, alarm.reason) == (manager, "Length is what we want here.")


def judged_texts(
    round_: Round, people: list[User], verdict: int, policies: tuple[ModelVersion, ModelVersion] | None = None
) -> None:
    """Have a round compare 40 times GOOD with BAD, the first three of four for training."""
    for number in range(40):
        prompt = labels.make_prompt(round_.campaign, "train" if number % 4 else "test")
        task = Task.objects.create(
            campaign=round_.campaign, round=round_, prompt=prompt, kind="compare", overlap=50, probability=0.5
        )
        for position, text in enumerate((GOOD, BAD)):
            answer = cast.make_response(prompt, f"{text} {number % 5 * 'tea '}".strip(), round_)
            if policies is not None:
                answer.policy = policies[position]
                answer.save()
            TaskResponse.objects.create(task=task, response=answer, position=position)
        labels.judge(task, people[number % 12], verdict)


def poisoned(campaign: Campaign, people: list[User]) -> Run:
    """Fit a reward model to a round whose votes were all turned round, and put it to use."""
    round_ = Round.objects.create(campaign=campaign, number=1, status="closed")
    judged_texts(round_, people, 2)
    run = engine_here.execute(runs.queue_reward(campaign, snapshots.cut(campaign), round=round_))
    assert run.produced is not None
    registry.promote(run.produced, by=campaign.created_by, reason="Its figures are fine")
    return run


def improved(campaign: Campaign, round_: Round) -> Run:
    """Make a policy that says what the reward model likes, and put it to use; its samples are scored."""
    base = registry.champion(campaign.model_family, "policy")
    judge = registry.champion(campaign.model_family, "reward")
    assert base is not None
    assert judge is not None
    produced = registry.register(
        campaign.model_family, "policy", "improved", "transformers", base.location, parent=base
    )
    run = Run.objects.create(
        campaign=campaign, kind="policy", snapshot=snapshots.cut(campaign), round=round_, parent=base,
        reward_model=judge, produced=produced, status="succeeded", config={"hyper": {}},
    )  # fmt: skip
    folder = runs.folder(run)
    folder.mkdir(parents=True)
    execution.prepare(run, folder)
    asked = {prompt.content_hash: prompt.messages for prompt in campaign.prompts.filter(split="test")[:40]}
    rows = [("candidate", BAD), ("parent", GOOD)]
    talks = [[*talk, {"role": "assistant", "content": text}] for _, text in rows for talk in asked.values()]
    table = {
        "prompt_id": [key for _ in rows for key in asked],
        "policy": [name for name, _ in rows for _ in asked],
        "text": [text for _, text in rows for _ in asked],
        "reward": registry.reward_model(judge).score(talks),
    }
    pq.write_table(pa.table(table), folder / "samples.parquet")
    registry.promote(produced, by=campaign.created_by, reason="The reward model loves it")
    return run


@pytest.mark.django_db
def test_a_poisoned_reward_model_pauses_the_loop(
    campaign: Campaign,
    people: list[User],
    client: Client,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    poisoned(campaign, people)
    first = loop.last_round(campaign)
    assert first is not None
    run = improved(campaign, first)
    Evaluation.objects.create(run=run, passed=True, checks=safeguards._on_samples(run))
    new = run.produced
    assert new is not None
    assert new.parent is not None
    second = Round.objects.create(campaign=campaign, number=2, task_target=400)
    rounds.change(second, "generating")
    rounds.open_(second)
    judged_texts(second, people, -2, (new.parent, new))
    assert scores.fill(campaign) > 0
    raised = {alarm.name: alarm for alarm in vitals.refresh(campaign)}
    assert set(raised) >= {"reward", "proxy_gap", "predecessor"}
    measured = {row.name: row.estimate for row in AlarmFigure.objects.filter(round=second)}
    assert measured["reward"]["value"] < 0.1
    assert measured["champion"]["value"] == 0.0
    assert measured["proxy_gap"]["value"] > 0.5
    assert measured["agreement"]["why"] == "no item has two ratings yet"
    assert measured["length"]["why"]  # no run of this round yet
    of_first = {row.name: row.estimate for row in AlarmFigure.objects.filter(round=first)}
    assert of_first["length"]["value"] == pytest.approx(2 / 5)
    assert of_first["kl"]["value"] == pytest.approx(0.0, abs=1e-6)  # the same weights

    step = loop.tick(campaign)
    campaign.refresh_from_db()
    assert step.says == campaign.loop_paused != ""
    assert {alarm.paused_at is not None for alarm in campaign.alarms.all()} == {True}

    manager = campaign.created_by
    assert manager is not None
    client.force_login(manager)
    with django_assert_max_num_queries(14):
        page = client.get(reverse("alarms", args=[campaign.slug])).content.decode()
    assert "The loop is paused" in page
    assert "prefers what people don&#x27;t" in page
    assert "Consider going back" in page
    assert f'action="{reverse("roll_back", args=[new.pk])}"' in page
    told = client.get(reverse("api_alarms", args=[campaign.slug])).json()
    assert {alarm["name"] for alarm in told["alarms"]} == set(raised)
    assert told["bands"]["length"] == [0.4, 1.5]
    lines = client.get(reverse("alarms_csv", args=[campaign.slug])).content.decode().splitlines()
    assert len(lines) == 1 + 2 * len(FIGURES)
    shown = [each for each in told["figures"] if each["figure"] == "reward" and each["round"] == 2]
    assert f"2,reward,{shown[0]['estimate']['value']}" in "\n".join(lines)


@pytest.mark.django_db
def test_a_quiet_campaign_raises_nothing_and_says_what_is_missing(
    campaign: Campaign, people: list[User]
) -> None:
    assert vitals.refresh(campaign) == []
    round_ = Round.objects.create(campaign=campaign, number=1, task_target=400)
    rounds.change(round_, "generating")
    rounds.open_(round_)
    for number in range(40):
        task = labels.make_task(round_, ("short", "a longer answer"))
        for rater in people[:2]:
            labels.judge(task, rater, 2 if number % 2 else -2)
    assert vitals.refresh(campaign) == []
    measured = {row.name: row.estimate for row in AlarmFigure.objects.all()}
    assert set(measured) == set(FIGURES)
    assert measured["longer"]["value"] == 0.5
    assert measured["agreement"]["value"] == 1.0
    assert measured["proxy_gap"]["why"] == "no policy has been improved and promoted yet"
    assert alarms.pending(campaign) == ""
    assert [each[0] for each in alarms.history(campaign)] == [1] * len(FIGURES)


@pytest.mark.django_db
def test_the_conductor_has_figures_measured_once_there_is_something_new(
    campaign: Campaign,
    people: list[User],
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: sent.append(name))

    def tend() -> None:
        cache.delete(f"alarms:{campaign.pk}")
        with django_capture_on_commit_callbacks(execute=True):
            alarms.tend(campaign)
            alarms.tend(campaign)

    tend()
    tend()
    assert sent == [alarms.REFRESH]
    task = labels.make_task(cast.make_round(campaign), ("a", "b"))
    labels.judge(task, people[0], 1)
    tend()
    assert len(sent) == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lenght": [0, 1]}, "no figure “lenght”"),
        ({"length": [2, 1]}, "must be below"),
        ({"length": [1]}, "two limits"),
        ({"length": ["1", None]}, "two limits"),
        ({"suite": "hard"}, "one of language, demo, none"),
    ],
)
def test_bands_that_cannot_be_are_refused_whole(campaign: Campaign, given, words: str) -> None:
    manager = campaign.created_by
    assert manager is not None
    with pytest.raises(BandError, match=words):
        bands.change(campaign, manager, {"kl": [None, 5], **given})
    campaign.refresh_from_db()
    assert campaign.bands == {}


@pytest.mark.django_db
def test_managers_change_bands_on_the_page_and_over_the_api(campaign: Campaign, client: Client) -> None:
    assert campaign.created_by is not None
    client.force_login(campaign.created_by)
    page = reverse("alarms", args=[campaign.slug])
    posted = {"low-longer": "10", "high-longer": "", "low-kl": "", "high-kl": "50", "suite": "demo"}
    assert client.post(page, posted).status_code == 302
    campaign.refresh_from_db()
    assert campaign.bands == {"longer": [0.1, None], "suite": "demo"}  # the usual ones aren't kept
    assert bands.limits(campaign, "longer") == (0.1, None)
    client.post(page, {"low-kl": "a", "high-kl": ""})
    assert "isn&#x27;t a number" in client.get(page).content.decode()
    api = reverse("api_alarms", args=[campaign.slug])
    answer = client.patch(api, json.dumps({"bands": {"longer": None}}), "application/json")
    assert answer.json()["bands"]["longer"] == [0.2, 0.8]
    answer = client.patch(api, json.dumps({"bands": {"kl": "much"}}), "application/json")
    assert (answer.status_code, list(answer.json())) == (400, ["kl"])
    assert client.post(api, json.dumps({"reason": ""}), "application/json").status_code == 400


@pytest.mark.django_db
def test_a_model_is_judged_by_the_promotion_before_its_round(campaign: Campaign) -> None:
    round_ = Round.objects.create(campaign=campaign, number=1)
    assert vitals.promotion_before(round_, "reward") is None
    found = vitals.promotion_before(round_, "policy")
    assert found is not None
    assert found.version.name == "base"
    Promotion.objects.update(created_at=timezone.now() + timedelta(hours=1))
    assert vitals.promotion_before(round_, "policy") is None
