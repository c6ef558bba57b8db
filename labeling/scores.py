"""What a campaign's reward model makes of answers that were compared: its score, and the trunk's features.

They are computed once per answer and model, in the background, and read by whoever trusts raters and models.
"""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
from django.db.models import Exists, OuterRef, QuerySet

from labeling.models import Campaign, Judgment, Response, Round, Score, TaskResponse
from labeling.vote_table import Ints
from models_app import registry
from models_app.backends import BackendError, Conversation
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.intervals import Floats

if TYPE_CHECKING:
    from models_app.backends.transformers import TransformersRewardModel

R = TypeVar("R")
SECONDS = 120.0  # of one visit; what is left waits for the next
BATCH = 64
COVERED = 0.8  # of the answers, from which on a model's features are used
COMPONENTS = 64
CHUNK = 5000

Halves = npt.NDArray[np.float16]


def missing(campaign: Campaign, model: ModelVersion) -> QuerySet[Response]:
    """Return the answers of comparisons somebody judged that a model hasn't scored yet."""
    judged = Judgment.objects.filter(task=OuterRef("task"), verdict__isnull=False)
    compared = TaskResponse.objects.filter(Exists(judged), response=OuterRef("pk"))
    scored = Score.objects.filter(response=OuterRef("pk"), model=model)
    answers = Response.objects.filter(Exists(compared), ~Exists(scored), prompt__campaign=campaign)
    return answers.select_related("prompt").order_by("pk")


def fill(campaign: Campaign, seconds: float = SECONDS) -> int:
    """Score answers with the champion reward model for some time; return how many.

    Loads torch. A model that can't be loaded leaves everything as it was.
    """
    model = registry.champion(campaign.model_family, ModelVersion.Kind.REWARD)
    if model is None or not missing(campaign, model).exists():
        return 0
    try:
        loaded = registry.reward_model(model)
    except (BackendError, ModelError):
        return 0
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until and (batch := list(missing(campaign, model)[:BATCH])):
        keep(model, loaded, batch)
        done += len(batch)
    if not missing(campaign, model).exists():
        stale = Score.objects.filter(response__prompt__campaign=campaign, model__family=model.family)
        stale = stale.filter(model__kind=ModelVersion.Kind.REWARD)  # a frozen trunk's features stay
        stale.exclude(model=model).delete()
    return done


def keep(model: ModelVersion, loaded: "TransformersRewardModel", answers: Sequence[Response]) -> None:
    """Read answers with a loaded reward model and store what it gives them; what is stored already stays."""
    values, features = loaded.read([conversation(answer) for answer in answers])
    rows = zip(answers, values, features.astype(np.float16), strict=True)
    Score.objects.bulk_create(
        (Score(response=a, model=model, value=value, features=read.tobytes()) for a, value, read in rows),
        ignore_conflicts=True,
    )


def fill_round(round_: Round) -> int:
    """Score the answers of a round with the champion reward model, those that it hasn't; return how many.

    Loads torch where there is something to score. A model that can't be loaded scores nothing.
    """
    model = registry.champion(round_.campaign.model_family, ModelVersion.Kind.REWARD)
    scored = Score.objects.filter(response=OuterRef("pk"), model=model)
    answers = round_.responses.filter(~Exists(scored)).select_related("prompt").order_by("pk")
    if model is None or not answers.exists():
        return 0
    try:
        loaded, done = registry.reward_model(model), 0
    except (BackendError, ModelError):
        return 0
    for batch in batched(answers.iterator(BATCH), BATCH):
        keep(model, loaded, batch)
        done += len(batch)
    return done


def conversation(answer: Response) -> Conversation:
    """Return what a reward model reads: the prompt, and the answer or all that followed."""
    said = answer.turns or [{"role": "assistant", "content": answer.text}]
    return [*answer.prompt.messages, *said]


def batched(rows: Iterator[R], size: int) -> Iterator[list[R]]:
    """Yield rows some at a time."""
    while batch := list(islice(rows, size)):
        yield batch


def features(campaign: Campaign, answers: Ints) -> tuple[Floats, Ints] | None:
    """Return the features of answers (rows in their order) and which have them; None without a reward model.

    They are of the newest model that has read COVERED of them: its score and the first principal components
    of its trunk's features, each part to the scale of a unit variance in the mean. Rows that lack them are 0.
    """
    models = ModelVersion.objects.filter(family=campaign.model_family, kind=ModelVersion.Kind.REWARD)
    for model in models.filter(Exists(Score.objects.filter(model=OuterRef("pk")))).order_by("-pk")[:3]:
        at, values, raw = _stored(model, answers)
        if len(at) and len(at) >= COVERED * len(answers):
            parts = [_scaled(values[:, None]), _scaled(_components(raw))]
            found = np.zeros((len(answers), sum(part.shape[1] for part in parts)))
            found[at] = np.hstack(parts)
            return found, at
    return None


def _stored(model: ModelVersion, answers: Ints) -> tuple[Ints, Floats, Halves]:
    """Return the places of answers that a model has read, its scores, and the trunk's features as stored."""
    places: list[int] = []
    values: list[float] = []
    raw: list[Halves] = []
    rows = Score.objects.filter(model=model).values_list("response", "value", "features")
    for chunk in batched(rows.iterator(CHUNK), CHUNK):
        keys = np.array([pk for pk, _value, _read in chunk])
        kept = np.flatnonzero(np.isin(keys, answers))
        place = np.searchsorted(answers, keys)
        places += place[kept].tolist()
        values += [chunk[k][1] or 0.0 for k in kept]  # a reward model scores all that it reads
        read = b"".join(bytes(chunk[k][2]) for k in kept)
        if len(kept):
            raw.append(np.frombuffer(read, np.float16).reshape(len(kept), -1))
    return np.array(places, np.int64), np.array(values), np.concatenate(raw or [np.zeros((0, 0), np.float16)])


def _components(raw: Halves) -> Floats:
    """Return the first principal components of rows, which keep their scale; in parts, to spare memory."""
    mean = raw.mean(axis=0, dtype=np.float64)
    parts = [slice(start, start + CHUNK) for start in range(0, len(raw), CHUNK)]
    squares = np.zeros((raw.shape[1], raw.shape[1]))
    for part in parts:
        centred = raw[part] - mean
        squares += centred.T @ centred
    axes = np.linalg.eigh(squares)[1][:, ::-1][:, :COMPONENTS]
    return np.concatenate([(raw[part] - mean) @ axes for part in parts])


def _scaled(columns: Floats) -> Floats:
    centred: Floats = columns - columns.mean(axis=0)
    scale = float(np.sqrt(centred.var(axis=0).mean())) if centred.size else 0.0
    return centred / scale if scale > 0 else centred
