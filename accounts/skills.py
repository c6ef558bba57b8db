"""What people are good at: a language, a field. Campaigns may ask for it, managers note who has it."""

from collections.abc import Iterable
from functools import cache

from django.conf.locale import LANG_INFO
from django.core.exceptions import ValidationError
from django.core.validators import slug_re
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Skill, User

LENGTH = 50


@cache
def languages() -> frozenset[str]:
    """Return what languages are called as skills: their English names and their codes."""
    named = {slugify(info["name"]) for info in LANG_INFO.values() if "name" in info}
    return frozenset(named | {code.lower() for code in LANG_INFO})


def check(names: Iterable[str]) -> list[str]:
    """Return the names of skills as they are kept, each once; ValidationError names one that can't be."""
    kept = list(dict.fromkeys(name.strip().lower() for name in names if name.strip()))
    for name in kept:
        if not slug_re.fullmatch(name) or len(name) > LENGTH:
            message = _("“%(name)s” can't be a skill's name: use letters, digits, hyphens and underscores.")
            raise ValidationError(message % {"name": name})
    return kept


def named(names: Iterable[str]) -> list[Skill]:
    """Return skills by their names, new or known."""
    return [Skill.objects.get_or_create(name=name)[0] for name in names]


def note_some(user: User, asked: Iterable[str], had: Iterable[str], *, by: User) -> None:
    """Note which of the skills asked somebody has; what else they have stays."""
    asked = set(asked)
    others = set(user.skills.exclude(name__in=asked).values_list("name", flat=True))
    note(user, sorted(others | (asked & set(had))), by=by)


def note(user: User, names: Iterable[str], *, by: User) -> None:
    """Note which skills somebody has, these and no others; ValidationError names one that can't be."""
    kept = check(names)
    with transaction.atomic():
        before = sorted(skill.name for skill in user.skills.all())
        user.skills.set(named(kept))
        audit.record(by, "note skills", user, before=before, after=sorted(kept))
