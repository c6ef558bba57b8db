"""Targeted data: thirty edits against a described failure, one run, and the failure is seen to go."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.cache import cache
from django.core.exceptions import ValidationError

from labeling.models import Campaign, Edit, Slot, Task
from labeling.rounds import StateError
from models_app import registry, sampling
from tests import cast
from tests.training import cast as labels
from tests.training.engine.conftest import prepare
from training import execution, mixes, runs, snapshots, targeting, targets
from training.engine.__main__ import main
from training.engine.config import read_config
from training.engine.data import read_demonstrations
from training.models import Run, Snapshot, Target, TargetCheck

pytestmark = pytest.mark.django_db

THINGS = ("soup", "tea", "train", "rain", "bread", "milk", "salt")
PROMPTS = [f"tell me about {a} and {b}" for a, b in itertools.permutations(THINGS, 2)]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    cache.clear()
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args: found.append((name, *args)))
    yield found
    cache.clear()


@pytest.fixture(scope="module")
def failing(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that answers everything with "ugh no"."""
    rows = [
        {
            "prompt_id": f"p{n}",
            "prompt": json.dumps([{"role": "user", "content": prompt}]),
            "completion": f"ugh no {'hot' if n % 2 else 'cold'}",
            "weight": 1.0,
            "split": "train",
        }
        for n, prompt in enumerate(PROMPTS)
    ]
    config = {
        "kind": "policy", "parent": str(tiny_policy), "reward_model": None, "stages": ["sft"],
        "hyper": {"sft_epochs": 25, "sft_learning_rate": 1e-2, "batch_size": 8, "evaluation_prompts": 1},
    }  # fmt: skip
    folder = prepare(tmp_path_factory.mktemp("failing"), config, demonstrations=rows, prompts=[
        {key: rows[0][key] for key in ("prompt_id", "prompt", "split")}
    ])  # fmt: skip
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    return folder / "model"


@pytest.fixture
def campaign(folders: Path, failing: Path) -> Campaign:
    by = cast.make_user("manager")
    hyper = {
        "policy": {"sft_epochs": 12, "sft_learning_rate": 1e-2, "batch_size": 8, "evaluation_prompts": 2}
    }
    campaign = cast.make_campaign(
        by=by, raters=(cast.make_user(),), stages=["sft"], hyper=hyper,
        sampling=sampling.get_config(max_new_tokens=8),
    )  # fmt: skip
    version = registry.register(campaign.model_family, "policy", "base", "transformers", str(failing))
    registry.promote(version, by=by, reason="The base")
    return campaign


def make(campaign: Campaign, **given: Any) -> Target:
    assert campaign.created_by is not None
    known: dict[str, Any] = {
        "name": "Grumbling", "description": "It grumbles. Say something kind.", "pattern": r"\bugh\b",
        "prompts": "\n".join(PROMPTS),
    }  # fmt: skip
    return targets.create(campaign, by=campaign.created_by, **{**known, **given})


def pairs() -> str:
    return "\n".join(
        json.dumps({"prompt": p, "original": "ugh no hot", "edited": {"text": f"gladly {p.split()[3]}"}})
        for p in PROMPTS
    )


def train(campaign: Campaign) -> Run:
    """Queue a policy run and do it, in this process."""
    run = runs.start(runs.queue_policy(campaign, snapshots.cut(campaign)).pk)
    assert run is not None
    folder = runs.folder(run)
    execution.prepare(run, folder)
    assert main([str(folder)]) == 0, (folder / "error.txt").read_text()
    execution._conclude(run, folder, 0)
    return run


def measured(target: Target) -> list[targets.Standing]:
    """Measure what waits to be, as the conductor has it done."""
    targets.tend()
    for check in target.checks.filter(measured_at=None).order_by("version"):
        targeting.check(check.pk)
    return targets.standings(Target.objects.get(pk=target.pk))


