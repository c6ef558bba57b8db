"""Judgments: submit one, undo one, pass a task over."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from labeling import assignment, turns, typing_signals
from labeling.models import Campaign, Judgment, Skip, Slot, Task
from labeling.submissions import (
    Onward,
    SubmissionError,
    at_once,
    clean_attention,
    clean_flags,
    clean_number,
    clean_text,
    fill,
    find,
    settle,
    take_back,
)

# One name for everything that is wrong with what a rater sends, here and in edits.
JudgmentError = SubmissionError

# A scale's verdicts without the tie in the middle, −3 (left much better) … 3 (right much better). On four
# points "clearly" and "slightly" mean what they mean on seven; a bare "better" of two counts as "clearly".
STRENGTHS = {
    Campaign.Scale.TWO: (-2, 2),
    Campaign.Scale.FOUR: (-2, -1, 1, 2),
    Campaign.Scale.SEVEN: (-3, -2, -1, 1, 2, 3),
}
COMMENT_LIMIT = 10_000


def verdicts(campaign: Campaign) -> tuple[int, ...]:
    """Return the verdicts that a campaign's scale offers, from left to right."""
    strengths = STRENGTHS[Campaign.Scale(campaign.scale)]
    return tuple(sorted({*strengths, *([0] if campaign.allow_ties else [])}))


@dataclass(frozen=True)
class Remarks:
    """What goes with a verdict or a ranking; all about answers is by displayed side, from left to right.

    `criteria` is {key: [grade of each answer]}, `reasons` a list of short texts for each answer, `attention`
    {"prompt": ms, "answers": [ms]} of the active time, `display_rate` words a second (0: at once), `signals`
    how the comment was typed (labeling.typing_signals), and `guideline` the number of the version shown, by
    default the newest. `by_page`: a page may be older than the removal of a criterion, and grades by it are
    left out.
    """

    criteria: Mapping[str, Sequence[int | None]] = field(default_factory=dict)
    reasons: Sequence[Sequence[str]] = ()
    flags: Sequence[str] = ()
    comment: str = ""
    active_ms: int | None = None
    attention: Mapping[str, Any] = field(default_factory=dict)
    display_rate: int = 0
    signals: Mapping[str, Any] = field(default_factory=dict)
    guideline: int | None = None
    by_page: bool = False


def submit(
    rater: User,
    lease: UUID,
    *,
    idempotency_key: UUID,
    verdict: int,
    both_bad: bool = False,
    onward: Onward | None = None,
    **remarks: Any,
) -> Judgment:
    """Store a rater's verdict on the comparison that they hold, all of it or nothing.

    `verdict` is about the sides as displayed; `remarks` are the fields of Remarks. The same key again returns
    the same row. A late submit whose place is taken is kept as `extra`. What the page goes on with is claimed
    in the same transaction, when a new row is stored. Raises LeaseError, JudgmentError.
    """

    def said(slot: Slot) -> dict[str, Any]:
        check_verdict(slot.campaign, verdict, both_bad)
        if slot.task.chat_id is not None:
            raise JudgmentError("lease", _("This is part of a live conversation: pick there who goes on."))
        return {"verdict": verdict, "both_bad": both_bad}

    return store(rater, lease, Task.Kind.COMPARE, idempotency_key, said, Remarks(**remarks), onward)


def store(
    rater: User,
    lease: UUID,
    kind: Task.Kind,
    idempotency_key: UUID,
    said: Callable[[Slot], dict[str, Any]],
    remarks: Remarks,
    onward: Onward | None = None,
) -> Judgment:
    """Store a judgment on a held task of a kind; `said` checks what was said against the slot."""

    def judged(locked: bool) -> Judgment:
        place = settle(
            Judgment, kind, rater, lease, idempotency_key, remarks.guideline, onward, locked=locked
        )
        if isinstance(place, Judgment):
            return place
        what = said(place.claimed)
        criteria = remarks.criteria
        if remarks.by_page:
            asked = {criterion["key"] for criterion in place.claimed.campaign.graded}
            criteria = {key: grades for key, grades in criteria.items() if key in asked}
        judgment = Judgment(
            task_id=place.claimed.task_id,
            slot_id=place.filled.pk if place.filled is not None else None,
            extra=place.filled is None,
            rater_id=rater.pk,
            guideline_id=place.guideline,
            idempotency_key=idempotency_key,
            supersedes_id=place.supersedes,
            meta={**what.pop("meta", {}), **typing(remarks)},
            **what,
            criteria=check_criteria(place.claimed, criteria),
            reasons=check_reasons(place.claimed, remarks.reasons),
            flags=clean_flags(remarks.flags),
            comment=clean_text("comment", remarks.comment, COMMENT_LIMIT).strip(),
            order_shown=place.claimed.order_shown,
            active_ms=clean_number("active_ms", remarks.active_ms),
            attention=clean_attention(place.claimed, remarks.attention),
            display_rate=clean_number("display_rate", remarks.display_rate, 500) or 0,
        )
        fill(place, rater, judgment, onward)
        return judgment

    return at_once(judged)


