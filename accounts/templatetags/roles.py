"""Roles in templates: `{% if user|may:"manage" %}`."""

from typing import Any

from django import template

from accounts.roles import can_here

register = template.Library()


@register.filter
def may(user: Any, action: str) -> bool:
    """Tell whether a user may take an action in the campaign that the page is about, or anywhere.

    So a page shows only what would work.
    """
    return can_here(user, action)
