"""Who may do what: the only place that says so. What is not listed here is refused."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import Role, User

if TYPE_CHECKING:
    # REST framework loads this module while it loads its views
    from rest_framework.views import APIView

R = TypeVar("R", bound=HttpResponseBase)

ACTIONS: dict[str, frozenset[str]] = {
    # judge, edit, skip in campaigns one is a member of
    "rate": frozenset({Role.RATER, Role.MANAGER}),
    # see campaigns, their rounds, runs, models and figures
    "view_campaigns": frozenset({Role.MANAGER, Role.RESEARCHER}),
    # create and change campaigns, import, invite, pause, promote, roll back
    "manage": frozenset({Role.MANAGER}),
    # cut snapshots and download them
    "export": frozenset({Role.MANAGER, Role.RESEARCHER}),
    # see one's own page, change one's own settings and tokens
    "own_account": frozenset(Role.values),
}


def can(user: Any, action: str) -> bool:
    """Tell whether a signed-in, active user may take an action; a KeyError is a programming mistake."""
    roles = ACTIONS[action]
    return isinstance(user, User) and user.is_active and (user.is_superuser or user.role in roles)


def require(action: str, *, post: str = "") -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Guard a page: 403 for a signed-in user whose role may not take `action` (to POST: `post`, if given)."""

    def guard(view: Callable[..., R]) -> Callable[..., R]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> R:
            if not can(request.user, post if post and request.method == "POST" else action):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return guard


def signed_in_user(request: HttpRequest | Request) -> User:
    """Return the request's user; only behind `require` or RolePermission, which let nobody else through."""
    assert isinstance(request.user, User)
    return request.user


def required_action(view: "APIView", method: str) -> str | None:
    """Return the action that an API view asks for a method; `action_for` maps them, "*" the rest."""
    mapping: dict[str, str] = getattr(view, "action_for", {})
    return mapping.get(method, mapping.get("*"))


class RolePermission(BasePermission):
    """Refuse every API request whose view names no action, or one that the user's role lacks."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        action = required_action(view, request.method or "")
        return action is not None and can(request.user, action)
