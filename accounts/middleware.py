"""Who asks, and in which language they chose to be spoken to."""

from collections.abc import Callable

from django.contrib.auth import get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.http import HttpRequest, HttpResponse
from django.utils import translation


class SignedIn(AuthenticationMiddleware):
    """Django's, but for a person who is read when first asked for: `own_language` asks at once."""

    def process_request(self, request: HttpRequest) -> None:
        request.user = get_user(request)


def own_language(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Activate the user's own language; without one, LocaleMiddleware's stays: the browser's."""

    def speak(request: HttpRequest) -> HttpResponse:
        language = getattr(request.user, "language", "")
        if language:
            translation.activate(language)
            request.LANGUAGE_CODE = translation.get_language() or language
        return get_response(request)

    return speak
