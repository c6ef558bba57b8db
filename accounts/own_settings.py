"""What people choose for themselves: language, colours, spacing, text size and keys."""

from collections.abc import Mapping
from copy import copy
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts import keys
from accounts.models import User

FIELDS = ("language", "theme", "density", "text_size", "shortcuts", "keys")


def change(user: User, changes: Mapping[str, Any]) -> None:
    """Change some of a person's own settings, or none of them.

    `keys` maps actions to keys and replaces all that was remapped before. ValidationError names each bad
    field, or the action whose key is bad.
    """
    problems = {name: _("There is no such setting.") for name in changes if name not in FIELDS}
    for name, value in changes.items():
        wanted = {"keys": Mapping, "shortcuts": bool}.get(name, str)
        if not isinstance(value, wanted):
            problems.setdefault(name, _("“%(value)s” is not a choice here.") % {"value": str(value)[:40]})
    if problems:
        raise ValidationError(dict(problems))
    changes = dict(changes)
    if "keys" in changes:
        changes["keys"] = keys.check(changes["keys"])
    changed = copy(user)
    for name, value in changes.items():
        setattr(changed, name, value)
    changed.clean_fields(exclude={field.name for field in User._meta.fields} - set(changes))
    User.objects.filter(pk=user.pk).update(**changes)
    for name, value in changes.items():
        setattr(user, name, value)
