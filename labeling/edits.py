"""Edits: a rater's rewrite of an answer, or their word that it is good as it is."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import User
from labeling import typing_signals
from labeling.models import Edit, Response, Slot, Task
from labeling.prompts import text_hash
from labeling.submissions import (
    Onward,
    Place,
    SubmissionError,
    clean_attention,
    clean_flags,
    clean_number,
    clean_text,
    fill,
    settle,
    take_back,
    whole,
)
from labeling.words import distance

EditError = SubmissionError


def submit(
    rater: User,
    lease: UUID,
    *,
    idempotency_key: UUID,
    text: str,
    already_good: bool = False,
    instruction: str = "",
    flags: Sequence[str] = (),
    signals: Mapping[str, Any] | None = None,
    active_ms: int | None = None,
    attention: Mapping[str, Any] | None = None,
    guideline: int | None = None,
    onward: Onward | None = None,
) -> Edit:
    """Store a rater's rewrite of the answer that they hold, all of it or nothing.

    `instruction` says what was wrong with the original, `signals` how the text came about
    (labeling.typing_signals). Refused: an empty text, one that differs in white
    space only (unless `already_good`), and a changed one that is called already good. Keys, late submits
    and `onward` are as in judgments.submit. Raises LeaseError, EditError.
    """
    with whole():
        place = settle(Edit, Task.Kind.EDIT, rater, lease, idempotency_key, guideline, onward)
        if isinstance(place, Edit):
            return place
        original = place.claimed.task.responses.get()
        text = clean_text("text", text)
        check_text(original.text, text, already_good)
        edit = Edit(
            task_id=place.claimed.task_id,
            slot=place.filled,
            extra=place.filled is None,
            rater=rater,
            guideline_id=place.guideline,
            idempotency_key=idempotency_key,
            supersedes_id=place.supersedes,
            original=original,
            edited=None if already_good else make_response(place, original, rater, text),
            instruction=clean_text("instruction", instruction, 10_000).strip(),
            distance=0 if already_good else distance(original.text, text),
            flags=clean_flags(flags),
            signals=typing_signals.clean(signals),
            active_ms=clean_number("active_ms", active_ms),
            attention=clean_attention(place.claimed, attention),
        )
        fill(place, rater, edit, onward)
        return edit


def check_text(original: str, text: str, already_good: bool) -> None:
    """Refuse a rewrite that says nothing, or contradicts itself."""
    same = original.split() == text.split()
    if already_good and text.strip() and not same:
        raise EditError(
            "already_good", _("You changed the text and also called it already good: which is it?")
        )
    if already_good and not original.strip():
        raise EditError("already_good", _("The original is empty; an empty answer can't be already good."))
    if already_good:
        return
    if not text.strip():
        raise EditError("text", _("The text is empty. Write the better answer, or skip this one."))
    if same:
        raise EditError(
            "text", _("Nothing but white space has changed. Change the text, or tick “already good”.")
        )


def make_response(place: Place, original: Response, rater: User, text: str) -> Response:
    """Store a rewritten text as an answer of its own."""
    return Response.objects.create(
        prompt_id=place.claimed.task.prompt_id,
        text=text,
        text_hash=text_hash(text),
        origin=Response.Origin.EDITED,
        parent=original,
        author=rater,
    )


def undo(rater: User, edit: Edit) -> Slot | None:
    """Withdraw an edit by a new row; its rater holds the task again. As judgments.undo."""
    return take_back(rater, edit, Edit(original_id=edit.original_id))