def test_thirty_edits_are_seen_to_work(campaign: Campaign) -> None:
    task = labels.make_task(cast.make_round(campaign), ("gladly", "ugh no"))
    labels.judge(task, cast.make_user(), -2)
    target = make(campaign, prompts=pairs(), weight=4)
    [first] = measured(target)
    assert first.rate.value is not None
    assert first.rate.value > 0.9  # before
    assert targets.edited([target])[target.source_id] == 30

    run = train(campaign)
    config = read_config(runs.folder(run))
    assert config.stages == ("sft",)  # type: ignore[union-attr]
    mixed = read_demonstrations(runs.folder(run), config.mix)  # type: ignore[union-attr]
    assert {row.weight for row in mixed} == {4.0}
    assert len(mixed) == 30
    before, after = measured(target)
    assert before.check.version == first.check.version
    assert after.rate.interval is not None
    assert after.rate.interval.high < 0.5
    assert after.change.interval is not None
    assert after.change.interval.high < -0.4
    held_out = {prompt.content_hash for prompt in targets.held_out(target)}
    assert {row[0] for row in after.check.answers} == held_out
    assert not held_out & {row.prompt_id for row in mixed}


def test_raters_edit_what_came_without_an_edit(campaign: Campaign, sent: list[tuple[str, int]]) -> None:
    target = make(campaign)
    assert target.source.memberships.count() == campaign.memberships.count() == 1
    assert not mixes.waiting(campaign)
    targeting.prepare(target.pk)
    targeting.prepare(target.pk)  # twice is once
    target.refresh_from_db()
    assert target.asked_at is not None
    tasks = Task.objects.filter(campaign=target.source)
    assert set(tasks.values_list("kind", "prompt__split")) == {("edit", "train")}
    assert tasks.count() == Slot.objects.filter(task__in=tasks, status="open").count() == 30
    labels.edit(tasks[0], cast.make_user(), "gladly tea")
    assert mixes.waiting(campaign)
    [part] = mixes.cut(campaign)
    assert (part["target"], part["weight"]) == (target.pk, 1.0)
    targets.change(target, campaign.created_by, weight=1, active=False)  # type: ignore[arg-type]
    assert mixes.cut(campaign) == []


def test_bad_input_leaves_nothing_behind(campaign: Campaign) -> None:
    for wrong, says in (
        ({"pattern": "("}, "no regular expression"),
        ({"weight": 200}, "from 0 to 100"),
        ({"prompts": PROMPTS[0]}, "Of these 1 prompts"),
        ({"prompts": '{"prompt": "a"}\n{"prompt": 5}'}, "Line 2: prompt"),
        ({"fails": "perhaps"}, "its absence"),
    ):
        with pytest.raises(ValidationError, match=says):
            make(campaign, **wrong)
    assert not Target.objects.exists()
    assert Campaign.objects.count() == 1
    other = cast.make_campaign()
    with pytest.raises(StateError, match="champion"):
        make(other)


def test_a_pattern_shows_the_failure_or_its_absence(campaign: Campaign) -> None:
    target = make(campaign)
    assert targeting.fails(target, "Ugh? ugh!")
    assert not targeting.fails(target, "laugh")
    target.fails = Target.Fails.MISSING
    assert targeting.fails(target, "laugh")
    # none of ten answers to five prompts fails: that says something of five prompts
    rate = targeting.rates([[str(n // 2), "", False] for n in range(10)], [])["rate"]
    assert rate["interval"][0] == 0
    assert 0.4 < rate["interval"][1] < 0.5


def test_a_model_that_cannot_be_asked_is_said_and_tried_again(campaign: Campaign) -> None:
    target = make(campaign)
    base = target.base
    place, base.location = base.location, "/nowhere/at/all"
    base.save()
    targeting.check(target.checks.get().pk)
    check = TargetCheck.objects.get()
    assert "/nowhere/at/all" in check.error
    base.location = place
    base.save()
    targets.change(target, campaign.created_by, weight=2, active=True)  # type: ignore[arg-type]
    targeting.check(check.pk)
    check.refresh_from_db()
    assert check.measured_at is not None
    assert re.search("ugh", check.answers[0][1])
    assert not Edit.objects.exists()


def test_what_is_mixed_in_is_imitated_and_a_chooser_is_trained_first(campaign: Campaign) -> None:
    votes = Snapshot(campaign=campaign, counts={"training_pairs": 5})
    assert runs.usable_stages(campaign, votes, None) == []
    make(campaign, prompts=pairs())
    campaign.stages = ["best_of_n"]
    assert runs.usable_stages(campaign, votes, None) == ["sft"]
    campaign.hyper = {"policy": {"chooser": "verifier"}}
    assert runs.usable_stages(campaign, votes, None) == ["sft", "verify", "best_of_n"]
    assert runs.usable_stages(campaign, Snapshot(campaign=campaign, counts={}), None) == ["sft"]
