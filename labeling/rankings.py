"""Rankings: several answers put in order by one rater, equals together."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from labeling.judgments import Remarks, store
from labeling.models import Judgment, Slot, Task
from labeling.submissions import Onward, SubmissionError


def submit(
    rater: User,
    lease: UUID,
    *,
    idempotency_key: UUID,
    ranking: Sequence[Sequence[int]],
    onward: Onward | None = None,
    **remarks: Any,
) -> Judgment:
    """Store a rater's order of the answers that they hold, all of it or nothing.

    `ranking` holds displayed sides from best to worst, equals together, for example [[2], [0, 1], [3]];
    `remarks` are the fields of judgments.Remarks. Double and late submits and `onward` are as in
    judgments.submit. Raises LeaseError, SubmissionError.
    """

    def said(slot: Slot) -> dict[str, Any]:
        return {"ranking": check_ranking(slot.order_shown, ranking)}

    return store(rater, lease, Task.Kind.RANK, idempotency_key, said, Remarks(**remarks), onward)


def check_ranking(order_shown: Sequence[int], ranking: object) -> list[list[int]]:
    """Return a ranking by position in the task, from one by displayed side; each must stand in it once."""
    wrong = SubmissionError(
        "ranking", _("The ranking must be a list of lists of answers, from best to worst.")
    )
    if not isinstance(ranking, (list, tuple)):
        raise wrong
    sides: list[int] = []
    for equals in ranking:
        if not isinstance(equals, (list, tuple)) or not equals:
            raise wrong
        sides += equals
    if not all(isinstance(side, int) and not isinstance(side, bool) for side in sides):
        raise wrong
    if sorted(sides) != list(range(len(order_shown))):
        every = {"last": len(order_shown) - 1}
        raise SubmissionError("ranking", _("Each answer, from 0 to %(last)s, needs one place.") % every)
    return [sorted(order_shown[side] for side in equals) for equals in ranking]