def typing(remarks: Remarks) -> dict[str, Any]:
    """Return what a judgment's `meta` says about how its comment was typed."""
    counts = typing_signals.clean(remarks.signals)
    return {"typing": counts} if counts and remarks.comment else {}


def check_verdict(campaign: Campaign, verdict: int, both_bad: bool) -> None:
    """Refuse a verdict that the campaign's scale doesn't offer."""
    allowed = verdicts(campaign)
    if not isinstance(verdict, int) or isinstance(verdict, bool) or verdict not in allowed:
        offered = ", ".join(f"{v:+d}" for v in allowed)
        raise JudgmentError("verdict", _("The verdict must be one of %(offered)s.") % {"offered": offered})
    if not isinstance(both_bad, bool):
        raise JudgmentError("both_bad", _("This must be true or false."))
    if both_bad and verdict != 0:
        raise JudgmentError("both_bad", _("Both bad prefers neither: its verdict is 0."))


def check_criteria(slot: Any, criteria: Mapping[str, Sequence[int | None]]) -> dict[str, list[int | None]]:
    """Return grades by position in the task, from grades by displayed side."""
    if not isinstance(criteria, Mapping):
        raise JudgmentError("criteria", _("The criteria must be an object of lists of grades."))
    known = {criterion["key"]: criterion for criterion in slot.campaign.graded}
    for key in criteria:
        if key not in known:
            raise JudgmentError("criteria", _("This campaign has no criterion “%(key)s”.") % {"key": key})
    graded = {}
    for key, criterion in known.items():
        sides = criteria.get(key) or [None] * len(slot.order_shown)
        if not isinstance(sides, (list, tuple)) or len(sides) != len(slot.order_shown):
            message = _("“%(name)s” needs one grade for each answer.") % {"name": criterion["name"]}
            raise JudgmentError("criteria", message)
        grades: list[int | None] = [None] * len(sides)
        for position, grade in zip(slot.order_shown, sides, strict=True):
            if grade is None and not criterion["required"]:
                continue
            if not isinstance(grade, int) or isinstance(grade, bool) or not 1 <= grade <= criterion["points"]:
                scale = {"name": criterion["name"], "points": criterion["points"]}
                raise JudgmentError("criteria", _("Grade “%(name)s” from 1 to %(points)s.") % scale)
            grades[position] = grade
        if any(grade is not None for grade in grades):
            graded[key] = grades
    return graded


def check_reasons(slot: Slot, reasons: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return short texts by position in the task, from those by displayed side."""
    wrong = JudgmentError("reasons", _("The reasons must be a list of short texts for each answer."))
    if not isinstance(reasons, (list, tuple)) or len(reasons) not in {0, len(slot.order_shown)}:
        raise wrong
    about: list[list[str]] = [[] for _side in reasons]
    for position, texts in zip(slot.order_shown, reasons, strict=False):
        if not isinstance(texts, (list, tuple)) or len(texts) > 50:
            raise wrong
        about[position] = [clean_text("reasons", text, 200) for text in texts]
    return about if any(about) else []


def undo(rater: User, judgment: Judgment) -> Slot | None:
    """Withdraw a judgment by a new row; its rater holds the task again, under the slot returned.

    None for an extra judgment, which held no slot. Raises JudgmentError when it isn't theirs, was undone
    already, or its round is over.
    """
    withdrawal = Judgment(
        verdict=judgment.verdict,
        ranking=judgment.ranking,
        both_bad=judgment.both_bad,
        order_shown=judgment.order_shown,
    )
    with transaction.atomic():
        if judgment.task.chat_id is not None:
            turns.reopen(rater, judgment.task)
        return take_back(rater, judgment, withdrawal)


def skip(rater: User, lease: UUID, kind: str = Skip.Kind.SKIP, reason: str = "") -> Skip:
    """Pass a task over for good and give its slot to others; "cannot judge" says why."""
    if kind not in Skip.Kind.values:
        kinds = ", ".join(Skip.Kind.values)
        raise JudgmentError("kind", _("A skip is one of %(kinds)s.") % {"kinds": kinds})
    reason = clean_text("reason", reason, 500).strip()
    if kind == Skip.Kind.CANNOT_JUDGE and not reason:
        raise JudgmentError("reason", _("Say why this can't be judged."))
    with transaction.atomic():
        slot = find(rater, lease)
        # the round first, as everywhere: after the slot it would have to wait for who closes it
        assignment.give_back([slot.pk])
        slot = find(rater, lease)
        if slot.status == Slot.Status.DONE:
            raise JudgmentError("lease", _("You have already answered this one; undo it first."))
        assignment.unreserve(Slot.objects.filter(task=slot.task_id, reserved_for=rater))
        skipped, _created = Skip.objects.get_or_create(
            task_id=slot.task_id, rater=rater, defaults={"kind": kind, "reason": reason}
        )
    return skipped
