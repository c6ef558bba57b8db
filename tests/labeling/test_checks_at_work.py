"""Gold tasks and repeats come and go while raters work: nothing waits in a circle, and counts stay exact."""

import random
import threading
from uuid import uuid4

import pytest
from django.db import connections
from django.db.models import F

from labeling import assignment, golds, judgments, repeats, rounds
from labeling.models import Judgment, Slot, Task
from labeling.models.task import fresh
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db(transaction=True)
RATERS, WORK = 4, 40


def work(rater, campaign, troubles):
    rng = random.Random(rater.pk)
    try:
        for _ in range(WORK):
            slot = assignment.claim(rater, campaign)
            if slot is None:
                continue
            if rng.random() < 0.1:
                judgments.skip(rater, slot.lease)
                continue
            said = judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=rng.choice((-1, 1)))
            if rng.random() < 0.1:
                again = judgments.undo(rater, said)
                judgments.submit(rater, again.lease, idempotency_key=uuid4(), verdict=2)
    except Exception as error:
        troubles.append(error)
    finally:
        connections.close_all()


def test_checks_come_and_go_while_raters_work(monkeypatch):
    monkeypatch.setattr(repeats, "LATER", 2)
    raters = tuple(make_user() for _ in range(RATERS))
    campaign = make_campaign(
        raters=raters, gold_share=0.3, repeat_share=0.3, overlap=2, overlap_cap=4, undo_minutes=60
    )
    round_ = make_open_round(campaign, comparisons=100)
    known = list(round_.tasks.order_by("pk")[:4])
    for task in known[:3]:
        golds.make(task, campaign.created_by, -1)
    troubles: list[Exception] = []
    crowd = [threading.Thread(target=work, args=(rater, campaign, troubles)) for rater in raters]
    for thread in crowd:
        thread.start()
    golds.make(known[3], campaign.created_by, 1)
    golds.retire(golds.in_use(campaign).order_by("pk")[0], campaign.created_by, "Unclear.")
    while any(thread.is_alive() for thread in crowd):
        golds.tend(campaign)
        repeats.tend(campaign)
        for thread in crowd:
            thread.join(0.05)
    assert troubles == []

    said = Judgment.objects.filter(extra=False, withdrawn=False, superseded_by=None)
    per_task = {}
    for task, rater in said.values_list("task", "rater"):
        per_task.setdefault(task, []).append(rater)
    assert all(len(set(spoken)) == len(spoken) for spoken in per_task.values())
    assert {t.pk: t.counted for t in Task.objects.filter(counted__gt=0)} == {
        task: len(spoken) for task, spoken in per_task.items()
    }
    assert not Task.objects.filter(counted__gt=F("overlap")).exists()
    again = Task.objects.filter(repeats__isnull=False)
    assert again.filter(counted=1).count() > RATERS
    assert sum(asked for _right, asked in golds.scores(campaign).values()) > RATERS
    for task in again.filter(counted=1):
        (rater,) = per_task[task.pk]
        assert rater in per_task.get(task.repeats_id, [rater])
    assert set(per_task) - set(Task.objects.filter(fresh()).values_list("pk", flat=True))
    rounds.close(round_)
    assert not Slot.objects.filter(status__in=["open", "claimed"]).exists()
