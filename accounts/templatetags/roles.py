"""Roles in templates: `{% if user|may:"manage" %}`."""

from typing import Any

from django import template

from accounts.roles import can

register = template.Library()


@register.filter
def may(user: Any, action: str) -> bool:
    """Tell whether a user may take an action, so that a page shows only what would work."""
    return can(user, action)
