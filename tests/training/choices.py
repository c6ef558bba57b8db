"""A round whose comparisons are chosen, whose answers have known features and worth: it needs no model."""

from uuid import uuid4

import numpy as np

from accounts.models import User
from labeling import assignment, batches, judgments, rounds
from labeling.models import Campaign, Response, Round, Score
from models_app import registry
from models_app.models import ModelVersion
from tests import cast
from tests.training import cast as labels

WIDTH = 8  # of the features


def make_choosing_round(
    campaign: Campaign, training: int = 30, held_out: int = 10, answers: int = 4
) -> Round:
    """Make an open round with its first batch asked; every prompt has so many answers."""
    for split, number in (("train", training), ("test", held_out)):
        for _ in range(number):
            labels.make_prompt(campaign, split)
    number = campaign.rounds.count() + 1
    round_ = Round.objects.create(
        campaign=campaign,
        number=number,
        seed=number,
        task_target=campaign.tasks_per_round,
        selection={"answers": answers},
    )
    rounds.start_generating(round_)
    policy = cast.make_policy(campaign.model_family)
    round_.policies.add(policy)
    rng = np.random.default_rng(round_.pk)
    for prompt in campaign.prompts.all():
        for k in range(answers):
            text = f"Answer {k} to it: " + " ".join(f"word{n}" for n in rng.integers(0, 5000, 12))
            answer = cast.make_response(prompt, text, round_)
            assert answer.policy == policy
    batches.ask_at_random(round_, batches.batch_size(round_))
    rounds.open_(round_)
    return round_


def make_trunk(campaign: Campaign, location: str = "/nowhere") -> ModelVersion:
    """Give a campaign a champion policy that is a checkpoint by name."""
    by = cast.make_user("manager")
    trunk = ModelVersion.objects.create(
        family=campaign.model_family, kind="policy", name="trunk", backend="transformers", location=location
    )
    registry.promote(trunk, by=by, reason="The base")
    return trunk


def vector(answer: int) -> np.ndarray:
    """Return an answer's features, by its key."""
    return np.random.default_rng(answer).normal(size=WIDTH).astype(np.float16)


def worth(answer: int) -> float:
    """Return how good an answer is: a weighted sum of its features."""
    return float(vector(answer).astype(float) @ np.linspace(-1.5, 1.5, WIDTH))


def read_all(round_: Round, trunk: ModelVersion) -> None:
    """Store the features of all answers, as a worker would."""
    Score.objects.bulk_create(
        (
            Score(response=answer, model=trunk, features=vector(answer.pk).tobytes())
            for answer in Response.objects.filter(prompt__campaign=round_.campaign)
        ),
        ignore_conflicts=True,
    )


def judge(rater: User, campaign: Campaign, most: int = 10_000) -> int:
    """Judge what comes, by worth, until nothing does; returns how many were judged."""
    for done in range(most):
        slot = assignment.claim(rater, campaign)
        if slot is None:
            return done
        answers = list(slot.task.task_responses.values_list("response", flat=True))
        left, right = (worth(answers[position]) for position in slot.order_shown)
        judgments.submit(
            rater, slot.lease, idempotency_key=uuid4(), verdict=-2 if left > right else 2, active_ms=1000
        )
    return most
