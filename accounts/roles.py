"""Who may do what: the only place that says so. What is not listed here is refused.

A person's role counts everywhere. A membership may give them another in one campaign (`User.campaign_roles`);
a token may take away from both (its scopes, its campaign).
"""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.utils.translation import gettext as _
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts import limits
from accounts.models import ApiToken, Role, User

if TYPE_CHECKING:
    # REST framework loads this module while it loads its views
    from rest_framework.views import APIView

R = TypeVar("R", bound=HttpResponseBase)

ACTIONS: dict[str, frozenset[str]] = {
    # judge, edit, skip in campaigns one is a member of
    "rate": frozenset({Role.RATER, Role.MANAGER}),
    # see campaigns, their rounds, runs, models and figures
    "view_campaigns": frozenset({Role.MANAGER, Role.RESEARCHER}),
    # change campaigns, import, add raters, pause, review, start rounds and runs
    "manage": frozenset({Role.MANAGER}),
    # cut snapshots and download them
    "export": frozenset({Role.MANAGER, Role.RESEARCHER}),
    # what concerns the whole installation: people, the audit log, making campaigns, registering and promoting
    # models, withdrawing data
    "administer": frozenset({Role.MANAGER}),
    # see one's own page, change one's own settings and tokens
    "own_account": frozenset(Role.values),
}

# What a membership's role allows in its campaign, beside what the person's own role does.
IN_CAMPAIGN: dict[str, frozenset[str]] = {
    "view_campaigns": frozenset({Role.MANAGER, Role.RESEARCHER}),
    "manage": frozenset({Role.MANAGER}),
    "export": frozenset({Role.MANAGER, Role.RESEARCHER}),
}


def can(user: Any, action: str, campaign: str = "") -> bool:
    """Tell whether a signed-in, active user may take an action in the campaign of a slug, or everywhere.

    A KeyError is a programming mistake.
    """
    roles = ACTIONS[action]
    if not isinstance(user, User) or not user.is_active or not allows(user.acts_by, action, campaign):
        return False
    if user.is_superuser or user.role in roles:
        return True
    return user.campaign_roles.get(campaign) in IN_CAMPAIGN.get(action, ())


def can_somewhere(user: Any, action: str) -> bool:
    """Tell whether a user may take an action everywhere or in one campaign at least."""
    return can(user, action) or bool(campaigns_for(user, action))


def can_here(user: Any, action: str) -> bool:
    """Tell whether a user may take an action in the campaign that the page is about; else `can_somewhere`."""
    focus = getattr(user, "focus", "")
    return can(user, action, focus) if focus else can_somewhere(user, action)


def campaigns_for(user: Any, action: str) -> list[str]:
    """Return the slugs of the campaigns in which a user may take an action, by what is said of each."""
    if not isinstance(user, User):
        return []
    known = {*user.campaign_roles, *([user.acts_by.campaign] if user.acts_by else [])} - {""}
    return sorted(slug for slug in known if can(user, action, slug))


def allows(token: ApiToken | None, action: str, campaign: str = "") -> bool:
    """Tell whether a token, if there is one, is for an action in a campaign, or everywhere.

    A token of one campaign is for nothing else but its owner's own account.
    """
    if token is None:
        return True
    if token.scopes and action not in token.scopes:
        return False
    if not token.campaign or action == "own_account":
        return True
    return token.campaign == campaign and (action == "rate" or action in IN_CAMPAIGN)


def require(action: str, *, post: str = "") -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Guard a page: 403 for a signed-in user who may take `action` nowhere (to POST: `post`, if given).

    In which campaigns they may is for the page to see to, by labeling.members. Who asks too often gets 429,
    but not where people rate: that costs nothing more.
    """

    def guard(view: Callable[..., R]) -> Callable[..., R]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> R:
            if request.method not in PAGE_METHODS:
                return cast(R, HttpResponseNotAllowed(PAGE_METHODS))
            needed = post if post and request.method == "POST" else action
            if not can_somewhere(request.user, needed):
                raise PermissionDenied
            request.META[ASKED] = needed
            if needed != "rate":
                wait = limits.wait_for(limits.kind_of(request, needed), f"user-{request.user.pk}")
                if wait:
                    return cast(R, limits.too_many(request, wait))
            return view(request, *args, **kwargs)

        return guarded

    return guard


ASKED = "touchstone.action"
PAGE_METHODS = ["GET", "HEAD", "POST"]  # the API has the others, too


def asked(request: HttpRequest | Request) -> str:
    """Return the action that a request was let through for; only behind `require` or RolePermission."""
    action: str = request.META[ASKED]
    return action


def signed_in_user(request: HttpRequest | Request) -> User:
    """Return the request's user; only behind `require` or RolePermission, which let nobody else through."""
    assert isinstance(request.user, User)
    return request.user


def required_action(view: "APIView", method: str) -> str | None:
    """Return the action that an API view asks for a method; `action_for` maps them, "*" the rest."""
    mapping: dict[str, str] = getattr(view, "action_for", {})
    return mapping.get(method, mapping.get("*"))


class RolePermission(BasePermission):
    """Refuse every API request for which a view names no action, or one that the user may take nowhere."""

    message: str | None = None

    def has_permission(self, request: Request, view: "APIView") -> bool:
        method = request.method or ""
        action = required_action(view, method)
        if action is None or not hasattr(view, method.lower()):
            raise MethodNotAllowed(method)
        token = getattr(request.user, "acts_by", None)
        if token is not None and token.scopes and action not in token.scopes:
            self.message = _("This token is not for that: it lacks the scope “%(scope)s”.") % {
                "scope": action
            }
            return False
        request.META[ASKED] = action
        return can_somewhere(request.user, action)
