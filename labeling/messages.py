"""Messages to raters about no one thing: read at home, above the work, and among what reviewers say."""

from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling.members import RATES
from labeling.models import Campaign, Feedback
from labeling.reviews import FEEDBACK_LIMIT, ReviewError
from labeling.submissions import SubmissionError, clean_text


def send(by: User, campaign: Campaign, text: str, to: Iterable[User] | None = None) -> int:
    """Tell some of a campaign's people something, or all who rate there; return how many.

    Raises ReviewError for a text that can't be sent, or when there is nobody to read it.
    """
    try:
        text = clean_text("text", text, FEEDBACK_LIMIT).strip()
    except SubmissionError as error:
        raise ReviewError(error.field, str(error)) from error
    if not text:
        raise ReviewError("text", _("Write what the rater should know."))
    if to is None:
        members = campaign.memberships.filter(role__in=RATES).exclude(user=by)
        to = [member.user for member in members.select_related("user")]
    people = [user for user in to if not user.imported and not user.simulated and user.is_active]
    if not people:
        raise ReviewError("to", _("There is nobody to read it."))
    with transaction.atomic():
        Feedback.objects.bulk_create(
            Feedback(campaign=campaign, rater=user, reviewer=by, text=text) for user in people
        )
        names = [user.username for user in people]
        audit.record(by, "message raters", campaign, raters=names, text=text[:500])
    return len(people)


def read(user: User, pk: int) -> bool:
    """Note that somebody has read one word to them; tell whether it was new."""
    return bool(Feedback.objects.filter(pk=pk, rater=user, read_at=None).update(read_at=timezone.now()))
