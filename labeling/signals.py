"""Signals: the edits and comments that a reviewer might look at first, each with its evidence.

Nothing follows from a signal but that somebody looks. Beside each stands how often it is wrong, as far as
that is known; the shares were measured on what people wrote for ukp_convarg1_train (CC BY 4.0):

- two people's arguments on the same question, of eight words and more, were alike by the rule of
  labeling.likeness in 0 of 3,600 pairs (95 %: at most .11 %);
- of 55,193 reasons of eight words and more, .28 % (.24-.33) were word for word another person's, and 3.6 %
  (3.5-3.8) one of three or more alike by the same person.

For pasting and speed nobody has measured it for a given crowd; see preferences.effort.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

from django.db.models import Max, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from labeling import typing_signals
from labeling.models import Campaign, Edit, Judgment
from labeling.reviews import standing
from preferences.effort import weigh_typing

LOOK = 2000  # edits, and comments, of the newest WINDOW rows
WINDOW = 50_000
SHOWN = 5
FEWEST_WORDS = 8  # of a comment that can be like another
OFTEN = 3  # alike by one rater
FEWEST_CHARACTERS = 40  # of a comment that has a speed
FAST = typing_signals.FAST
WORD = re.compile(r"\w+")


NAMES = {
    "paste": gettext_lazy("Pasting"),
    "keys": gettext_lazy("Few key presses"),
    "speed": gettext_lazy("Speed"),
    "like": gettext_lazy("Likeness to a model's answer"),
    "same": gettext_lazy("The same words as others"),
    "repeated": gettext_lazy("The same words again"),
}


@dataclass(frozen=True)
class Signal:
    """One thing that stands out: in words, how strong (0…1), and how often it is wrong."""

    kind: str
    strength: float
    evidence: str
    wrong: str

    @property
    def name(self) -> str:
        return str(NAMES[self.kind])


@dataclass(frozen=True)
class Found:
    """A submission with its signals."""

    row: Any
    signals: list[Signal]

    @property
    def kind(self) -> str:
        return "edit" if isinstance(self.row, Edit) else "judgment"

    @property
    def strength(self) -> float:
        """Combine the signals' strengths as if they were independent: 1 − Π (1 − s)."""
        return 1 - reduce(lambda rest, signal: rest * (1 - signal.strength), self.signals, 1.0)

    @property
    def before(self) -> str:
        """Name the page of the review that begins with it (labeling.reviews.Cursor)."""
        return f"0-{self.row.pk + 1}" if self.kind == "edit" else f"{self.row.pk + 1}-0"


def strongest(campaign: Campaign, limit: int = SHOWN) -> list[Found]:
    """Return the newest submissions that stand out most, strongest first.

    Looked at are the last 2,000 edits and comments of the campaign, among the last 50,000 rows of each.
    """
    edits = newest(Edit, campaign, Q()).select_related("original", "edited", "likeness")
    found = [Found(edit, of_edit(edit)) for edit in edits]
    comments = newest(Judgment, campaign, ~Q(comment="")).only("rater", "comment", "active_ms", "meta")
    alike = likes(comments)
    found += [Found(row, of_comment(row, *alike.get(row.pk, (0, 0)))) for row in comments]
    found = [each for each in found if each.signals]
    found = sorted(found, key=lambda each: (-each.strength, -each.row.pk))[:limit]
    # all that a page shows of them, for these few alone
    shown = {
        (model, row.pk): row
        for model in (Edit, Judgment)
        for row in model.objects.filter(
            pk__in=[each.row.pk for each in found if isinstance(each.row, model)]
        ).select_related("rater", "task__prompt")
    }
    return [Found(shown[type(each.row), each.row.pk], each.signals) for each in found]


def newest(model: Any, campaign: Campaign, which: Q) -> QuerySet[Any]:
    """Return a campaign's newest edits or judgments that stand."""
    last = model.objects.aggregate(last=Max("pk"))["last"] or 0
    rows = model.objects.filter(standing(model), which, task__campaign=campaign, imported=False)
    found: QuerySet[Any] = rows.filter(pk__gt=last - WINDOW).order_by("-pk")[:LOOK]
    return found


def of_edit(edit: Edit) -> list[Signal]:
    """Return what stands out in how an edit came about."""
    if edit.edited is None or not edit.signals:
        return []
    counts = {name: edit.signals.get(name, 0) for name in typing_signals.NUMBERS}
    gained = max(len(edit.edited.text) - len(edit.original.text), 0)
    found = of_typing(counts, gained)
    speed = typing_signals.read(edit).speed
    if speed is not None and speed > FAST:
        said = _("Typed at %(speed)s characters a minute.") % {"speed": speed}
        found.append(Signal("speed", 1 - FAST / speed, said, dictated()))
    likeness = getattr(edit, "likeness", None)
    if likeness is not None:
        said = _("%(share)s %% of the added words stand in a model's answer to the same prompt.")
        said %= {"share": percent(likeness.share)}
        found.append(Signal("like", likeness.share, said, independent()))
    return found


