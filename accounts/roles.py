"""Who may do what: the only place that says so. What is not listed here is refused."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.models import Role, User

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


def require(action: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Guard a page: 403 for a signed-in user whose role may not take `action`."""

    def guard(view: Callable[..., R]) -> Callable[..., R]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> R:
            if not can(request.user, action):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return guard


def required_action(view: APIView, method: str) -> str | None:
    """Return the action that an API view asks for a method: its `action_for` maps methods, "*" is the rest."""
    mapping: dict[str, str] = getattr(view, "action_for", {})
    return mapping.get(method, mapping.get("*"))


class RolePermission(BasePermission):
    """Refuse every API request whose view names no action, or one that the user's role lacks."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        action = required_action(view, request.method or "")
        return action is not None and can(request.user, action)
