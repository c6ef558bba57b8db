"""The content policy on every answer, spelt once: django-csp's own middleware spells it anew for each."""

from collections.abc import Callable
from functools import lru_cache

from csp.constants import HEADER
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse


def content_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Set the policy of config.settings, where the view hasn't set one of its own."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault(HEADER, _spell(repr(settings.CONTENT_SECURITY_POLICY)))
        return response

    return answer


@lru_cache
def _spell(rules: str) -> str:
    return str(build_policy())
