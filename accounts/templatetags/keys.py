"""Keys in templates: `{{ user|bindings_json }}` for scripts, `{% key_groups user as groups %}` for people."""

import json
from typing import NamedTuple

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from accounts import keys
from accounts.models import User

register = template.Library()


class Row(NamedTuple):
    """An action as a table shows it: `key` for the script, `shown` for the person."""

    action: str
    label: str | Promise
    key: str
    shown: str


@register.filter
def bindings_json(user: User) -> str:
    """Return a person's keys as JSON, action → key, for a data attribute."""
    return json.dumps(keys.bindings(user), ensure_ascii=False)


@register.filter
def key_of(user: User, action: str) -> str:
    """Return the key of one action as a person reads it; empty where single keys are off."""
    return shown(keys.bindings(user)[action])


@register.simple_tag
def key_groups(user: User) -> list[tuple[Promise, list[Row]]]:
    """List (group, rows) of every action with the person's own keys, in the table's order."""
    own = keys.bindings(user)
    return [
        (group, [Row(name, action.label, own[name], shown(own[name])) for name, action in actions])
        for group, actions in keys.groups()
    ]


def shown(key: str) -> str:
    """Return a key as a person reads it."""
    return _("Enter") if key == "Enter" else key
