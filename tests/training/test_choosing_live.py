"""A round of a real checkpoint, chosen by a real worker: from its answers to what a refit chose."""

import time
from collections.abc import Callable
from uuid import uuid4

import pytest
from django.core.cache import cache

from labeling import assignment, batches, campaigns, generation, judgments, rounds
from labeling.models import Response, Round, Score, Slot
from models_app import sampling
from tests import cast
from training import tasks


def wait_for(look: Callable[[], object], seconds: float = 60.0) -> None:
    """Let the conductor look again and again until something is so."""
    until = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < until
        tasks.conduct()
        time.sleep(0.3)


def judge(rater, campaign, number: int) -> None:
    """Prefer the answer with more different words."""
    for _ in range(number):
        slot = assignment.claim(rater, campaign)
        texts = [slot.answers[position]["text"] for position in slot.order_shown]
        left, right = (len(set(text.split())) for text in texts)
        verdict = -2 if left > right else 2
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict)


@pytest.mark.timeout(300)
def test_what_raters_say_decides_what_they_are_asked_next(tiny_policy, folders, celery_workers):
    by, rater = cast.make_user("manager"), cast.make_user()
    campaign = cast.make_campaign(
        by=by,
        raters=(rater,),
        choose_pairs=True,
        answers_per_prompt=3,
        tasks_per_round=140,
        retrain_after=1000,
        base_policy={"name": "base", "backend": "transformers", "location": str(tiny_policy)},
        sampling=sampling.get_config(max_new_tokens=6),
    )
    for _ in range(70):
        cast.make_prompt(campaign)
    round_ = rounds.start_next(campaign, by)
    campaigns.pause_loop(campaign, "This test draws the answers itself.")
    assert generation.generate(round_.pk)
    campaigns.resume_loop(campaign, by)
    assert Response.objects.count() >= 70 * 3
    assert round_.tasks.exclude(task_responses=None).count() == batches.SMALLEST
    cache.clear()
    wait_for(lambda: "trunk" in Round.objects.get(pk=round_.pk).selection)
    assert Score.objects.count() == Response.objects.count()
    assert set(Score.objects.values_list("value", flat=True)) == {None}
    for _turn in range(9):
        judge(rater, campaign, 10)
        wait_for(lambda: Slot.objects.filter(status="open").count() > 10)
    chosen = round_.tasks.filter(selection="active")
    assert chosen.exists()
    assert all(task.slots.count() == 1 for task in chosen)
    refit = Round.objects.get(pk=round_.pk).selection["refit"]
    assert refit["labels"] >= 50
    assert refit["seconds"] < 30
