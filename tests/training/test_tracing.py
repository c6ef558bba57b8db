"""Every exported row of three rounds, walked back to who said it, under which guideline, of which answers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from labeling import assignment, campaigns, edits, generation, judgments, rankings, rounds
from labeling.models import Campaign, Edit, Judgment, Response, Task
from models_app import registry, sampling
from models_app.models import ModelVersion
from tests import cast
from tests.training import cast as labels
from training import exports, snapshots

ROUNDS = 3


def say(slot: Any, rater: Any, number: int) -> None:
    """Answer a task as a rater's page does."""
    common: dict[str, Any] = {"idempotency_key": uuid4(), "active_ms": 1000 + number}
    if slot.task.kind == Task.Kind.EDIT:
        edits.submit(rater, slot.lease, text=f"A kinder answer, number {number}.", **common)
    elif slot.task.kind == Task.Kind.RANK:
        rankings.submit(rater, slot.lease, ranking=[[place] for place in slot.order_shown], **common)
    else:
        judgments.submit(
            rater, slot.lease, verdict=number % 7 - 3, criteria={"tone": [1 + number % 5, 3]}, **common
        )


def rehearse(campaign: Campaign, raters: list[Any], checkpoint: Path) -> None:
    """Go round three times, each with a policy, a guideline and a sampling config of its own."""
    by, number = campaign.created_by, 0
    assert by is not None
    for turn in range(1, ROUNDS + 1):
        name = f"policy-{turn}"
        version = registry.register(campaign.model_family, "policy", name, "transformers", str(checkpoint))
        registry.promote(version, by=by, reason="The next one")
        campaigns.update(campaign, by, sampling=sampling.get_config(max_new_tokens=6, temperature=turn / 2))
        if turn > 1:
            campaigns.add_guideline(campaign, f"Version {turn}: be kinder.", by)
        round_ = rounds.start_next(campaign, by)
        assert generation.generate(round_.pk)
        for rater in raters:
            while (slot := assignment.claim(rater, campaign)) is not None:
                number += 1
                say(slot, rater, number)
        rounds.close(round_)


@pytest.fixture
def campaign(folders, tiny_policy):
    raters = [cast.make_user(simulated=True), cast.make_user()]
    campaign = cast.make_campaign(
        raters=tuple(raters), slug="thrice", tasks_per_round=10, overlap=2, edit_share=0.2, rank_share=0.2,
        rank_size=3,
    )  # fmt: skip
    campaigns.set_criterion(campaign, "tone", campaign.created_by, name="Tone")
    for split in ("train", "test"):
        for _ in range(8):
            labels.make_prompt(campaign, split)
    rehearse(campaign, raters, tiny_policy)
    return campaign


@pytest.mark.django_db(transaction=True)
def test_every_row_is_traced_to_its_rater_guideline_task_round_policy_and_sampling(campaign, tmp_path):
    exports.write(snapshots.cut(campaign), "canonical-jsonl", tmp_path / "out", "jsonl.gz")
    rows = []
    for file in sorted((tmp_path / "out" / "data").iterdir()):
        with gzip.open(file, "rt") as lines:
            rows += [json.loads(line) for line in lines]
    walked: dict[str, set[int]] = {"judgments": set(), "edits": set(), "tasks": set()}
    for row in rows:
        task = find_task(campaign, row)
        walked["tasks"].add(task.pk)
        for judgment in row["judgments"]:
            walked["judgments"].add(find_said(Judgment, task, judgment).pk)
        for edit in row["edits"]:
            found = find_said(Edit, task, edit)
            assert found.edited is not None
            assert (edit["edited"]["text"], edit["edited"]["author"]) == (
                found.edited.text,
                found.rater.pseudonym,
            )
            assert edit["original"] in {response["id"] for response in row["responses"]}
            walked["edits"].add(found.pk)
    # all of it, each once
    assert {row["round"] for row in rows} == set(range(1, ROUNDS + 1))
    assert len(rows) == len(walked["tasks"]) == Task.objects.count()
    assert walked["judgments"] == set(Judgment.objects.values_list("pk", flat=True))
    assert walked["edits"] == set(Edit.objects.values_list("pk", flat=True))
    assert walked["judgments"]
    assert walked["edits"]
    check_projections(campaign, rows, tmp_path)


