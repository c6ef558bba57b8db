"""The audit log: who changed what, in which campaign, when and from where."""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Model, QuerySet

from accounts import whence
from accounts.models import AuditEvent, User
from accounts.roles import campaigns_for, can
from accounts.spreadsheets import harmless

COLUMNS = ["when", "who", "action", "target", "campaign", "address", "detail"]


def record(actor: User | None, action: str, target: Model, **detail: Any) -> None:
    """Note that somebody changed something; call it in the transaction of the change.

    Where a setting changes, `before` and `after` say what it was and is.
    """
    AuditEvent.objects.create(
        actor=actor,
        action=action,
        target=f"{target._meta.label_lower}:{target.pk}",
        detail=detail,
        campaign=_campaign_of(target),
        address=whence.current(),
    )


def _campaign_of(target: Any) -> str:
    """Return the slug of the campaign that something is or hangs on; empty where it hangs on none."""
    if target._meta.label_lower == "labeling.campaign":
        return str(target.slug)
    campaign = getattr(target, "campaign", None)
    if isinstance(campaign, str):  # as a webhook's, below whose floor campaigns are
        return campaign
    # a model's family bears the slug of its campaign
    return str(getattr(campaign, "slug", "") or getattr(target, "family", ""))


def visible_to(user: User) -> QuerySet[AuditEvent]:
    """Return the events that somebody may see, with who acted: all, or those of campaigns they manage."""
    events = AuditEvent.objects.select_related("actor")
    if can(user, "administer"):
        return events
    return events.filter(campaign__in=campaigns_for(user, "manage"))


def chosen(events: QuerySet[AuditEvent], said: dict[str, Any]) -> QuerySet[AuditEvent]:
    """Keep the events of a person (`who`), an action (`what`), a `campaign`, days (`since`, `until`)."""
    fields = {"who": "actor__username", "what": "action", "campaign": "campaign"}
    events = events.filter(**{fields[name]: said[name] for name in fields if said.get(name)})
    since, until = said.get("since"), said.get("until")
    if since:
        events = events.filter(created_at__gte=_midnight(since))
    if until:
        events = events.filter(created_at__lt=_midnight(until) + timedelta(days=1))
    return events


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def worded(value: Any) -> str:
    """Return what a change tells of as text; nothing for what is empty."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {worded(each) or '–'}" for name, each in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def details(event: AuditEvent, worded: Callable[[Any], str] = worded) -> list[tuple[str, str]]:
    """Return what is told of a change as (name, value), what was before what is; nothing empty."""
    given = event.detail
    names = sorted(given, key=lambda name: (name == "after", name == "before"))
    told = [(name, worded(given[name])) for name in names]
    return [(name, value) for name, value in told if value]


def as_csv(events: Iterable[AuditEvent]) -> Iterator[str]:
    """Write events as the lines of a CSV file, beginning with its header."""
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    for event in events:
        who = event.actor.username if event.actor else ""
        yield writer.writerow(
            harmless(cell)
            for cell in [
                event.created_at.isoformat(), who, event.action, event.target, event.campaign,
                event.address or "", "; ".join(f"{name}: {value}" for name, value in details(event)),
            ]
        )  # fmt: skip


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line
