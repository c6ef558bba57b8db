"""How an edited text came about: pastes and typing, a hint for reviewers and never a verdict."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from labeling.models import Edit, Judgment
from labeling.submissions import SubmissionError, clean_number

# As the page counts them. A paste is one of text that was not copied from the task itself; pastes within ten
# seconds of each other are one burst. Characters pasted and typed; and the milliseconds from key to key, from
# the first to the last, without pauses of more than ten seconds.
NUMBERS = ("pastes", "bursts", "pasted", "typed", "typing_ms")
FAST = 900  # characters a minute: more than twice what people usually type


@dataclass(frozen=True)
class Signals:
    """What a reviewer is told about how an edit came about; None where it is not known."""

    paste_share: float | None  # of the characters that were put in, 0…1
    speed: int | None  # characters typed a minute
    sentences: list[str]


def parse(text: str) -> dict[str, Any]:
    """Read the counts as a form carries them; SubmissionError when they can't be read."""
    try:
        given = json.loads(text or "{}")
    except ValueError as error:
        raise SubmissionError("signals", _("The counts of typing can't be read.")) from error
    return given if isinstance(given, dict) else {}


def clean(signals: Mapping[str, Any] | None) -> dict[str, int]:
    """Return the counts that were sent, without anything else; SubmissionError when one is no count."""
    given = signals if isinstance(signals, Mapping) else {}
    return {name: clean_number("signals", given[name]) or 0 for name in NUMBERS if name in given}


def read(edit: Edit) -> Signals:
    """Say what an edit's counts tell, in sentences that judge nobody."""
    if edit.edited_id is None or not edit.signals:
        unknown = [_("How this text was written was not recorded.")] if edit.edited_id else []
        return Signals(None, None, unknown)
    return tell(edit.signals)


def read_comment(judgment: Judgment) -> Signals | None:
    """Say what the counts of a judgment's comment tell; None where there are none."""
    counts = judgment.meta.get("typing")
    return tell(counts) if counts else None


def tell(given: Mapping[str, int]) -> Signals:
    """Say what counts of typing and pasting tell."""
    counts = {name: given.get(name, 0) for name in NUMBERS}
    put_in = counts["pasted"] + counts["typed"]
    share = counts["pasted"] / put_in if put_in else None
    # a few keys give no speed
    timed = counts["typed"] >= 20 and counts["typing_ms"] >= 3000
    speed = round(counts["typed"] * 60_000 / counts["typing_ms"]) if timed else None
    return Signals(share, speed, _sentences(counts, share, speed))


def _sentences(counts: dict[str, int], share: float | None, speed: int | None) -> list[str]:
    sentences = []
    if share and counts["pasted"]:
        bursts = max(counts["bursts"], 1)
        came = ngettext(
            "%(share)s %% of the new text came by paste, in one burst; many people draft elsewhere.",
            "%(share)s %% of the new text came by paste, in %(bursts)s bursts; many people draft elsewhere.",
            bursts,
        )
        sentences.append(came % {"share": max(round(100 * share), 1), "bursts": bursts})
    if speed is not None:
        typed = _("Typed at %(speed)s characters a minute.") % {"speed": speed}
        if speed > FAST:
            typed = _(
                "Typed at %(speed)s characters a minute; dictation and input methods are as fast as that."
            ) % {"speed": speed}
        sentences.append(typed)
    return sentences
