"""Where one is signed in, and how that ends: for oneself, and for managers about others."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from accounts import sessions as sessions_
from accounts import two_factors
from accounts.models import User
from accounts.roles import require, signed_in_user


@require_safe
@require("own_account")
def sessions(request: HttpRequest) -> HttpResponse:
    """Show where one is signed in."""
    seats = sessions_.of_user(signed_in_user(request), request.session.session_key)
    return render(request, "accounts/sessions.html", {"seats": seats})


@require_POST
@require("own_account")
def end(request: HttpRequest) -> HttpResponse:
    """End one of one's sessions, or all others."""
    user, name = signed_in_user(request), request.POST.get("name", "")
    if name:
        sessions_.end_one(user, name)
    else:
        n = sessions_.end_others(user, request.session.session_key)
        said = ngettext("Signed out in %(n)s other place.", "Signed out in %(n)s other places.", n)
        messages.success(request, said % {"n": n})
    return redirect("sessions")


@require_POST
@require("administer")
def sign_out_person(request: HttpRequest, pk: int) -> HttpResponse:
    """End all of somebody's sessions and tokens."""
    user = get_object_or_404(User, pk=pk)
    sessions_.sign_out(user, by=signed_in_user(request))
    messages.success(
        request,
        _("%(name)s is signed out everywhere, and their tokens have ended.") % {"name": user.username},
    )
    return redirect("people")


@require_POST
@require("administer")
def remove_factor(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove the second factor of somebody who has lost it."""
    user = get_object_or_404(User, pk=pk)
    two_factors.take_away(user, by=signed_in_user(request))
    messages.success(request, _("%(name)s signs in by the password alone now.") % {"name": user.username})
    return redirect("people")
