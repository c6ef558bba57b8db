"""Guidelines as raters meet them: the newest, what they read before, and what has changed since."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from accounts.models import User
from labeling import campaigns, messages
from labeling.members import RATES
from labeling.models import Campaign, Example, Guideline, GuidelineRead

KEPT_LINES = 2
# pairs of equal parts beyond which finding the best match takes seconds: all then counts as rewritten
MAX_PAIRS = 100_000
PART = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True)
class Change:
    """A stretch of a guideline's source; kind: same, added, removed, or gap (lines left out)."""

    kind: str
    text: str


@dataclass(frozen=True)
class Beside:
    """A stretch of two versions side by side; both empty where lines that stayed the same are left out."""

    old: list[Change]
    new: list[Change]


def newest(campaign: Campaign) -> Guideline | None:
    """Return the version that counts now."""
    return campaign.guidelines.order_by("-number").first()


def last_read(user: User, campaign: Campaign) -> Guideline | None:
    """Return the newest version that somebody has opened."""
    return Guideline.objects.filter(campaign=campaign, reads__user=user).order_by("-number").first()


def mark_read(user: User, guideline: Guideline) -> None:
    """Remember that somebody has opened a version."""
    GuidelineRead.objects.get_or_create(guideline=guideline, user=user)


def edge_cases(campaign: Campaign) -> list[Example]:
    """Return the worked examples that belong to a campaign's guideline."""
    return list(campaign.examples.filter(use=Example.Use.EDGE_CASE, retired=False).order_by("pk"))


def restore(guideline: Guideline, by: User) -> Guideline:
    """Publish an old version's text as the next one; the newest stays as it is."""
    return campaigns.add_guideline(guideline.campaign, guideline.text, by)


def readers(campaign: Campaign) -> QuerySet[Any]:
    """Return who rates in a campaign, each with `number` and `read_at` of the newest version they opened."""
    reads = GuidelineRead.objects.filter(user=OuterRef("user"), guideline__campaign=OuterRef("campaign"))
    last = reads.order_by("-guideline__number")
    rows = campaign.memberships.filter(role__in=RATES, user__is_active=True).select_related("user")
    return rows.annotate(
        number=Subquery(last.values("guideline__number")[:1]),
        read_at=Subquery(last.values("created_at")[:1]),
    ).order_by("pk")


def remind(campaign: Campaign, by: User) -> int:
    """Ask who rates in a campaign and hasn't opened its newest version to read it; return how many.

    Raises ReviewError when there is nobody.
    """
    latest = newest(campaign)
    number = latest.number if latest else 0
    behind = [row for row in readers(campaign) if row.number != number] if number else []
    text = _("Please read version %(number)s of the guideline of “%(campaign)s”.")
    told = text % {"number": number, "campaign": campaign.name}
    return messages.send(by, campaign, told, to=[member.user for member in behind if member.user_id != by.pk])


def beside(old: str, new: str) -> list[Beside]:
    """Return two versions side by side, stretch by stretch, with the words that changed."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if not _are_comparable(before, after):
        return [Beside([Change("removed", old)], [Change("added", new)])]
    rows: list[Beside] = []
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for number, (tag, a1, a2, b1, b2) in enumerate(steps):
        if tag == "equal":
            for change in _abridge(after[b1:b2], first=number == 0, last=number == len(steps) - 1):
                kept = [change] if change.kind == "same" else []
                rows.append(Beside(kept, kept))
        else:
            changes = list(_words("".join(before[a1:a2]), "".join(after[b1:b2])))
            rows.append(
                Beside(
                    [change for change in changes if change.kind != "added"],
                    [change for change in changes if change.kind != "removed"],
                )
            )
    return rows


def changes_since(old: str, new: str) -> list[Change]:
    """Return how a Markdown source has changed, word by word, without what stayed the same for long."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    changes: list[Change] = []
    if not _are_comparable(before, after):
        return list(_rewritten(old, new))
    steps = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    for number, (tag, a1, a2, b1, b2) in enumerate(steps):
        if tag == "equal":
            changes += _abridge(after[b1:b2], first=number == 0, last=number == len(steps) - 1)
        else:
            changes += _words("".join(before[a1:a2]), "".join(after[b1:b2]))
    return changes


def _abridge(lines: list[str], *, first: bool, last: bool) -> Iterator[Change]:
    head, tail = (0 if first else KEPT_LINES), (0 if last else KEPT_LINES)
    if len(lines) <= head + tail + 1:
        yield Change("same", "".join(lines))
        return
    if head:
        yield Change("same", "".join(lines[:head]))
    yield Change("gap", "")
    if tail:
        yield Change("same", "".join(lines[-tail:]))


def _are_comparable(before: list[str], after: list[str]) -> bool:
    counts = Counter(after)
    return sum(times * counts[part] for part, times in Counter(before).items()) <= MAX_PAIRS


def _rewritten(before: str, after: str) -> Iterator[Change]:
    if before:
        yield Change("removed", before)
    if after:
        yield Change("added", after)


def _words(before: str, after: str) -> Iterator[Change]:
    a, b = PART.findall(before), PART.findall(after)
    if not _are_comparable(a, b):
        yield from _rewritten(before, after)
        return
    for tag, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Change("same", "".join(b[b1:b2]))
            continue
        if a1 < a2:
            yield Change("removed", "".join(a[a1:a2]))
        if b1 < b2:
            yield Change("added", "".join(b[b1:b2]))
