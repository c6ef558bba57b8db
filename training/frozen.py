"""What raters said and what a frozen trunk makes of the answers, and a linear reward fitted to both.

A trunk reads each answer once, in the background, and its features are kept in labeling.Score. So nothing but
`keep_features` needs torch, and a fit to thousands of votes takes a second.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Length

from labeling import scores, trust
from labeling.models import Campaign, Judgment, Response, Round, Score, TaskResponse
from models_app import registry
from models_app.models import ModelVersion
from preferences.intervals import Floats
from preferences.selection import Posterior, posterior
from training.engine.features import embed, principal
from training.formats import SURE

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

COMPONENTS = 64  # of the trunk's features, beside the answer's length
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)  # to choose from
NEWEST = 20_000  # judgments that a fit reads, at most
RANDOM, ACTIVE = 1, 2  # arms of votes

# What was said about comparisons, the newest first: gold tasks and repeats are no fresh votes.
VOTES = """
SELECT lhs.response_id, rhs.response_id, said.verdict, said.rater_id, task.prompt_id, task.id,
    (prompt.split = 'train')::int,
    CASE WHEN task.chat_id IS NOT NULL THEN 0 WHEN task.selection = 'random' THEN 1
        WHEN task.selection = 'active' THEN 2 ELSE 0 END,
    (round.selection <> '{}')::int
FROM labeling_judgment said JOIN labeling_task task ON task.id = said.task_id
    JOIN labeling_prompt prompt ON prompt.id = task.prompt_id
    JOIN labeling_round round ON round.id = task.round_id
    JOIN labeling_taskresponse lhs ON lhs.task_id = task.id AND lhs.position = said.order_shown[1]
    JOIN labeling_taskresponse rhs ON rhs.task_id = task.id AND rhs.position = said.order_shown[2]
WHERE task.campaign_id = %(campaign)s AND task.kind = 'compare' AND task.repeats_id IS NULL AND NOT task.gold
    AND task.selection <> 'watch' AND said.verdict IS NOT NULL AND NOT said.extra AND NOT said.withdrawn
    AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id)
ORDER BY said.id DESC LIMIT %(most)s
"""


@dataclass(frozen=True, eq=False)
class Votes:
    """Hold what raters said in time order: arrays of equal length.

    `left` and `right` are answers by their keys, `says` how sure the vote is that the left one is better
    (0…1), `weight` what its rater's votes count for, `arm` 0, RANDOM or ACTIVE, `chosen` whether its round
    chooses pairs.
    """

    left: Ints
    right: Ints
    says: Floats
    weight: Floats
    prompt: Ints
    task: Ints
    training: Mask
    arm: Ints
    chosen: Mask

    def __len__(self) -> int:
        return len(self.left)


@dataclass(frozen=True, eq=False)
class Space:
    """Hold answers' features, a row (n, d) for each of the sorted keys (n,)."""

    answers: Ints
    rows: Floats

    def knows(self, *keys: Ints) -> Mask:
        """Tell where all of some arrays of keys have features."""
        return np.asarray(np.isin(keys, self.answers).all(axis=0))

    def gaps(self, first: Ints, second: Ints) -> Floats:
        """Return first less second, (n, d), of answers that have features."""
        at = [np.searchsorted(self.answers, each) for each in (first, second)]
        return np.asarray(self.rows[at[0]] - self.rows[at[1]])


def fit(votes: Votes, space: Space, rows: Mask | Ints) -> Posterior:
    """Fit the linear reward to some of the votes, all of whose answers have features."""
    return fit_gaps(space.gaps(votes.left[rows], votes.right[rows]), votes.says[rows], votes.weight[rows])


