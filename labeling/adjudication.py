"""Adjudication: a reviewer decides a comparison in dispute, blind to who said what, and sorts why it was one.

The decision is the final word on the task: its consensus in every snapshot from then on. Afterwards the
reviewer sees what raters and the reward model said, and says whose error it was, or what the guideline lacks.
"""

import random
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from accounts import audit
from accounts.models import User
from labeling import assignment, trust
from labeling.judgments import check_verdict
from labeling.models import Adjudication, Campaign, GuidelineGap, Judgment, TaskResponse
from labeling.models.judgment import counting
from labeling.reviews import ReviewError
from labeling.submissions import clean_text
from labeling.trust import Trust
from preferences.intervals import wilson
from preferences.types import Estimate

HOLD = timedelta(minutes=30)
NOTE_LIMIT = 5000
Cause = Adjudication.Cause


@dataclass(frozen=True)
class Vote:
    """What a rater said, on the sides as the reviewer saw them, and how much it weighs."""

    judgment: Judgment
    verdict: int
    trust: Trust

    @property
    def weight(self) -> float:
        return self.trust.weight


def claim(reviewer: User, campaign: Campaign) -> Adjudication | None:
    """Give a reviewer the dispute that they hold, or the most urgent one that nobody holds; None: no more.

    It is theirs for half an hour. Nobody decides on a comparison that they have judged themselves.
    """
    with transaction.atomic():
        # two pages of one reviewer follow each other
        User.objects.select_for_update(no_key=True).get(pk=reviewer.pk)
        now = assignment.clock()
        rows = Adjudication.objects.filter(campaign=campaign, decided_at=None)
        mine = rows.filter(reviewer=reviewer, held_until__gte=now).order_by("pk").first()
        if mine is not None:
            return mine
        judged = Judgment.objects.filter(task=OuterRef("task"), rater=reviewer)
        free = rows.filter(Q(held_until=None) | Q(held_until__lt=now)).exclude(Exists(judged))
        found = free.order_by("-urgency", "pk").select_for_update(skip_locked=True, of=("self",)).first()
        if found is not None:
            found.reviewer, found.held_until = reviewer, now + HOLD
            found.save(update_fields=["reviewer", "held_until"])
        return found


def find(campaign: Campaign, pk: int) -> Adjudication:
    """Return an adjudication of a campaign with what a page shows of its task. Raises ReviewError."""
    places = TaskResponse.objects.order_by("position").select_related("response__policy")
    rows = Adjudication.objects.filter(campaign=campaign, pk=pk)
    rows = rows.select_related("task__prompt", "task__campaign", "task__round", "reviewer", "gap")
    found = rows.prefetch_related(Prefetch("task__task_responses", places)).first()
    if found is None:
        raise ReviewError("id", _("This campaign has no such dispute."))
    return found


def order_shown(adjudication: Adjudication) -> list[int]:
    """Return which answer stands at which side for the reviewer: by chance, and always the same."""
    return random.Random(f"sides of adjudication {adjudication.pk}").sample([0, 1], 2)


def decide(adjudication: Adjudication, reviewer: User, verdict: int, both_bad: bool = False) -> Adjudication:
    """Store a reviewer's final word: `verdict` is about the sides as displayed. Raises SubmissionError."""
    check_verdict(adjudication.campaign, verdict, both_bad)
    placed = verdict if order_shown(adjudication)[0] == 0 else -verdict
    with transaction.atomic():
        held = Adjudication.objects.filter(pk=adjudication.pk, reviewer=reviewer, decided_at=None)
        decided = {"verdict": placed, "both_bad": both_bad, "decided_at": assignment.clock()}
        if not held.update(**decided, held_until=None):
            raise ReviewError(
                "id", _("You don't hold this one any more: somebody else has it, or decided it.")
            )
        audit.record(reviewer, "adjudicate", adjudication.task, adjudication=adjudication.pk, verdict=placed)
    return find(adjudication.campaign, adjudication.pk)


def release(adjudication: Adjudication, reviewer: User) -> None:
    """Leave a dispute to somebody else. Raises ReviewError when it isn't theirs."""
    held = Adjudication.objects.filter(pk=adjudication.pk, reviewer=reviewer, decided_at=None)
    if not held.update(reviewer=None, held_until=None):
        raise ReviewError("id", _("You don't hold this one any more: somebody else has it, or decided it."))


