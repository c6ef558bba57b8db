"""Invite people and tell who they are; nobody but the invited person ever knows the password."""

from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Role, User


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