def find_task(campaign: Campaign, row: dict[str, Any]) -> Task:
    """Return the one task of a row: of its round, kind, prompt, and answers by policy and sampling config."""
    assert row["campaign"] == campaign.slug
    asked = campaign.tasks.filter(
        round__number=row["round"], kind=row["task"]["kind"], prompt__content_hash=row["prompt_id"]
    )
    found = [task for task in asked if answers_of(task) == [told(answer) for answer in row["responses"]]]
    (task,) = found
    assert [policy.name for policy in task.round.policies.all()] == [f"policy-{row['round']}"]
    assert task.prompt.split == row["split"]
    assert task.prompt.messages == row["prompt"]
    return task


def answers_of(task: Task) -> list[tuple[Any, ...]]:
    places = task.task_responses.order_by("position").select_related("response__policy", "response__round")
    return [spelt(place.response) for place in places]


def spelt(response: Response) -> tuple[Any, ...]:
    policy, config = response.policy, response.sampling
    assert isinstance(policy, ModelVersion)
    assert config is not None
    assert response.round is not None
    drawn = (config.temperature, config.top_p, config.max_new_tokens, config.seed)
    return (response.text, policy.name, response.round.number, *drawn)


def told(answer: dict[str, Any]) -> tuple[Any, ...]:
    drawn = tuple(answer["sampling"][name] for name in ("temperature", "top_p", "max_new_tokens", "seed"))
    return (answer["text"], answer["policy"], answer["round"], *drawn)


def find_said(model: Any, task: Task, said: dict[str, Any]) -> Any:
    """Return the one judgment, or edit, of a row: by its rater, under its guideline, with its time."""
    found = model.objects.get(task=task, rater__pseudonym=said["rater"])
    assert found.guideline.number == said["guideline"] == task.round.number
    assert found.active_ms == said["active_ms"]
    assert said["source"] == ("simulated" if found.rater.simulated else "person")
    if model is Judgment:
        assert (found.verdict, found.ranking, found.order_shown) == (
            said["verdict"], said["ranking"], said["order_shown"],
        )  # fmt: skip
        assert {grade["key"]: grade["grades"] for grade in said["criteria"]} == found.criteria
    return found


def check_projections(campaign: Campaign, rows: list[dict[str, Any]], folder: Path) -> None:
    """Trace what trainers read: a battle to its task and judge, a preference to answers of its prompt."""
    snapshot = campaign.snapshots.get()
    tasks = {row["task"]["id"]: row for row in rows}
    texts = {
        json.dumps(row["prompt"]): {r["text"] for r in row["responses"]}
        | {e["edited"]["text"] for e in row["edits"]}
        for row in rows
    }
    for row in rows:  # a prompt may be asked in several rounds
        texts[json.dumps(row["prompt"])] |= {r["text"] for r in row["responses"]}
        texts[json.dumps(row["prompt"])] |= {e["edited"]["text"] for e in row["edits"]}
    battles = read(snapshot, "arena", folder)
    for battle in battles:
        row = tasks[battle["question_id"]]
        assert battle["judge"] in {judgment["rater"] for judgment in row["judgments"]}
        assert {battle["model_a"], battle["model_b"]} == {f"policy-{row['round']}"}
    pairs = read(snapshot, "trl-preference", folder)
    for pair in pairs:
        said = {pair["chosen"][0]["content"], pair["rejected"][0]["content"]}
        assert said <= texts[json.dumps(pair["prompt"])]
    assert len(battles) == sum(len(r["judgments"]) for r in rows if r["task"]["kind"] == "compare")
    assert pairs


def read(snapshot: Any, format: str, folder: Path) -> list[dict[str, Any]]:
    exports.write(snapshot, format, folder / format)
    files = sorted((folder / format / "data").iterdir())
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
