"""Runs, executed by the real engine on a tiny checkpoint."""

import json
import os
import signal
import threading
import time

import psutil
import pytest
from django.db import connection

from accounts.models import Skill, User
from labeling.models import Membership
from labeling.rounds import StateError
from tests import cast
from tests.training import cast as labels
from training import execution, runs, snapshots
from training.engine.config import read_config
from training.engine.data import read_demonstrations, read_pairs
from training.models import Run, RunMetric
from training.runs import RunError

FAST = {"reward": {"epochs": 1}, "policy": {"best_of_prompts": 4, "best_of_samples": 2, "best_of_epochs": 1}}


@pytest.fixture
def campaign(folders, champion):
    by = cast.make_user("manager")
    campaign = cast.make_campaign(by=by, hyper=FAST)
    champion(campaign.model_family, by)
    round_, rater = cast.make_round(campaign), cast.make_user()
    for split, number in (("train", 6), ("test", 4)):
        for _ in range(number):
            labels.judge(labels.make_task(round_, ("please tea gladly", "ugh no"), split=split), rater, -2)
    labels.edit(labels.make_task(round_, ("ugh no",)), rater, "gladly the tea please")
    return campaign


@pytest.fixture
def snapshot(campaign):
    return snapshots.cut(campaign)


def in_background(run: Run) -> threading.Thread:
    """Execute a run as a worker would, beside the test."""

    def work() -> None:
        try:
            execution.execute(run.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def wait_for_engine(run: Run) -> psutil.Process:
    for _ in range(400):
        try:
            known = json.loads((runs.folder(run) / "engine.json").read_text())
            process = psutil.Process(known["pid"])
            if (runs.folder(run) / "heartbeat").exists():
                return process
        except (OSError, psutil.Error):
            pass
        time.sleep(0.05)
    raise AssertionError("the engine never started")


@pytest.mark.django_db(transaction=True)
def test_a_reward_run_makes_a_candidate_and_keeps_its_curves(campaign, snapshot):
    run = runs.queue_reward(campaign, snapshot)
    done = execution.execute(run.pk)
    assert done is not None
    assert done.status == "succeeded", done.error
    calibration = done.result["report"]["calibration"]
    assert done.produced.options == {"temperature": calibration["temperature"]}
    assert done.produced is not None
    assert done.produced.kind == "reward"
    assert done.produced.status == "candidate"
    assert done.produced.parent == done.parent
    assert done.result["test"]["n"] == 4
    assert done.config["snapshot"] == snapshot.digest
    assert RunMetric.objects.filter(run=run, name__contains="loss").exists()
    assert [(e.before, e.after) for e in run.events.order_by("pk")] == [
        ("", "queued"),
        ("queued", "running"),
        ("running", "succeeded"),
    ]
    # a second delivery of the message finds nothing to do
    assert execution.execute(run.pk) is None
    policy = runs.queue_policy(campaign, snapshot)
    assert policy.config["stages"] == ["sft"]  # there is no champion reward model for best_of_n
    made = execution.execute(policy.pk)
    assert made is not None
    assert made.status == "succeeded", made.error
    assert made.produced is not None
    assert made.produced.parent == made.parent


@pytest.mark.django_db
def test_the_engine_is_told_how_each_pair_was_judged(campaign, tmp_path):
    campaign.hyper = {"reward": {"tuning": "frozen", "loss": "binary", "epochs": 1}}
    rater = User.objects.filter(judgments__isnull=False).distinct().get()
    Membership.objects.create(campaign=campaign, user=rater)
    rater.skills.add(Skill.objects.create(name="law"), Skill.objects.create(name="arabic"))
    run = runs.queue_reward(campaign, snapshots.cut(campaign))
    execution.prepare(run, tmp_path / "run")
    config = read_config(tmp_path / "run")
    assert (config.tuning, config.loss, config.hyper.epochs) == ("frozen", "binary", 1)
    pairs = read_pairs(tmp_path / "run")
    judged = [pair for pair in pairs if pair.points]
    assert len(judged) == 10
    assert {(pair.verdict, pair.points, pair.skills) for pair in judged} == {(2, 7, ("arabic", "law"))}
    assert {pair.chosen_left for pair in judged} <= {1, -1}
    assert all(pair.task for pair in pairs)


@pytest.mark.django_db
def test_a_campaigns_recipe_reaches_the_engine(campaign, tmp_path):
    campaign.stages = ["sft", "rl"]
    campaign.hyper = {"policy": {"tuning": "lora", "rl": "grpo", "sft_half_life": 4}}
    run = runs.queue_policy(campaign, snapshots.cut(campaign))
    execution.prepare(run, tmp_path / "run")
    config = read_config(tmp_path / "run")
    assert (config.tuning, config.rl, config.hyper.sft_half_life) == ("lora", "grpo", 4)
    assert config.stages == ("sft",)  # nothing rewards what reinforcement would try
    rounds = {row.round for row in read_demonstrations(tmp_path / "run")}
    assert rounds <= set(campaign.rounds.values_list("number", flat=True)) != set()


@pytest.mark.django_db(transaction=True)
def test_a_bad_setting_fails_with_the_engines_sentence(campaign, snapshot):
    campaign.hyper = {"reward": {"colour": 1}}
    run = runs.queue_reward(campaign, snapshot)
    done = execution.execute(run.pk)
    assert done is not None
    assert done.status == "failed"
    assert "unknown hyper 'colour'" in done.error
    again = runs.retry(done)
    assert again.status == "queued"
    assert again.config == done.config


@pytest.mark.django_db(transaction=True)
def test_a_killed_engine_is_put_back_and_resumes_and_fails_at_last(campaign, snapshot):
    campaign.hyper = {"reward": {"epochs": 3000, "checkpoint_steps": 20}}
    run = runs.queue_reward(campaign, snapshot)
    for attempt in (1, 2, 3):
        thread = in_background(run)
        engine = wait_for_engine(run)
        os.kill(engine.pid, signal.SIGKILL)
        thread.join(30)
        run.refresh_from_db()
        assert run.attempts == attempt
        assert run.status == ("failed" if attempt == 3 else "queued")
    assert run.error == "The engine was killed 3 times, the last time by signal 9."


@pytest.mark.django_db(transaction=True)
def test_a_running_run_can_be_cancelled(campaign, snapshot):
    campaign.hyper = {"reward": {"epochs": 3000}}
    run = runs.queue_reward(campaign, snapshot)
    thread = in_background(run)
    engine = wait_for_engine(run)
    runs.cancel(run, by=campaign.created_by)
    thread.join(30)
    run.refresh_from_db()
    assert run.status == "cancelled"
    assert not engine.is_running()
    with pytest.raises(StateError, match="is cancelled"):
        runs.cancel(run)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_was_believed_dead_can_change_nothing(campaign, snapshot):
    campaign.hyper = {"reward": {"epochs": 3000}}
    run = runs.queue_reward(campaign, snapshot)
    thread = in_background(run)
    engine = wait_for_engine(run)
    run.refresh_from_db()
    runs.requeue(run, "Its worker is gone.")
    second = runs.start(run.pk)
    assert second is not None
    assert second.attempts == 2
    thread.join(30)
    assert not engine.is_running()
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("running", 2)


@pytest.mark.django_db
def test_what_cannot_be_learnt_is_refused_in_words(folders, champion):
    by = cast.make_user("manager")
    campaign = cast.make_campaign(by=by)
    round_ = cast.make_round(campaign)
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 0)
    snapshot = snapshots.cut(campaign)
    with pytest.raises(RunError, match="no comparisons with a preference yet"):
        runs.queue_reward(campaign, snapshot)
    with pytest.raises(RunError, match="transformers checkpoint"):
        runs.queue_policy(campaign, snapshot)
    champion(campaign.model_family, by)
    with pytest.raises(RunError, match="nothing to improve"):
        runs.queue_policy(campaign, snapshot)
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    assert runs.queue_reward(campaign, snapshots.cut(campaign), by=by).status == "queued"


@pytest.mark.django_db
def test_a_round_has_one_live_run_of_a_kind(folders, champion):
    by = cast.make_user("manager")
    campaign = cast.make_campaign(by=by)
    champion(campaign.model_family, by)
    round_ = cast.make_round(campaign)
    labels.judge(labels.make_task(round_, ("a", "b")), cast.make_user(), 1)
    snapshot = snapshots.cut(campaign)
    first = runs.queue_reward(campaign, snapshot, round=round_)
    assert runs.queue_reward(campaign, snapshot, round=round_) == first
    runs.cancel(first)
    second = runs.queue_reward(campaign, snapshot, round=round_)
    assert second != first
    with pytest.raises(StateError, match="is queued"):
        runs.retry(second)
