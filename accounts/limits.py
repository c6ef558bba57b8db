"""How often a person may ask, counted in Redis by the minute: pages and the API together, rating apart.

Tokens are counted by themselves.
"""

import math
import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis import RedisError

WINDOW = 60  # seconds
READS = {"GET", "HEAD", "OPTIONS"}
# what keeps a worker, a disk or somebody's server busy, as soon as it is sent
COSTLY = frozenset(
    {"cut_snapshot", "api_snapshots", "import", "api_imports", "api_preview_import", "start_import",
     "api_start_import", "import_examples", "api_import_examples", "register_model", "api_models",
     "setup_answers", "api_base_policy", "api_campaigns", "api_model_samples", "api_score",
     "compare_models", "api_compare_models", "judges", "api_judges"}
)  # fmt: skip


def wait_for(kind: str, who: str) -> int:
    """Count one more request of a kind, and return in how many seconds it may come; 0: now.

    Kinds and how many of each a minute allows are settings.RATE_LIMITS. A minute is one of the clock's. While
    Redis is away nothing is counted, so that nobody meets an error for it.
    """
    most = settings.RATE_LIMITS.get(kind)
    if most is None:
        return 0
    now = clock()
    key = f"limit:{kind}:{who}:{int(now // WINDOW)}"
    try:
        if cache.add(key, 1, timeout=2 * WINDOW):
            return 0
        count: int = cache.incr(key)
    except (RedisError, ValueError):  # ValueError: the key ended in between
        return 0
    return 0 if count <= most else max(1, math.ceil(WINDOW - now % WINDOW))


def clock() -> float:
    """Return the time of day that requests are counted by, in seconds."""
    return time.time()


def kind_of(request: HttpRequest, action: str | None) -> str:
    """Return the kind that a request counts as, which asks for an action."""
    if action == "rate":
        return "rating"
    if request.method in READS:
        return "reading"
    match = request.resolver_match
    return "costly" if match is not None and match.url_name in COSTLY else "writing"


def too_many(request: HttpRequest, seconds: int = WINDOW) -> HttpResponse:
    """Answer with a page that says when to go on."""
    late = render(request, "429.html", {"seconds": seconds}, status=429)
    late["Retry-After"] = str(seconds)
    return late
