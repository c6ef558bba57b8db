"""Drafts: what a rater has typed so far, kept through reloads and gone with the submit."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from labeling.assignment import LeaseError
from labeling.models import Draft, Slot
from labeling.submissions import SubmissionError

LIMIT = 300_000


def save(rater: User, lease: UUID, data: dict[str, Any]) -> datetime | None:
    """Keep an unfinished answer, and return when; one that arrives after its submit is dropped.

    Raises LeaseError, SubmissionError.
    """
    written = json.dumps(data)
    if len(written) > LIMIT or "\\u0000" in written:
        raise SubmissionError("data", _("This is too long to be kept as a draft."))
    slot = Slot.objects.filter(lease=lease, rater=rater).only("task_id", "status").first()
    if slot is None:
        raise LeaseError(_("This task isn't yours: nothing was saved."))
    if slot.status == Slot.Status.DONE:
        return None
    draft, _made = Draft.objects.update_or_create(task_id=slot.task_id, rater=rater, defaults={"data": data})
    return draft.updated_at
