"""Measure how soon what raters say decides what they are asked next.

python -m bench.selection --json FILE [--judgments 5000]

An installation of its own, with PostgreSQL, Redis, beat and one Celery worker per queue as `make run` starts
them. A campaign has so many judgments on comparisons, and an open round of 2,000 comparisons with six answers
to each prompt, of which a tenth is asked. Every answer has features of 384 numbers, drawn at random: a refit
reads them from the database, and it makes no difference what they mean. A rater then judges, through the
functions that the pages use, until a refit is due. Measured from the commit of that last judgment: the time
until raters can claim the first comparison that the refit chose.
"""

import argparse
import os
import random
import time
from typing import Any
from uuid import uuid4

from bench.report import Figure, main
from bench.serving import installed

RATERS = 50
PROMPTS = 2000
COMPARISONS = 2000  # of the open round
ANSWERS = 6
WIDTH = 384  # of a small encoder's features
REFIT_GOAL = 5.0  # seconds of the processor
LIVE_GOAL = 30.0  # seconds
PATIENCE = 180.0


def measure(options: argparse.Namespace) -> list[Figure]:
    """Fill, let the workers settle, and follow one judgment."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with installed():
        # Django is set up only now
        from config import stack

        campaign, round_, rater = fill(options.judgments)
        with stack.workers():
            await_(lambda: "trunk" in fresh(round_).selection)
            labels = judge_until_due(campaign, round_, rater)
            began = time.monotonic()
            await_(lambda: chosen(round_))
            live = time.monotonic() - began
            refit = fresh(round_).selection["refit"]
    if refit["labels"] < labels:
        raise RuntimeError("The refit didn't read the judgment that triggered it.")
    seconds = refit["seconds"]
    return [
        Figure("labels that the refit read", refit["labels"], "labels"),
        Figure("refit and choice: processor", seconds, "s", f"< {REFIT_GOAL:g}", seconds < REFIT_GOAL),
        Figure("from a judgment to what it chose", live, "s", f"< {LIVE_GOAL:g}", live < LIVE_GOAL),
    ]


def fill(judgments: int) -> tuple[Any, Any, Any]:
    """Store the campaign; return it, its open round and one of its raters."""
    from bench.queue.fill import make_campaign, make_raters
    from labeling import batches, rounds
    from labeling.models import Round
    from models_app import registry
    from models_app.models import ModelVersion

    raters = make_raters(RATERS)
    settings = {"choose_pairs": True, "answers_per_prompt": ANSWERS, "tasks_per_round": COMPARISONS}
    campaign = make_campaign("Chosen", raters, judgments, prompts=PROMPTS, retrain_after=10**6, **settings)
    speak(campaign, raters)
    trunk = ModelVersion.objects.create(
        family=campaign.model_family, kind="policy", name="trunk", backend="transformers", location="/nowhere"
    )
    registry.promote(trunk, by=campaign.created_by, reason="The base")
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    answer(round_, trunk)
    batches.ask_at_random(round_, batches.batch_size(round_))
    rounds.open_(round_)
    assert round_.status == Round.Status.OPEN
    return campaign, round_, raters[0]


def speak(campaign: Any, raters: list[Any]) -> None:
    """Have raters judge every task of a campaign's first round."""
    from django.utils import timezone

    from labeling.models import Judgment, Slot, Task

    chance = random.Random(1)
    slots = list(Slot.objects.filter(campaign=campaign))
    for slot in slots:
        slot.status, slot.rater, slot.lease = Slot.Status.DONE, chance.choice(raters), uuid4()
        slot.order_shown, slot.lease_until = chance.sample([0, 1], 2), timezone.now()
    Slot.objects.bulk_update(slots, ["status", "rater", "lease", "order_shown", "lease_until"], 500)
    Judgment.objects.bulk_create(
        (
            Judgment(
                task_id=slot.task_id,
                slot=slot,
                rater=slot.rater,
                idempotency_key=uuid4(),
                verdict=chance.choice([-3, -2, -1, 1, 2, 3]),
                order_shown=slot.order_shown,
                active_ms=20_000,
            )
            for slot in slots
        ),
        batch_size=1000,
    )
    Task.objects.filter(campaign=campaign).update(counted=1, status=Task.Status.DONE)


def answer(round_: Any, trunk: Any) -> None:
    """Give every prompt its answers, and every answer of the campaign its features."""
    import numpy as np

    from labeling.models import Response, Score
    from labeling.prompts import text_hash

    rng = np.random.default_rng(1)
    words = [f"word{n}" for n in range(3000)]

    def text() -> str:
        return " ".join(words[k] for k in rng.integers(0, len(words), 60))

    made = (
        Response(
            prompt_id=prompt,
            text=said,
            text_hash=text_hash(said),
            origin=Response.Origin.SAMPLED,
            policy=trunk,
            sampling=round_.sampling,
            round=round_,
            copy=copy,
        )
        for prompt in round_.campaign.prompts.values_list("pk", flat=True)
        for copy in range(ANSWERS)
        for said in [text()]
    )
    Response.objects.bulk_create(made, batch_size=1000)
    answers = Response.objects.filter(prompt__campaign=round_.campaign).values_list("pk", flat=True)
    Score.objects.bulk_create(
        (
            Score(response_id=pk, model=trunk, features=rng.normal(size=WIDTH).astype(np.float16).tobytes())
            for pk in answers
        ),
        batch_size=1000,
    )


def judge_until_due(campaign: Any, round_: Any, rater: Any) -> int:
    """Judge until a refit is due; return how many labels on training prompts there are then."""
    from labeling import assignment, batches, judgments
    from labeling.models import Judgment

    chance = random.Random(2)
    while True:
        slot = assignment.claim(rater, campaign)
        verdict = chance.choice([-2, 2])
        judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=verdict, active_ms=9000)
        if batches.lacking(round_):
            return Judgment.objects.filter(task__campaign=campaign, task__prompt__split="train").count()


def fresh(round_: Any) -> Any:
    """Read a round again."""
    return type(round_).objects.get(pk=round_.pk)


def chosen(round_: Any) -> bool:
    """Tell whether raters can claim a comparison that a refit chose."""
    from labeling.models import Slot

    open_ = Slot.objects.filter(task__round=round_, task__selection="active", status=Slot.Status.OPEN)
    return bool(open_.exists())


def await_(look: Any) -> None:
    """Wait until something is so."""
    until = time.monotonic() + PATIENCE
    while not look():
        if time.monotonic() > until:
            raise RuntimeError(f"Nothing came in {PATIENCE:.0f} s.")
        time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--judgments", type=int, default=5000)
    main(measure, parser)
