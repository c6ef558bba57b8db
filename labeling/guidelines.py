"""Guidelines as raters meet them: the newest, what they read before, and what has changed since."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from accounts.models import User
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