def sort(
    adjudication: Adjudication, reviewer: User, cause: str, note: str = "", gap: str = ""
) -> Adjudication:
    """Say, once, why a decided comparison was in dispute; a gap says what the guideline lacks.

    `note` is kept with it. Raises ReviewError when it isn't decided yet or is sorted already.
    """
    if cause not in Cause.values:
        known = ", ".join(Cause.values)
        raise ReviewError("cause", _("The cause is one of %(known)s.") % {"known": known})
    note = clean_text("note", note, NOTE_LIMIT).strip()
    gap = clean_text("gap", gap, NOTE_LIMIT).strip()
    if cause == Cause.GUIDELINE_GAP and not gap:
        raise ReviewError("gap", _("Say what the guideline should say about such a case."))
    with transaction.atomic():
        unsorted = Adjudication.objects.filter(pk=adjudication.pk, cause="").exclude(decided_at=None)
        if not unsorted.update(cause=cause, note=note):
            raise ReviewError("cause", _("This one isn't decided yet, or is sorted already."))
        if cause == Cause.GUIDELINE_GAP:
            GuidelineGap.objects.create(
                campaign_id=adjudication.campaign_id,
                adjudication=adjudication,
                text=gap,
                verdict=adjudication.verdict,
                why=note,
                created_by=reviewer,
            )
        audit.record(reviewer, "sort dispute", adjudication.task, adjudication=adjudication.pk, cause=cause)
    return find(adjudication.campaign, adjudication.pk)


# -- after the decision -------------------------------------------------------------------------------


def votes(adjudication: Adjudication) -> list[Vote]:
    """Return what raters said that counts, heaviest first; only for a decided one. Raises ReviewError."""
    if adjudication.decided_at is None:
        raise ReviewError("id", _("What raters said is shown once you have decided."))
    said = Judgment.objects.filter(counting(), task=adjudication.task_id)
    rows = said.select_related("rater", "guideline")
    known = trust.of_raters(adjudication.task.campaign, [row.rater for row in rows])
    left = order_shown(adjudication)[0]
    found = [
        Vote(row, (row.verdict or 0) * (1 if row.order_shown[0] == left else -1), known[row.rater_id])
        for row in rows
    ]
    return sorted(found, key=lambda vote: (-vote.weight, vote.judgment.pk))


def decided(campaign: Campaign, *, unsorted: bool = False) -> QuerySet[Adjudication]:
    """Return what was decided in a campaign, newest first; `unsorted`: only what still lacks its cause."""
    rows = Adjudication.objects.filter(campaign=campaign, decided_at__isnull=False)
    if unsorted:
        rows = rows.filter(cause="")
    rows = rows.select_related("reviewer", "task__prompt", "task__round", "gap")
    return rows.order_by("-decided_at", "-pk")


# -- figures ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """How often those who were in dispute were right by the final word, and whose the errors were."""

    people: Estimate  # the side that raters' weighted votes leant to was the right one
    model: Estimate  # the side that the reward model scored higher was, where one is right
    causes: dict[str, Estimate]  # the share of each cause among those sorted


def measure(campaign: Campaign) -> Figures:
    """Measure what decided disputes say, with Wilson's intervals; they are no random sample of the tasks."""
    rows = decided(campaign).exclude(verdict=None).values_list("evidence", "verdict", "cause")
    said = [(evidence, side(verdict or 0)) for evidence, verdict, _cause in rows]
    people = [side(evidence["mean"]) == right for evidence, right in said if "mean" in evidence]
    scored = [(evidence["margin"], right) for evidence, right in said if evidence.get("margin") is not None]
    model = [side(-margin) == right for margin, right in scored if right]
    sorted_ = [cause for _evidence, _verdict, cause in rows if cause]
    return Figures(
        people=share(sum(people), len(people), gettext_noop("nothing has been decided yet")),
        model=share(
            sum(model), len(model), gettext_noop("nothing that a reward model scored has been decided yet")
        ),
        causes={
            cause: share(
                sorted_.count(cause),
                len(sorted_),
                gettext_noop("no dispute has been sorted by its cause yet"),
            )
            for cause in Cause.values
        },
    )


def share(count: int, n: int, why: str) -> Estimate:
    """Estimate a share with its interval, or say why there is none."""
    return Estimate(count / n, wilson(count, n), n) if n else Estimate(None, None, 0, why)


def side(value: float) -> int:
    """Return the side of a verdict or of a mean of them: −1, 0 or 1."""
    return (value > 0) - (value < 0)
