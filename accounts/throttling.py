"""The API's limits, as REST framework asks for them."""

from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import limits
from accounts.roles import required_action
from accounts.whence import address_of

if TYPE_CHECKING:
    # REST framework loads this module while it loads its views
    from rest_framework.views import APIView


class Limit(BaseThrottle):
    """Limit each token, each person, and each address of nobody known."""

    _wait = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        token = getattr(request.user, "acts_by", None)
        if token is not None:
            who = f"token-{token.pk}"
        elif request.user.is_authenticated:
            who = f"user-{request.user.pk}"
        else:
            who = address_of(request._request) or "nowhere"
        action = required_action(view, request.method or "")
        self._wait = limits.wait_for(limits.kind_of(request._request, action), who)
        return not self._wait

    def wait(self) -> float:
        return self._wait
