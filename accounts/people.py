"""Invite people and tell who they are; nobody but the invited person ever knows the password."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Role, User


@dataclass(frozen=True)
class Filter:
    """Whom a list of people is about; what is empty says nothing. A language is a skill too."""

    role: str = ""
    skill: str = ""
    language: str = ""
    pool: str = ""
    name: str = ""

    @classmethod
    def read(cls, asked: Mapping[str, str]) -> "Filter":
        """Read a filter from an address, leaving out what it doesn't know."""
        return cls(**{field.name: asked.get(field.name, "").strip()[:150] for field in fields(cls)})


def found(which: Filter) -> QuerySet[User]:
    """Return the people who were invited and fit a filter."""
    rows = User.objects.filter(imported=False)
    if which.role:
        rows = rows.filter(role=which.role)
    for skill in (which.skill, which.language):
        if skill:
            rows = rows.filter(skills__name=skill)
    if which.pool:
        rows = rows.filter(pools__name=which.pool)
    if which.name:
        rows = rows.filter(Q(username__icontains=which.name) | Q(email__icontains=which.name))
    return rows


def invite(username: str, role: str, *, by: User, email: str = "") -> User:
    """Add a person who can sign in once they have chosen a password; ValidationError names a bad field."""
    if role not in Role.values:
        raise ValidationError(
            {
                "role": _("“%(role)s” is no role; choose one of %(known)s.")
                % {"role": role, "known": ", ".join(Role.values)}
            }
        )
    user = User(username=username, role=role, email=email)
    user.set_unusable_password()
    user.full_clean()
    with transaction.atomic():
        user.save(force_insert=True)
        audit.record(by, "invite", user, username=username, role=role)
    return user


def invitation(user: User) -> tuple[str, str]:
    """Return (uid, token) of the link under which a person chooses a password; it works once."""
    return urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)


def set_active(user: User, active: bool, *, by: User) -> None:
    """Let a person in or keep them out from the next request on; what they judged stays."""
    if user == by:
        raise ValidationError({"user": _("Nobody can lock themselves out.")})
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=active)
        audit.record(by, "let in" if active else "keep out", user)
