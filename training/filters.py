"""What a snapshot takes of campaigns: which tasks, whose words, and how votes become a consensus."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from accounts.models import User
from labeling.models import Edit, Judgment, Task, TaskResponse
from training import standing
from training.formats import Row

KINDS = tuple(kind.value for kind in Task.Kind)


class FilterError(Exception):
    """Say in one plain sentence which filter is wrong."""


@dataclass(frozen=True)
class Filters:
    """Say what is taken; what is empty takes everything.

    `campaigns` are the short names of those that are taken from, none for the one that is cut. A task is
    taken whose round, kind and language are listed, that has one of the tags, and all of whose answers are by
    listed policies. Of what was said: since ≤ its time < until, under a listed guideline, by
    a rater with one of the skills, whose votes count for `min_reliability` at least (of whom little is known
    count 1); with `criteria`, only judgments that grade one of them. A comparison of two votes or more needs
    `min_agreement` among them. `ties` and what is `uncounted` (extra, withdrawn, superseded) are kept or
    dropped. For a consensus, votes weigh what their raters do ("reliability") or all the same ("majority");
    with "each", every judgment has a row of its own. What was withdrawn (training.standing) is never taken.
    """

    campaigns: tuple[str, ...] = ()
    rounds: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    guidelines: tuple[int, ...] = ()
    skills: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    min_reliability: float = 0.0
    min_agreement: float = 0.0
    ties: str = "keep"
    uncounted: str = "keep"
    consensus: str = "reliability"

    def as_json(self) -> dict[str, Any]:
        """Return what is set, so that the same filters are always spelt the same."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return {
            name: value.isoformat()
            if isinstance(value, datetime)
            else list(value)
            if isinstance(value, tuple)
            else value
            for name, value in found.items()
        }

    def tasks(self, standing_ones: Q | None = None) -> Q:
        """Say which tasks are taken, of those that stand."""
        wanted = standing.tasks() if standing_ones is None else standing_ones
        columns = {"rounds": "round__number", "kinds": "kind", "languages": "prompt__language"}
        for name, column in columns.items():
            if values := getattr(self, name):
                wanted &= Q(**{f"{column}__in": values})
        if self.tags:
            wanted &= Q(prompt__tags__overlap=list(self.tags))
        if self.policies:
            answers = TaskResponse.objects.filter(task=OuterRef("pk"))
            listed = Q(response__policy__name__in=self.policies)
            wanted &= Exists(answers.filter(listed)) & ~Exists(
                answers.exclude(listed) | answers.filter(response__policy=None)
            )
        return wanted

    def said(self, model: type[Judgment | Edit]) -> Q:
        """Say which judgments, or edits, are taken, as far as they themselves tell."""
        wanted = standing.said()
        if self.criteria:
            graded = Q(criteria__has_any_keys=list(self.criteria))
            wanted &= graded if model is Judgment else Q(pk__in=[])
        if self.since:
            wanted &= Q(created_at__gte=self.since)
        if self.until:
            wanted &= Q(created_at__lt=self.until)
        if self.guidelines:
            wanted &= Q(guideline__number__in=self.guidelines)
        if self.skills:
            wanted &= Q(rater__in=User.objects.filter(skills__name__in=self.skills))
        if self.uncounted == "drop":
            wanted &= Q(extra=False, withdrawn=False, superseded_by=None)
        return wanted

    def takes(self, verdict: int | None, reliability: float | None) -> bool:
        """Tell whether a judgment is taken; a ranking has no verdict."""
        known = 1.0 if reliability is None else reliability
        return known >= self.min_reliability and not (verdict == 0 and self.ties == "drop")

    def agrees(self, consensus: Row | None) -> bool:
        """Tell whether a task's votes agree as much as is asked."""
        agreement = (consensus or {}).get("agreement")
        return agreement is None or agreement >= self.min_agreement


def read(given: Mapping[str, Any]) -> Filters:
    """Read filters as the API and the page give them; FilterError names the one that is wrong."""
    known = {f.name for f in fields(Filters)}
    if not isinstance(given, Mapping):
        raise FilterError(_("Filters are an object with the filters' names."))
    for name in given:
        if name not in known:
            sentence = _("A snapshot cannot be filtered by “%(key)s”; only by %(known)s.")
            raise FilterError(sentence % {"key": name, "known": ", ".join(sorted(known))})
    found: dict[str, Any] = {}
    for name in ("rounds", "guidelines"):
        found[name] = _listed(given, name, lambda value: type(value) is int, _("numbers"))
    for name in ("campaigns", "kinds", "languages", "tags", "policies", "skills", "criteria"):
        found[name] = _listed(given, name, lambda value: isinstance(value, str), _("texts"))
    for kind in found["kinds"]:
        if kind not in KINDS:
            raise FilterError(_("kinds are any of %(kinds)s.") % {"kinds": ", ".join(KINDS)})
    for name in ("since", "until"):
        found[name] = _moment(name, given.get(name))
    for name in ("min_reliability", "min_agreement"):
        found[name] = _share(name, given.get(name, 0.0))
    options = {"ties": ("keep", "drop"), "uncounted": ("keep", "drop")}
    for name, choices in {**options, "consensus": ("reliability", "majority", "each")}.items():
        found[name] = given.get(name, choices[0])
        if found[name] not in choices:
            raise FilterError(
                _("%(name)s must be one of %(choices)s.") % {"name": name, "choices": ", ".join(choices)}
            )
    return Filters(**found)


def _listed(given: Mapping[str, Any], name: str, good: Callable[[Any], bool], what: str) -> tuple[Any, ...]:
    values = given.get(name, [])
    if not isinstance(values, (list, tuple)) or not all(good(value) for value in values):
        raise FilterError(_("%(name)s must be a list of %(what)s.") % {"name": name, "what": what})
    return tuple(sorted(set(values)))


def _moment(name: str, value: Any) -> datetime | None:
    """Read a day (its beginning) or a time, in UTC unless it says otherwise."""
    if value in (None, ""):
        return None
    try:
        day = parse_date(value)
        found = datetime.combine(day, time.min) if day else parse_datetime(value)
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise FilterError(_("%(name)s must be a day or a time such as 2026-01-31.") % {"name": name})
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _share(name: str, value: Any) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not 0 <= value <= 1:
        raise FilterError(_("%(name)s must be a number from 0 to 1.") % {"name": name})
    return float(value)
