"""The audit log."""

from typing import Any

from django.db.models import Model

from accounts.models import AuditEvent, User


def record(actor: User | None, action: str, target: Model, **detail: Any) -> None:
    """Note that somebody changed something; call it in the transaction of the change."""
    AuditEvent.objects.create(
        actor=actor, action=action, target=f"{target._meta.label_lower}:{target.pk}", detail=detail
    )
