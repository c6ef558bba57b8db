"""A crowd that has judged: many votes at once, as they lie in the database after the real path."""

import random
from uuid import uuid4

from django.utils import timezone

from accounts.models import User
from labeling.models import Campaign, Judgment, Slot, Task
from tests.cast import add_task, make_round


def vote(rater: User, task: Task, verdict: int, order: list[int] | None = None, **said: object) -> Judgment:
    """Store a vote of a verdict as displayed, with the slot that it fills."""
    order = order or random.sample([0, 1], 2)
    slot = Slot.objects.create(
        campaign_id=task.campaign_id,
        task=task,
        status=Slot.Status.DONE,
        order_key=0.5,
        rater=rater,
        lease=uuid4(),
        lease_until=timezone.now(),
        order_shown=order,
    )
    return Judgment.objects.create(
        task=task, slot=slot, rater=rater, idempotency_key=uuid4(), verdict=verdict, order_shown=order, **said
    )


def make_crowd(campaign: Campaign, raters: list[User], tasks: int, votes: int, seed: int = 0) -> list[Task]:
    """Make tasks whose first answer is the better one by a known margin, and have raters judge some of them.

    A rater's username says what they do: "left…" picks the left side, "random…" draws, others judge with
    noise. Returns the tasks; `margin` of each is its first answer's advantage in logits.
    """
    rng = random.Random(seed)
    round_ = make_round(campaign)
    made = []
    for number in range(tasks):
        words = [rng.randint(3, 30) for _side in range(2)]
        texts = tuple(f"Answer {side} of {number}: " + "word " * n for side, n in enumerate(words))
        task = add_task(round_, texts)
        task.margin = rng.gauss(0, 2)  # type: ignore[attr-defined]
        made.append(task)
    for rater in raters:
        for task in rng.sample(made, votes):
            order = rng.sample([0, 1], 2)
            margin = task.margin if order[0] == 0 else -task.margin  # type: ignore[attr-defined]
            left = margin + rng.gauss(0, 1)
            if rater.username.startswith("left"):
                left = 3.0
            elif rater.username.startswith("random"):
                left = rng.gauss(0, 2)
            verdict = -max(-3, min(3, round(left)))
            vote(rater, task, verdict, order, active_ms=rng.randint(5_000, 40_000))
    return made
