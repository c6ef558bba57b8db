"""Judgments: submit one, undo one, pass a task over."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from labeling import assignment
from labeling.models import Campaign, Judgment, Skip, Slot
from labeling.submissions import SubmissionError, clean_text, clean_time, fill, lock, settle, take_back

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


def submit(
    rater: User,
    lease: UUID,
    *,
    idempotency_key: UUID,
    verdict: int,
    both_bad: bool = False,
    criteria: Mapping[str, Sequence[int | None]] | None = None,
    reasons: Sequence[str] | None = None,
    comment: str = "",
    active_ms: int | None = None,
    guideline: int | None = None,
) -> Judgment:
    """Store a rater's verdict on the comparison that they hold, all of it or nothing.

    `verdict` and `criteria` ({key: [grade of the left, of the right]}) are about the sides as displayed;
    `guideline` is the number of the version shown, by default the newest. The same key again returns the
    same row. A late submit whose place is taken is kept as `extra`. Raises LeaseError, JudgmentError.
    """
    try:
        with transaction.atomic():
            place = settle(Judgment, rater, lease, idempotency_key, guideline)
            if isinstance(place, Judgment):
                return place
            check_verdict(place.claimed.campaign, verdict, both_bad)
            judgment = Judgment.objects.create(
                task_id=place.claimed.task_id,
                slot=place.filled,
                extra=place.filled is None,
                rater=rater,
                guideline_id=place.guideline,
                idempotency_key=idempotency_key,
                supersedes_id=place.supersedes,
                verdict=verdict,
                both_bad=both_bad,
                criteria=check_criteria(place.claimed, criteria or {}),
                reasons=check_reasons(reasons or []),
                comment=clean_text("comment", comment, COMMENT_LIMIT).strip(),
                order_shown=place.claimed.order_shown,
                active_ms=clean_time(active_ms),
            )
            fill(place, rater)
            return judgment
    except IntegrityError as error:
        raise JudgmentError("lease", "You have just answered this one from another window.") from error


def check_verdict(campaign: Campaign, verdict: int, both_bad: bool) -> None:
    """Refuse a verdict that the campaign's scale doesn't offer."""
    allowed = verdicts(campaign)
    if not isinstance(verdict, int) or isinstance(verdict, bool) or verdict not in allowed:
        raise JudgmentError("verdict", f"The verdict must be one of {', '.join(f'{v:+d}' for v in allowed)}.")
    if not isinstance(both_bad, bool):
        raise JudgmentError("both_bad", "This must be true or false.")
    if both_bad and verdict != 0:
        raise JudgmentError("both_bad", "Both bad prefers neither: its verdict is 0.")


def check_criteria(slot: Slot, criteria: Mapping[str, Sequence[int | None]]) -> dict[str, list[int | None]]:
    """Return grades by position in the task, from grades by displayed side."""
    if not isinstance(criteria, Mapping):
        raise JudgmentError("criteria", "The criteria must be an object of pairs of grades.")
    known = {c.key: c for c in slot.campaign.criteria.all()}
    for key in criteria:
        if key not in known:
            raise JudgmentError("criteria", f"This campaign has no criterion “{key}”.")
    graded = {}
    for key, criterion in known.items():
        sides = criteria.get(key) or [None] * len(slot.order_shown)
        if not isinstance(sides, (list, tuple)) or len(sides) != len(slot.order_shown):
            raise JudgmentError("criteria", f"“{criterion.name}” needs one grade for each answer.")
        grades: list[int | None] = [None] * len(sides)
        for position, grade in zip(slot.order_shown, sides, strict=True):
            if grade is None and not criterion.required:
                continue
            if not isinstance(grade, int) or isinstance(grade, bool) or not 1 <= grade <= criterion.points:
                raise JudgmentError("criteria", f"Grade “{criterion.name}” from 1 to {criterion.points}.")
            grades[position] = grade
        if any(grade is not None for grade in grades):
            graded[key] = grades
    return graded


def check_reasons(reasons: Sequence[str]) -> list[str]:
    """Return the reasons as a list of short texts."""
    if not isinstance(reasons, (list, tuple)) or len(reasons) > 50:
        raise JudgmentError("reasons", "The reasons must be a list of at most 50 short texts.")
    return [clean_text("reasons", reason, 200) for reason in reasons]


def undo(rater: User, judgment: Judgment) -> Slot | None:
    """Withdraw a judgment by a new row; its rater holds the task again, under the slot returned.

    None for an extra judgment, which held no slot. Raises JudgmentError when it isn't theirs, was undone
    already, or its round is over.
    """
    withdrawal = Judgment(
        verdict=judgment.verdict, both_bad=judgment.both_bad, order_shown=judgment.order_shown
    )
    return take_back(rater, judgment, withdrawal)


def skip(rater: User, lease: UUID, kind: str = Skip.Kind.SKIP, reason: str = "") -> Skip:
    """Pass a task over for good and give its slot to others; "cannot judge" says why."""
    if kind not in Skip.Kind.values:
        raise JudgmentError("kind", f"A skip is one of {', '.join(Skip.Kind.values)}.")
    reason = clean_text("reason", reason, 500).strip()
    if kind == Skip.Kind.CANNOT_JUDGE and not reason:
        raise JudgmentError("reason", "Say why this can't be judged.")
    with transaction.atomic():
        slot = Slot.objects.filter(lease=lease, rater=rater).first()
        assignment.give_back([slot.pk] if slot else [])
        slot = lock(rater, lease)
        if slot.status == Slot.Status.DONE:
            raise JudgmentError("lease", "You have already answered this one; undo it first.")
        skipped, _ = Skip.objects.get_or_create(
            task_id=slot.task_id, rater=rater, defaults={"kind": kind, "reason": reason}
        )
    return skipped
