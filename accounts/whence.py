"""Where a request comes from: the address that the audit log notes and that limits count."""

from collections.abc import Callable
from contextvars import ContextVar
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

_address: ContextVar[str | None] = ContextVar("address", default=None)


def address_of(request: HttpRequest) -> str | None:
    """Return the address that a request was sent from; None where it has none, as through a socket.

    What X-Forwarded-For says counts only as far as TRUSTED_PROXIES of ours have written it: anybody can send
    the header.
    """
    said = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
        said = hops[-min(settings.TRUSTED_PROXIES, len(hops))] if hops else said
    try:
        return str(ip_address(said))
    except ValueError:
        return None


def current() -> str | None:
    """Return the address of the request that is being answered; None in workers and commands."""
    return _address.get()


def noted(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Note the address of each request while it is answered."""

    def answer(request: HttpRequest) -> HttpResponse:
        token = _address.set(address_of(request))
        try:
            return get_response(request)
        finally:
            _address.reset(token)

    return answer
