"""How often somebody may ask, counted in Redis by the minute."""

import math
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from redis import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.roles import required_action
from accounts.whence import address_of

if TYPE_CHECKING:
    # REST framework loads this module while it loads its views
    from rest_framework.views import APIView

WINDOW = 60  # seconds
READS = {"GET", "HEAD", "OPTIONS"}


def wait_for(kind: str, who: str) -> int:
    """Count one more request of a kind, and return in how many seconds it may come; 0: now.

    Kinds and how many of each a minute allows are settings.RATE_LIMITS. A minute is one of the clock's. While
    Redis is away nothing is counted, so that nobody meets an error for it.
    """
    most = settings.RATE_LIMITS.get(kind)
    if most is None:
        return 0
    now = time.time()
    key = f"limit:{kind}:{who}:{int(now // WINDOW)}"
    try:
        if cache.add(key, 1, timeout=2 * WINDOW):
            return 0
        count: int = cache.incr(key)
    except (RedisError, ValueError):  # ValueError: the key ended in between
        return 0
    return 0 if count <= most else max(1, math.ceil(WINDOW - now % WINDOW))


class Limit(BaseThrottle):
    """Limit each token, each person, and each address of nobody known; rating apart from all else."""

    _wait = 0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        token = getattr(request.user, "acts_by", None)
        if token is not None:
            who = f"token-{token.pk}"
        elif request.user.is_authenticated:
            who = f"user-{request.user.pk}"
        else:
            who = address_of(request._request) or "nowhere"
        self._wait = wait_for(self._kind(request, view), who)
        return not self._wait

    def _kind(self, request: Request, view: "APIView") -> str:
        if required_action(view, request.method or "") == "rate":
            return "rating"
        return "reading" if request.method in READS else "writing"

    def wait(self) -> float:
        return self._wait
