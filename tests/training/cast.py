"""What the tests of training need beside the common cast: labels without the detour over slots' pages."""

from itertools import count
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts.models import User
from labeling.models import Campaign, Edit, Judgment, Prompt, Response, Round, Slot, Task, TaskResponse
from labeling.prompts import content_hash, split_of, text_hash
from models_app.models import ModelVersion
from tests import cast

numbers = count(1)


def make_prompt(campaign: Campaign, split: str) -> Prompt:
    """Make a prompt that falls into a split."""
    while True:
        text = f"Where is place number {next(numbers)}?"
        if split_of(content_hash([{"role": "user", "content": text}])) == split:
            return cast.make_prompt(campaign, text)


def make_task(round_: Round, texts: tuple[str, ...], split: str = "train", policy: str = "writer") -> Task:
    """Make a comparison or (of one text) an edit task."""
    prompt = make_prompt(round_.campaign, split)
    task = Task.objects.create(
        campaign=round_.campaign,
        round=round_,
        prompt=prompt,
        kind="compare" if len(texts) > 1 else "edit",
        overlap=50,
        probability=0.5,
    )
    for position, text in enumerate(texts):
        response = cast.make_response(prompt, text, round_, policy)
        TaskResponse.objects.create(task=task, response=response, position=position)
    return task


def make_slot(task: Task, rater: User) -> Slot:
    """Make a slot that a rater has filled."""
    return Slot.objects.create(
        campaign=task.campaign, task=task, status="done", order_key=0.5, rater=rater, lease=uuid4(),
        lease_until=timezone.now(),
    )  # fmt: skip


def judge(task: Task, rater: User, verdict: int, **fields: Any) -> Judgment:
    """Store a judgment that counts, unless `fields` say otherwise."""
    fields.setdefault("order_shown", [0, 1])
    fields.setdefault("guideline", task.campaign.guidelines.first())
    counts = not fields.get("extra") and not fields.get("withdrawn")
    slot = make_slot(task, rater) if counts and "slot" not in fields else fields.pop("slot", None)
    if counts:
        Task.objects.filter(pk=task.pk).update(counted=task.judgments.count() + 1)
    return Judgment.objects.create(
        task=task, rater=rater, verdict=verdict, slot=slot, idempotency_key=uuid4(), **fields,
    )  # fmt: skip


def edit(task: Task, rater: User, text: str | None) -> Edit:
    """Store an edit; no text says that the original is already good."""
    original = task.task_responses.get(position=0).response
    edited = None
    if text is not None:
        edited = Response.objects.create(
            prompt=task.prompt,
            text=text,
            text_hash=text_hash(text),
            origin="edited",
            parent=original,
            author=rater,
        )
    Task.objects.filter(pk=task.pk).update(counted=1)
    return Edit.objects.create(
        task=task, rater=rater, slot=make_slot(task, rater), original=original, edited=edited,
        idempotency_key=uuid4(), guideline=task.campaign.guidelines.first(),
        instruction="Be kind." if text else "",
    )  # fmt: skip


def make_split_campaign() -> Campaign:
    """Make the campaign "kitchen", which has one judged comparison in each split."""
    campaign = cast.make_campaign(slug="kitchen")
    round_ = cast.make_round(campaign)
    for split in ("train", "validation", "test"):
        judge(make_task(round_, ("short", "long"), split), cast.make_user(), 2)
    return campaign


def make_model(family: str, kind: str, name: str, location: str = "/nowhere", **fields: Any) -> ModelVersion:
    """Make a model version without looking at its checkpoint."""
    return ModelVersion.objects.create(
        family=family, kind=kind, name=name, backend="transformers", location=location, **fields
    )
