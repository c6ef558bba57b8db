"""What a manager sees and decides of the raters' qualification tests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from labeling.models import Campaign, Example, Membership, Trial
from labeling.onboarding import PRACTICE, Facts, tries


@dataclass(frozen=True)
class Standing:
    """What a manager sees of a member's qualification: the scores of their full tries, and the date."""

    qualified_at: datetime | None
    scores: list[float]
    tried: int  # tries begun


def standings(campaign: Campaign, raters: Iterable[User]) -> dict[int, Standing]:
    """Return by member how the test went: three queries, however many members."""
    examples = list(campaign.examples.filter(use=Example.Use.TEST).order_by("pk"))
    said: dict[int, list[Trial]] = {}
    trials = Trial.objects.filter(example__campaign=campaign, rater__in=raters, attempt__gt=PRACTICE)
    for trial in trials.order_by("pk"):
        said.setdefault(trial.rater_id, []).append(trial)
    found = {}
    for rater, qualified_at in campaign.memberships.filter(user__in=raters).values_list(
        "user", "qualified_at"
    ):
        attempts = tries(Facts(campaign, examples=examples, trials=said.get(rater, [])))
        scores = [a.score for a in attempts if a.complete]
        found[rater] = Standing(qualified_at, scores, len(attempts))
    return found


def waive(campaign: Campaign, rater: User, by: User) -> None:
    """Let a member work without the test."""
    with transaction.atomic():
        waived = Membership.objects.filter(campaign=campaign, user=rater, qualified_at=None)
        if waived.update(qualified_at=timezone.now()):
            audit.record(by, "waive qualification", campaign, rater=rater.username)


def reset(campaign: Campaign, rater: User, by: User) -> None:
    """Let a member who hasn't passed the test begin it anew, with all attempts."""
    with transaction.atomic():
        # the lock keeps an answer that is just coming from half surviving
        unqualified = Membership.objects.select_for_update(of=("self",), no_key=True).filter(
            campaign=campaign, user=rater, qualified_at=None
        )
        if unqualified.first() is None:
            return
        deleted, _rows = Trial.objects.filter(
            example__campaign=campaign, rater=rater, attempt__gt=PRACTICE
        ).delete()
        if deleted:
            audit.record(by, "reset qualification", campaign, rater=rater.username, answers=deleted)
