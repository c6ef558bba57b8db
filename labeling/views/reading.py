"""Read what a rater's form says; what is wrong names its field."""

import re
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.request import QueryDict
from django.utils.translation import gettext as _

from labeling import typing_signals
from labeling.assignment import LeaseError
from labeling.submissions import SubmissionError

BOTH_BAD = "both_bad"
MOST_HELD = 10
GRADE = re.compile(r"grade-(.+)-\d+")


def read_uuid(said: QueryDict, name: str) -> UUID:
    """Read a form's key."""
    try:
        return UUID(said.get(name, ""))
    except ValueError as error:
        raise LeaseError(_("This form is incomplete. Reload the page.")) from error


def read_holding(request: HttpRequest) -> list[UUID]:
    """Read which leases the page's script has before it already; the script sends none that isn't one.

    Whoever names more than a few is given the rest of them again, and nothing new: a rater can't hoard tasks.
    """
    try:
        named = request.META.get("HTTP_X_HOLDING", "").split(",")[:MOST_HELD]
        return [UUID(lease) for lease in named if lease]
    except ValueError:
        return []


def read_number(said: QueryDict, name: str) -> int | None:
    """Read a whole number, None when left out."""
    text = said.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise SubmissionError(name, _("This must be a whole number.")) from error


def read_verdict(said: QueryDict) -> tuple[int, bool]:
    """Read the verdict, and whether both are bad."""
    if said.get("verdict") == BOTH_BAD:
        return 0, True
    verdict = read_number(said, "verdict")
    if verdict is None:
        raise SubmissionError("verdict", _("Choose which answer is better first."))
    return verdict, False


def read_sides(said: QueryDict) -> int:
    """Read how many answers the form is about."""
    sides = read_number(said, "sides") or 2
    if not 1 <= sides <= 9:
        raise SubmissionError("sides", _("A form is about one to nine answers."))
    return sides


def read_remarks(said: QueryDict) -> dict[str, Any]:
    """Read what goes with a verdict or a ranking, as judgments.Remarks takes it."""
    sides = range(read_sides(said))
    graded = {found[1]: None for name in said if (found := GRADE.fullmatch(name))}
    grades = {key: [read_number(said, f"grade-{key}-{side}") for side in sides] for key in graded}
    return {
        "by_page": True,
        "criteria": {key: given for key, given in grades.items() if any(g is not None for g in given)},
        "reasons": [said.getlist(f"reason-{side}") for side in sides],
        "comment": said.get("comment", ""),
        "display_rate": read_number(said, "display_rate") or 0,
        "signals": typing_signals.parse(said.get("signals", "")),
        **read_work(said, len(sides)),
    }


def read_work(said: QueryDict, sides: int) -> dict[str, Any]:
    """Read what a form says about how it was filled in, whatever the task."""
    prompt = read_number(said, "attention-prompt")
    answers = [read_number(said, f"attention-{side}") or 0 for side in range(sides)]
    return {
        "flags": said.getlist("flag"),
        "active_ms": read_number(said, "active_ms"),
        "attention": {"prompt": prompt, "answers": answers} if prompt is not None else {},
        "guideline": read_number(said, "guideline"),
    }
