"""Every verdict of a campaign that counts, as arrays: a million of them in a few hundred megabytes."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import F

from accounts.models import User
from labeling.models import Campaign, Task, TaskResponse
from labeling.models.task import fresh
from labeling.quality import counted
from labeling.words import split
from models_app.models import ModelVersion
from preferences.ballots import Ballots
from preferences.bias import FORMATS, read_format
from preferences.bradley_terry import connected
from preferences.rankings import expand
from preferences.stopping import number_within

Whole = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CHUNK = 20_000
PLACES = 16  # more than positions in any task: task × PLACES + position names an answer's place


@dataclass(frozen=True)
class Verdicts:
    """Hold what raters said of pairs of answers, as arrays of length N in the order in which they spoke.

    A comparison is one row, a ranking of k answers k (k − 1)/2. `one` < `other` are positions in the task;
    `outcome` is 1 where `one` won, −1 where `other` did, 0 a tie; `left` is 1 where the verdict was for the
    side shown left, −1 for the right, 0 for a tie and for rankings. `kind`, `language`, `round` and
    `selection` are codes into `kinds`, `languages`, `rounds` and `selections`.
    """

    task: Whole
    prompt: Whole
    rater: Whole
    one: Whole
    other: Whole
    outcome: Whole
    left: Whole
    kind: Whole
    language: Whole
    round: Whole
    selection: Whole
    kinds: list[str]
    languages: list[str]
    rounds: list[int]
    selections: list[str]

    def __len__(self) -> int:
        return len(self.task)

    def selected(self, how: Task.Selection) -> npt.NDArray[np.bool_]:
        """Mark the verdicts on tasks that came about in one way."""
        return np.array([name == how for name in self.selections], bool)[self.selection]

    @property
    def item(self) -> Whole:
        """Number the pairs of answers that verdicts are about."""
        return (self.task * PLACES + self.one) * PLACES + self.other


COLUMNS = (
    "task",
    "prompt",
    "rater",
    "one",
    "other",
    "outcome",
    "left",
    "kind",
    "language",
    "round",
    "selection",
)


def read(campaign: Campaign) -> Verdicts:
    """Read a campaign's verdicts, but not those on gold tasks and repeats: these are no fresh votes."""
    columns = [array("q") for _ in COLUMNS]
    codes: tuple[dict[Any, int], ...] = ({}, {}, {}, {})
    rows = (
        counted(campaign)
        .values_list(
            "task", "task__prompt", "rater", "verdict", "order_shown", "ranking",
            "task__chat", "task__prompt__language", "task__round__number", "task__selection",
        )
    )  # fmt: skip
    for row in rows.iterator(CHUNK):
        task, prompt, rater, verdict, shown, ranking, chat, language, round_, selection = row
        kind = Task.Kind.RANK if ranking else Task.Kind.CHAT if chat else Task.Kind.COMPARE
        names = (str(kind), language, round_, selection)
        labels = [known.setdefault(name, len(known)) for known, name in zip(codes, names, strict=True)]
        for one, other, outcome, left in _pairs(verdict, shown, ranking):
            said = (task, prompt, rater, one, other, outcome, left, *labels)
            for column, value in zip(columns, said, strict=True):
                column.append(value)
    arrays = {name: np.array(column, np.int64) for name, column in zip(COLUMNS, columns, strict=True)}
    kinds, languages, rounds, selections = map(list, codes)
    return Verdicts(**arrays, kinds=kinds, languages=languages, rounds=rounds, selections=selections)


