"""Drafts: what a rater has typed so far, kept through reloads and gone with the submit."""

import json
from typing import Any
from uuid import UUID

from accounts.models import User
from labeling.assignment import LeaseError
from labeling.models import Draft, Slot
from labeling.submissions import SubmissionError

LIMIT = 300_000


def save(rater: User, lease: UUID, data: dict[str, Any]) -> None:
    """Keep an unfinished answer; one that arrives after its submit is dropped. Raises LeaseError."""
    written = json.dumps(data)
    if len(written) > LIMIT or "\\u0000" in written:
        raise SubmissionError("data", "This is too long to be kept as a draft.")
    slot = Slot.objects.filter(lease=lease, rater=rater).only("task_id", "status").first()
    if slot is None:
        raise LeaseError("This task isn't yours: nothing was saved.")
    if slot.status != Slot.Status.DONE:
        Draft.objects.update_or_create(task_id=slot.task_id, rater=rater, defaults={"data": data})
