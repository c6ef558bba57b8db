"""The HTML of a task: what is alike for the tasks of a campaign is rendered once, and filled in.

What a frame shows of a campaign and of its rater is named by the key that it is kept under. Whatever else a
comparison's templates come to show belongs there, too: in `showing.look`, or in `_frame_key`.
"""

import re
from collections.abc import Hashable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from labeling.models import Task

FRAMES = 200
_MARK = re.compile("\ue000([0-9]+)\ue001")
_frames: dict[Hashable, Sequence[str]] = {}


def render_task(request: HttpRequest, context: dict[str, Any]) -> SafeString:
    """Return the HTML of the task that a context of `showing.shown` describes."""
    key = _frame_key(request, context)
    if key is None:
        return render_to_string("labeling/_task.html", context, request)
    slot, turns, sides = context["slot"], context["turns"], context["sides"]
    values = [str(slot.lease), slot.lease_until.isoformat(), str(context["idempotency_key"])]
    values += [turn["html"] for turn in turns]
    for side in sides:
        values += [side.html, side.source]
    frame = _frames.get(key)
    if frame is None:
        frame = _MARK.split(render_to_string("labeling/_task.html", _marked(context), request))
        if len(_frames) >= FRAMES:
            _frames.clear()
        _frames[key] = frame
    pieces = [values[int(piece)] if number % 2 else piece for number, piece in enumerate(frame)]
    return mark_safe("".join(pieces))  # noqa: S308  the pieces are HTML, and so are the values


def _frame_key(request: HttpRequest, context: dict[str, Any]) -> Hashable | None:
    """Name what a frame looks like; None for what is not rendered from one.

    A whole page holds its rater's token; a draft, or an answer of several turns, is rare.
    """
    sides, user = context["sides"], request.user
    framed = context["kind"] == Task.Kind.COMPARE and context["look"] is not None and context["fragment"]
    if not framed or not user.is_authenticated or any(side.turns for side in sides):
        return None
    return (
        get_language(),
        context["look"],
        repr((user.shortcuts, user.keys)),
        tuple(turn["role"] for turn in context["turns"]),
        tuple((bool(side.text.strip()), bool(side.source)) for side in sides),
    )


def _marked(context: dict[str, Any]) -> dict[str, Any]:
    """Return a context with marks, numbered as the values are, in their places."""
    marks = iter(range(1_000_000))

    def mark() -> SafeString:
        return SafeString(f"\ue000{next(marks)}\ue001")

    lease, until, key = mark(), mark(), mark()
    turns = [{**turn, "html": mark()} for turn in context["turns"]]
    sides = []
    for side in context["sides"]:
        html, source = mark(), mark()
        sides.append(replace(side, html=html, source=source if side.source else SafeString("")))
    slot = SimpleNamespace(lease=lease, lease_until=SimpleNamespace(isoformat=until), draft_at=None)
    return {**context, "slot": slot, "idempotency_key": key, "turns": turns, "sides": sides}
