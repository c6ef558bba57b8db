"""What a rater is told about the work: what is there, how far it is, and why there is none just now."""

from collections import Counter
from dataclasses import dataclass
from typing import TypeVar

from django.db.models import Count, Q, Sum
from django.utils import timezone

from accounts.models import User
from labeling.models import Campaign, Edit, Judgment, Round, Slot, Task

S = TypeVar("S", Judgment, Edit)


@dataclass(frozen=True)
class Work:
    """One campaign on a rater's home page."""

    campaign: Campaign
    counted: int  # labels in its open rounds
    wanted: int
    today: int  # the rater's own, since midnight UTC
    mine: int  # the rater's own, ever


@dataclass(frozen=True)
class Waiting:
    """Why there is nothing to do: paused, closed, preparing, taken, learning or none."""

    reason: str
    done: int = 0
    total: int = 0


def effective() -> Q:
    """Select judgments or edits that stand: neither withdrawn nor replaced."""
    return Q(withdrawn=False, superseded_by=None)


def of_rater(rater: User) -> list[Work]:
    """Return the campaigns that somebody may rate in, those with something to do first."""
    campaigns = Campaign.objects.filter(memberships__user=rater).exclude(status=Campaign.Status.DRAFT)
    open_tasks = Task.objects.filter(campaign__in=campaigns, round__status=Round.Status.OPEN)
    sums = open_tasks.values("campaign").annotate(done=Sum("counted"), all=Sum("overlap"))
    figures = {pk: (done, wanted) for pk, done, wanted in sums.values_list("campaign", "done", "all")}
    mine: Counter[int] = Counter()
    today: Counter[int] = Counter()
    for campaign, ever, since in [*said_by(Judgment, rater), *said_by(Edit, rater)]:
        mine[campaign] += ever
        today[campaign] += since
    works = [
        Work(campaign, *figures.get(campaign.pk, (0, 0)), today[campaign.pk], mine[campaign.pk])
        for campaign in campaigns.order_by("name")
    ]
    return sorted(works, key=lambda w: (w.campaign.status != Campaign.Status.ACTIVE, w.counted >= w.wanted))


def said_by(model: type[S], rater: User) -> list[tuple[int, int, int]]:
    """Count a rater's standing judgments or edits by campaign: ever, and since midnight UTC."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = model._default_manager.filter(effective(), rater=rater, imported=False).values("task__campaign")
    counts = rows.annotate(ever=Count("pk"), today=Count("pk", filter=Q(created_at__gte=midnight)))
    return list(counts.values_list("task__campaign", "ever", "today"))


def waiting(campaign: Campaign) -> Waiting:
    """Tell why a claim in a campaign gave nothing."""
    if campaign.status != Campaign.Status.ACTIVE:
        return Waiting("closed" if campaign.status == Campaign.Status.CLOSED else "paused")
    live = campaign.rounds.filter(status__in=[Round.Status.GENERATING, Round.Status.OPEN]).order_by("pk")
    for round_ in live:
        if round_.status == Round.Status.OPEN:
            left = Slot.objects.filter(
                task__round=round_, status__in=[Slot.Status.OPEN, Slot.Status.CLAIMED]
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
