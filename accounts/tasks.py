"""Celery's way into accounts."""

from celery import shared_task
from django.core.cache import cache

from accounts import deliveries, sessions

DELIVER_SECONDS = 300  # after which a delivery that never ended stands in nobody's way


@shared_task
def deliver_webhooks() -> None:
    """Send what is due to webhooks; one worker at a time, so that slow receivers hold up no other work."""
    if cache.add("deliver webhooks", 1, DELIVER_SECONDS):
        try:
            deliveries.deliver()
        finally:
            cache.delete("deliver webhooks")


@shared_task
def prune_webhooks() -> None:
    """Forget old events of webhooks."""
    deliveries.prune()


@shared_task
def prune_sessions() -> None:
    """Forget the sessions that ran out."""
    sessions.prune()