def _pairs(
    verdict: int | None, shown: list[int], ranking: list[list[int]] | None
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (one, other, outcome, left) of a judgment."""
    if verdict is None:
        for one, other, said in expand(ranking or []):
            yield one, other, (said < 0) - (said > 0), 0
        return
    left = (verdict < 0) - (verdict > 0)
    first, second = shown
    yield min(first, second), max(first, second), left if first < second else -left, left


def skills_of(raters: Whole) -> dict[str, Whole]:
    """Return which of these raters have each skill."""
    found: dict[str, list[int]] = {}
    through = User.skills.through.objects.filter(user__in=np.unique(raters).tolist())
    for name, user in through.order_by("skill__name").values_list("skill__name", "user"):
        found.setdefault(name, []).append(user)
    return {name: np.array(users, np.int64) for name, users in found.items()}


@dataclass(frozen=True)
class Votes:
    """Hold the verdicts between two different policies, with their differences of style (left − right).

    `left_out` counts by its cause what says nothing of policies at large: "chosen" pairs that were picked for
    what they teach, "asked again" beyond the overlap because raters disagreed, "apart" between policies
    that no vote joins with the others, "one policy" that gave both answers, "no policy" known of an answer.
    """

    ballots: Ballots
    rounds: Whole  # the number of each vote's
    models: dict[str, int]  # the policies' keys by name
    styles: dict[str, Floats]
    reference: str  # the policy that was there first: the campaign's base
    apart: list[int]  # policies that no vote joins with these
    left_out: dict[str, int]


def between_policies(campaign: Campaign, verdicts: Verdicts) -> Votes:
    """Find which verdicts are between answers of two different policies, and how the answers' style differs.

    What is asked because of what raters have said already is no random draw of votes, and is left out.
    """
    places, policies, styles, names = _answers(campaign)
    one, other = (
        _find(places, verdicts.task * PLACES + position) for position in (verdicts.one, verdicts.other)
    )
    known = (one >= 0) & (other >= 0)
    same = known & (policies[one] == policies[other]) if len(policies) else known
    chosen = known & ~same & verdicts.selected(Task.Selection.ACTIVE)
    again = known & ~same & ~chosen & _asked_again(campaign, verdicts)
    kept = np.flatnonzero(known & ~same & ~chosen & ~again)
    keys = np.unique(np.concatenate([policies[one[kept]], policies[other[kept]]]))
    joined = connected(_ballots(verdicts, kept, policies[one[kept]], policies[other[kept]], keys, names))
    lost, kept = kept[~joined], kept[joined]
    left, right = one[kept], other[kept]
    keys = np.unique(np.concatenate([policies[left], policies[right]]))
    return Votes(
        _ballots(verdicts, kept, policies[left], policies[right], keys, names),
        np.array(verdicts.rounds, np.int64)[verdicts.round[kept]],
        {names[int(key)]: int(key) for key in keys},
        {name: styles[left, k] - styles[right, k] for k, name in enumerate(("length", *FORMATS))},
        names[int(keys[0])] if len(keys) else "",
        np.unique(np.concatenate([policies[one[lost]], policies[other[lost]]])).tolist(),
        {
            "chosen": int(chosen.sum()),
            "asked again": int(again.sum()),
            "apart": len(lost),
            "one policy": int(same.sum()),
            "no policy": int((~known).sum()),
        },
    )


def _ballots(
    verdicts: Verdicts, kept: Whole, left: Whole, right: Whole, keys: Whole, names: dict[int, str]
) -> Ballots:
    return Ballots(
        tuple(names[int(key)] for key in keys),
        np.searchsorted(keys, left),
        np.searchsorted(keys, right),
        verdicts.outcome[kept],
        verdicts.rater[kept],
        verdicts.prompt[kept],
    )


def _asked_again(campaign: Campaign, verdicts: Verdicts) -> npt.NDArray[np.bool_]:
    """Mark the verdicts that were only asked for because earlier ones on the same task disagreed."""
    if campaign.overlap_cap is None:
        return np.zeros(len(verdicts), bool)
    late = number_within(verdicts.item) >= campaign.overlap
    return np.asarray(late & ~verdicts.selected(Task.Selection.IMPORTED))


def _answers(campaign: Campaign) -> tuple[Whole, Whole, Floats, dict[int, str]]:
    """Read which policy stands at which place, sorted by place, and each answer's style.

    Returns the places, the policies' keys, a row of (log length, has lists, …) an answer, and the names.
    """
    rows = (
        TaskResponse.objects.filter(
            task__campaign=campaign,
            task__counted__gt=0,
            task__kind__in=[Task.Kind.COMPARE, Task.Kind.RANK],
            response__policy__isnull=False,
        )
        .filter(fresh("task__"))
        .annotate(policy=F("response__policy"), text=F("response__text"))
        .order_by("task", "position")
    )
    places, policies, styles = array("q"), array("q"), array("f")
    read = rows.values_list("task", "position", "policy", "text").iterator(CHUNK)
    for task, position, policy, text in read:
        places.append(task * PLACES + position)
        policies.append(policy)
        styles.extend(_style(text))
    names = dict(ModelVersion.objects.filter(pk__in=set(policies)).values_list("pk", "name"))
    table = np.array(styles, np.float64).reshape(len(places), 1 + len(FORMATS))
    return np.array(places, np.int64), np.array(policies, np.int64), table, names


def _style(text: str) -> tuple[float, ...]:
    marks = read_format(text)
    return (log(len(split(text)) + 1), *(float(getattr(marks, name)) for name in FORMATS))


def _find(places: Whole, wanted: Whole) -> Whole:
    """Return where in the sorted places each wanted one stands, −1 where it doesn't."""
    if not len(places):
        return np.full(len(wanted), -1)
    at = np.minimum(np.searchsorted(places, wanted), len(places) - 1)
    return np.where(places[at] == wanted, at, -1)
