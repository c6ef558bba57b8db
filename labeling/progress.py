"""What a rater is told about the work: what is there, how far it is, and why there is none just now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from django.db.models import Count, Exists, OuterRef, Q, Sum
from django.utils import timezone

from accounts.models import User
from labeling import agreement, assignment, onboarding, pausing
from labeling.members import rated_by
from labeling.models import Campaign, Edit, Judgment, Membership, Round, Skip, Slot, Task
from labeling.models.judgment import effective
from labeling.models.task import fresh
from labeling.onboarding import State, Step
from preferences.types import Estimate

S = TypeVar("S", Judgment, Edit)
TAKEN = [Slot.Status.CLAIMED, Slot.Status.DONE]
# What comes next in a campaign; the rater's home lists them so.
ORDER = [
    "go_on", "start", "guideline", "practice", "test", "wait", "skills", "failed", "held_back", "paused",
    "closed",
]  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """How much a rater said in a campaign: since midnight, since Monday (both UTC), and ever."""

    today: int = 0
    week: int = 0
    ever: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.today + other.today, self.week + other.week, self.ever + other.ever)


@dataclass(frozen=True)
class Work:
    """One campaign on a rater's home page."""

    campaign: Campaign
    counted: int  # labels in its open rounds
    wanted: int
    mine: Counts
    agreement: Estimate | None  # with others; None where the campaign doesn't show it
    skills: list[tuple[str, bool]]  # what it needs, and whether the rater has it
    holds: bool  # something is begun
    waits: bool  # there is something new to begin
    way_in: State  # guideline, practice and test
    held_back: bool  # a manager has paused this rater here

    @property
    def lacking(self) -> list[str]:
        return [name for name, held in self.skills if not held]

    @property
    def next(self) -> str:
        """Name what comes next, as in ORDER."""
        if self.campaign.status != Campaign.Status.ACTIVE:
            return "closed" if self.campaign.status == Campaign.Status.CLOSED else "paused"
        if self.held_back:
            return "held_back"
        if self.lacking:
            return "skills"
        if self.way_in.step != Step.DONE:
            return str(self.way_in.step)
        if self.holds:
            return "go_on"
        return "start" if self.waits else "wait"


@dataclass(frozen=True)
class Waiting:
    """Why there is nothing to do.

    paused, closed, held_back, a limit (daily, all), preparing, taken, learning or none.
    """

    reason: str
    done: int = 0
    total: int = 0


def of_rater(rater: User) -> list[Work]:
    """Return the campaigns that somebody may rate in, those with something to do first."""
    mine = Slot.objects.filter(task=OuterRef("task"), rater=rater, status__in=TAKEN)
    passed = Skip.objects.filter(task=OuterRef("task"), rater=rater)
    slots = Slot.objects.filter(campaign=OuterRef("pk"))
    # work as others see it: checks come in between, and never alone
    new = slots.filter(~Exists(mine), ~Exists(passed), status=Slot.Status.OPEN, gold=False)
    new = new.filter(Q(reserved_for=None) | Q(reserved_for=rater))
    campaigns = list(
        rated_by(rater)
        .annotate(
            holds=Exists(slots.filter(rater=rater, status=Slot.Status.CLAIMED)),
            waits=Exists(new),
            held_back=Exists(
                Membership.objects.filter(campaign=OuterRef("pk"), user=rater, paused_at__isnull=False)
            ),
        )
        .prefetch_related("skills")
        .order_by("name")
    )
    held = set(rater.skills.values_list("pk", flat=True))
    figures = open_labels(campaigns)
    counts = said_by(Judgment, rater), said_by(Edit, rater)
    agreements = agreement.of_rater(rater, [c for c in campaigns if c.show_figures])
    ways_in = onboarding.states(rater, campaigns)
    works = [
        Work(
            campaign,
            *figures.get(campaign.pk, (0, 0)),
            mine=counts[0].get(campaign.pk, Counts()) + counts[1].get(campaign.pk, Counts()),
            agreement=agreements.get(campaign.pk),
            skills=sorted((skill.name, skill.pk in held) for skill in campaign.skills.all()),
            holds=campaign.holds,
            waits=campaign.waits,
            way_in=ways_in[campaign.pk],
            held_back=campaign.held_back,
        )
        for campaign in campaigns
    ]
    return sorted(works, key=lambda work: ORDER.index(work.next))


def open_labels(campaigns: Sequence[Campaign]) -> dict[int, tuple[int, int]]:
    """Return how many labels the open rounds of each campaign have, and how many they want."""
    open_tasks = Task.objects.filter(fresh(), campaign__in=campaigns, round__status=Round.Status.OPEN)
    sums = open_tasks.exclude(status=Task.Status.CANCELLED).values("campaign")
    totals = sums.annotate(done=Sum("counted"), all=Sum("overlap"))
    return {pk: (done, wanted) for pk, done, wanted in totals.values_list("campaign", "done", "all")}


def said_by(model: type[S], rater: User) -> dict[int, Counts]:
    """Count a rater's standing judgments or edits by campaign."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    monday = midnight - timedelta(days=midnight.weekday())
    rows = model._default_manager.filter(effective(), rater=rater, imported=False).values("task__campaign")
    counts = rows.annotate(
        today=Count("pk", filter=Q(created_at__gte=midnight)),
        week=Count("pk", filter=Q(created_at__gte=monday)),
        ever=Count("pk"),
    )
    return {c: Counts(*n) for c, *n in counts.values_list("task__campaign", "today", "week", "ever")}


def waiting(rater: User, campaign: Campaign) -> Waiting:
    """Tell why a rater's claim in a campaign gave nothing."""
    if campaign.status != Campaign.Status.ACTIVE:
        return Waiting("closed" if campaign.status == Campaign.Status.CLOSED else "paused")
    if pausing.is_paused(campaign, rater):
        return Waiting("held_back")
    if limit := assignment.limit_reached(rater, campaign):
        return Waiting(limit)
    live = campaign.rounds.filter(status__in=[Round.Status.GENERATING, Round.Status.OPEN]).order_by("pk")
    for round_ in live:
        if round_.status == Round.Status.OPEN:
            left = Slot.objects.filter(
                fresh("task__"), task__round=round_, status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED]
            ).count()
            if left:
                return Waiting("taken", total=left)
    for round_ in live:
        if round_.status == Round.Status.GENERATING:
            return Waiting("preparing", round_.responses_done, round_.responses_total)
    last = campaign.rounds.filter(origin=Round.Origin.LOOP).order_by("-number").first()
    if last is None or campaign.loop_paused:
        return Waiting("none")
    if campaign.max_rounds is not None and last.number >= campaign.max_rounds:
        return Waiting("none")
    return Waiting("learning")


def last_said(rater: User, campaign: Campaign) -> Judgment | Edit | None:
    """Return what a rater sent last in a campaign and hasn't taken back."""
    said = [row for row in (newest(Judgment, rater, campaign), newest(Edit, rater, campaign)) if row]
    return max(said, key=lambda row: row.created_at, default=None)


def newest(model: type[S], rater: User, campaign: Campaign) -> S | None:
    """Return somebody's newest standing judgment, or edit, in a campaign."""
    mine = model._default_manager.filter(effective(), rater=rater, task__campaign=campaign, imported=False)
    return mine.select_related("task__campaign").order_by("-created_at").first()