def fit_gaps(gaps: Floats, says: Floats, weight: Floats) -> Posterior:
    """Fit with the ridge of RIDGES under which the votes are likeliest, by Laplace's approximation.

    How much the features tell differs from campaign to campaign, and with the number of votes.
    """

    def evidence(ridge: float, found: Posterior) -> float:
        eta, d = gaps @ found.weights, len(found.weights)
        likelihood = weight @ (says * eta - np.logaddexp(0, eta))
        prior = 0.5 * (d * np.log(ridge) - ridge * found.weights @ found.weights)
        return float(likelihood + prior + 0.5 * np.linalg.slogdet(found.covariance)[1])

    fits = [(ridge, posterior(gaps, says, weight, ridge=ridge)) for ridge in RIDGES]
    return max(fits, key=lambda each: evidence(*each))[1]


def read_votes(campaign: Campaign) -> Votes:
    """Read the newest comparisons of a campaign that count, in time order."""
    with connection.cursor() as cursor:
        cursor.execute(VOTES, {"campaign": campaign.pk, "most": NEWEST})
        rows = np.array(cursor.fetchall(), np.int64).reshape(-1, 9)[::-1]
    weights = trust.weights(campaign)
    sure = np.array([SURE[abs(verdict)] for verdict in range(-3, 4)])[rows[:, 2] + 3]
    return Votes(
        left=rows[:, 0],
        right=rows[:, 1],
        says=np.where(rows[:, 2] < 0, sure, 1 - sure),
        weight=np.array([weights.get(rater, 1.0) for rater in rows[:, 3].tolist()]),
        prompt=rows[:, 4],
        task=rows[:, 5],
        training=rows[:, 6] == 1,
        arm=rows[:, 7],
        chosen=rows[:, 8] == 1,
    )


def read_space(trunk: ModelVersion, answers: Ints) -> Space:
    """Read the features of those answers that have some: the trunk's principal components, and log length."""
    found = Score.objects.filter(model=trunk, response__in=answers.tolist()).exclude(features=b"")
    keys, raw = [], []
    for pk, read in found.order_by("response").values_list("response", "features").iterator(scores.CHUNK):
        keys.append(pk)
        raw.append(np.frombuffer(bytes(read), np.float16))
    if not keys:
        return Space(np.zeros(0, np.int64), np.zeros((0, 1)))
    features = np.stack(raw).astype(np.float32)
    mean, directions = principal(features, COMPONENTS)
    sizes = dict(Response.objects.filter(pk__in=keys).values_list("pk", Length("text")))
    long = np.log1p([sizes[key] for key in keys])
    long = (long - long.mean()) / (long.std() or 1.0)
    return Space(np.array(keys, np.int64), np.column_stack([(features - mean) @ directions, long]))


def unread(round_: Round, trunk: ModelVersion) -> QuerySet[Response]:
    """Return the answers that a choice needs and that have no features: the round's, and what was judged."""
    judged = Judgment.objects.filter(task=OuterRef("task"), verdict__isnull=False)
    compared = TaskResponse.objects.filter(Exists(judged), response=OuterRef("pk"))
    read = Score.objects.filter(response=OuterRef("pk"), model=trunk)
    answers = Response.objects.filter(~Exists(read), prompt__campaign=round_.campaign_id)
    wanted = answers.filter(Q(round=round_) | Exists(compared))
    return wanted.select_related("prompt").order_by("-pk")


def keep_features(trunk: ModelVersion, answers: list[Response]) -> None:
    """Read answers and store their features; of a reward model its scores, too."""
    talks = [scores.conversation(answer) for answer in answers]
    values: list[float | None] = [None] * len(answers)
    if trunk.kind == ModelVersion.Kind.REWARD:
        found, features = registry.reward_model(trunk).read(talks)
        values = list(found)
    else:
        features = embed(trunk.location, talks)
    Score.objects.bulk_create(
        (
            Score(response=answer, model=trunk, value=value, features=read.astype(np.float16).tobytes())
            for answer, value, read in zip(answers, values, features, strict=True)
        ),
        ignore_conflicts=True,
    )
