"""The digest: the same words give the same one anywhere and in any order, and one byte gives another."""

from __future__ import annotations

import copy
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from labeling.models import Prompt, Reliability, Response, Task, TaskResponse
from labeling.prompts import content_hash, split_of, text_hash
from models_app import registry, sampling
from tests import cast
from tests.training import cast as labels
from tests.training.another_machine import digest_there
from training import snapshots

pytestmark = pytest.mark.django_db

World = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = ["tea", "milk", "شاي", "🫖", "no\nthanks", "x" * 40, "", "{}", "Ünïcode"]


def imagine(rng: random.Random) -> World:
    """Make up a small campaign: prompts, tasks of every kind, and what raters say of them."""
    raters = [f"rater-{n}" for n in range(4)]
    tasks = []
    for n in range(6):
        size = rng.choice((1, 2, 2, 4))
        answers = [
            {
                "text": rng.choice(WORDS),
                "policy": rng.choice(("poet", "cook")),
                "seed": rng.randrange(3),
                "copy": at,
            }
            for at in range(size)
        ]
        said = [imagine_words(rng, rater, size) for rater in rng.sample(raters, rng.randint(1, 4))]
        round_ = rng.choice((1, 2, 3))
        tasks.append(
            {
                "prompt": f"Question {n} {rng.choice(WORDS)}?",
                "round": round_,
                "answers": answers,
                "said": said,
            }
        )
    weights = {rater: rng.random() for rater in raters}
    return {"raters": raters, "tasks": tasks, "weights": weights, "guidelines": ["Be fair.", "Be kind."]}


def imagine_words(rng: random.Random, rater: str, size: int) -> World:
    order = rng.sample(range(size), size)
    said: World = {
        "rater": rater,
        "order_shown": order,
        "active_ms": rng.randrange(9000),
        "guideline": rng.choice((1, 2)),
    }
    if size == 1:
        return {**said, "edit": rng.choice([None, "kinder " + rng.choice(WORDS)])}
    said |= {
        "comment": rng.choice(WORDS),
        "reasons": [[rng.choice(WORDS)], *[[]] * (size - 1)],
        "extra": rng.random() < 0.2,
    }
    if size == 2:
        return {**said, "verdict": rng.randint(-3, 3), "criteria": {"tone": [rng.randint(1, 5), None]}}
    return {**said, "verdict": None, "ranking": [[place] for place in order]}


def build(world: World, rng: random.Random) -> str:
    """Store a world in some order, and return the digest of its snapshot."""

    def shuffled(things: Any) -> list[Any]:
        found = list(things)
        return rng.sample(found, len(found))

    campaign = cast.make_campaign(slug="exact", name="Exact", guideline=world["guidelines"][0])
    campaign.guidelines.create(number=2, text=world["guidelines"][1])
    guidelines = {guideline.number: guideline for guideline in campaign.guidelines.all()}
    raters = {name: cast.make_user(pseudonym=name) for name in shuffled(world["raters"])}
    policies = {
        name: registry.register("exact", "policy", name, "imported") for name in shuffled(("poet", "cook"))
    }
    rounds = {n: cast.make_round(campaign) for n in (1, 2, 3)}
    for name, weight in shuffled(world["weights"].items()):
        Reliability.objects.create(campaign=campaign, rater=raters[name], weight=weight, computed_at=NOW)
    for task in shuffled(world["tasks"]):
        store(task, campaign, raters, policies, rounds[task["round"]], guidelines, shuffled)
    return snapshots.cut(campaign).digest


def store(
    task: World,
    campaign: Any,
    raters: dict[str, User],
    policies: Any,
    round_: Any,
    guidelines: Any,
    shuffled: Any,
) -> None:
    messages = [{"role": "user", "content": task["prompt"]}]
    digest = content_hash(messages)
    prompt, _ = Prompt.objects.get_or_create(
        campaign=campaign, content_hash=digest, defaults={"messages": messages, "split": split_of(digest)}
    )
    places: dict[int, Response] = {}
    for at, answer in shuffled(enumerate(task["answers"])):
        places[at] = Response.objects.create(
            prompt=prompt, text=answer["text"], text_hash=text_hash(answer["text"]), origin="sampled",
            policy=policies[answer["policy"]], sampling=sampling.get_config(seed=answer["seed"]),
            round=round_, copy=answer["copy"],
        )  # fmt: skip
    kind = {1: "edit", 2: "compare"}.get(len(places), "rank")
    row = Task.objects.create(
        campaign=campaign, round=round_, prompt=prompt, kind=kind, overlap=9, probability=0.5
    )
    for at, response in shuffled(places.items()):
        TaskResponse.objects.create(task=row, response=response, position=at)
    for said in shuffled(task["said"]):
        fields = {name: value for name, value in said.items() if name not in ("rater", "edit", "guideline")}
        fields["guideline"] = guidelines[said["guideline"]]
        rater = raters[said["rater"]]
        if "edit" in said:
            labels.edit(row, rater, said["edit"])
        else:
            labels.judge(row, rater, **fields)


def elsewhere(world: World, seed: int, settings: Any, folder: Any) -> str:
    """Build a world as another machine would: with no files, other keys, and another order of arrival."""
    settings.SNAPSHOTS_DIR = folder / f"machine-{seed}"
    with transaction.atomic():
        for _ in range(seed % 3):
            cast.make_user()  # so that no key is the same
        digest = build(world, random.Random(seed))
        transaction.set_rollback(True)
    return digest


def test_another_database_server_gives_the_same_digest(settings, tmp_path):
    here = elsewhere(imagine(random.Random(5)), 10, settings, tmp_path)
    assert digest_there(world=5, order=11) == here


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_words_have_one_digest_and_one_other_byte_another(seed, settings, tmp_path):
    world = imagine(random.Random(seed))
    first = elsewhere(world, 10, settings, tmp_path)
    assert elsewhere(world, 11, settings, tmp_path) == first
    assert elsewhere(world, 12, settings, tmp_path) == first
    seen = {first}
    judged = [
        (t, s)
        for t, task in enumerate(world["tasks"])
        for s, said in enumerate(task["said"])
        if "comment" in said
    ]
    rng = random.Random(seed)
    for name, change in {
        "comment": lambda text: text + "!",
        "active_ms": lambda ms: ms + 1,
        "reasons": lambda reasons: [[reasons[0][0] + "."], *reasons[1:]],
        "guideline": lambda number: 3 - number,
        "order_shown": lambda order: order[::-1],
    }.items():
        task, said = rng.choice(judged)
        other = copy.deepcopy(world)
        place = other["tasks"][task]["said"][said]
        place[name] = change(place[name])
        seen.add(elsewhere(other, 13, settings, tmp_path))
    assert len(seen) == 6