def of_typing(counts: dict[str, int], gained: int) -> list[Signal]:
    """Return what stands out in how a text of so many characters more was put in."""
    typing = weigh_typing(counts["pasted"], counts["typed"], gained)
    found = []
    if typing.pasted and typing.paste_share is not None:
        said = _("%(share)s %% of what was put in was pasted from elsewhere.")
        found.append(
            Signal(
                "paste",
                typing.paste_share,
                said % {"share": percent(typing.paste_share)},
                drafted_elsewhere(),
            )
        )
    elif typing.unkeyed and typing.key_share is not None:
        said = _("The text gained %(gained)s characters with %(typed)s key presses.")
        values = {"gained": gained, "typed": counts["typed"]}
        found.append(Signal("keys", 1 - typing.key_share, said % values, drafted_elsewhere()))
    return found


def of_comment(judgment: Judgment, own: int, others: int) -> list[Signal]:
    """Return what stands out in a comment of which a rater wrote `own` alike and others `others`."""
    length = len(judgment.comment)
    typed = judgment.meta.get("typing")
    counts = {name: typed.get(name, 0) for name in typing_signals.NUMBERS} if typed else {}
    found = of_typing(counts, length) if counts else []
    told = typing_signals.read_comment(judgment)
    if told is not None and told.speed is not None:
        if told.speed > FAST:
            said = _("Typed at %(speed)s characters a minute.") % {"speed": told.speed}
            found.append(Signal("speed", 1 - FAST / told.speed, said, dictated()))
    elif judgment.active_ms and length >= FEWEST_CHARACTERS:
        speed = round(length * 60_000 / judgment.active_ms)
        if speed > FAST:
            said = _("%(n)s characters of comment within %(seconds)s s, reading and judging included.")
            values = {"n": length, "seconds": max(round(judgment.active_ms / 1000), 1)}
            found.append(Signal("speed", 1 - FAST / speed, said % values, dictated()))
    if others:
        said = ngettext(
            "Word for word the comment of %(n)s other rater.",
            "Word for word the comment of %(n)s other raters.",
            others,
        )
        found.append(Signal("same", 1 - 1 / (1 + 2 * others), said % {"n": others}, coincidence()))
    if own >= OFTEN:
        said = _("The same words in %(n)s comments of this rater.") % {"n": own}
        found.append(Signal("repeated", 1 - 1 / own, said, habit()))
    return found


def likes(rows: Iterable[Judgment]) -> dict[int, tuple[int, int]]:
    """Return for each comment how many of its rater's have its words (itself too), and how many others do."""
    by_words: dict[str, Counter[int]] = defaultdict(Counter)
    worded = {row.pk: (row.rater_id, plain(row.comment)) for row in rows}
    for rater, words in worded.values():
        by_words[words][rater] += 1
    return {
        pk: (by_words[words][rater], len(by_words[words]) - 1)
        for pk, (rater, words) in worded.items()
        if words.count(" ") >= FEWEST_WORDS - 1
    }


def plain(text: str) -> str:
    """Return a text's words without case and signs."""
    return " ".join(WORD.findall(text.casefold()))


def percent(share: float) -> int:
    """Return a share in whole percent."""
    return round(100 * share)


# -- how often each is wrong: read when shown, in the reader's language --------------------------------


def drafted_elsewhere() -> str:
    """Say what is known of pasted texts."""
    return _(
        "How often this is wrong isn't known: many people draft elsewhere. In two studies the share of crowd "
        "workers who used a language model was 30 to 46 %, and half of that when they were asked not to "
        "(Veselovsky et al. 2023); what share of pasted texts came from one is not known."
    )


def dictated() -> str:
    """Say what is known of fast texts."""
    return _("How often this is wrong isn't known: dictation, input methods and completed text are as fast.")


def independent() -> str:
    """Say how often independent texts are alike."""
    return _(
        "Two people's own arguments on the same question were as alike as that in 0 of 3,600 pairs (95 %: at "
        "most 0.11 %); but a short, plain answer can be given in few ways, and a model may have learnt from "
        "people's words."
    )


def coincidence() -> str:
    """Say how often people use the same words."""
    return _(
        "Among 55,193 reasons that a crowd gave, 0.28 % (95 %: 0.24 to 0.33 %) were word for word another "
        "person's."
    )


def habit() -> str:
    """Say how often people repeat themselves."""
    return _(
        "Among 55,193 reasons that a crowd gave, 3.6 % (95 %: 3.5 to 3.8 %) were one of three or more alike "
        "by the same person: often a habit of fair raters."
    )
