"""Pages about people: one's own account, and everybody's."""

from collections.abc import Mapping
from copy import copy
from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.decorators import method_decorator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts import keys, own_settings, skills, tokens
from accounts import people as people_
from accounts.forms import LookForm, TokenForm
from accounts.models import ApiToken, User
from accounts.roles import require, signed_in_user


class KeyRow(NamedTuple):
    """An action in the table of one's own keys."""

    action: str
    label: str | Promise
    key: str
    problems: list[str]


def key_table(
    own: Mapping[str, str], problems: Mapping[str, list[str]]
) -> list[tuple[Promise, list[KeyRow]]]:
    """List (group, rows) of every action with its key, own or default, and what is wrong with it."""
    return [
        (group, [KeyRow(name, a.label, own.get(name, a.key), problems.get(name, [])) for name, a in actions])
        for group, actions in keys.groups()
    ]


def invitation_link(request: HttpRequest, user: User) -> str:
    """Return the address at which an invited person chooses a password."""
    uid, token = people_.invitation(user)
    return request.build_absolute_uri(reverse("welcome", args=[uid, token]))


PAGE_METHODS = ["get", "post", "head", "options"]


# told beforehand, as a false token is answered before the method is looked at
@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
@method_decorator(login_not_required, name="dispatch")
class WelcomeView(PasswordResetConfirmView):
    """Let an invited person choose a password, once."""

    template_name = "accounts/welcome.html"
    post_reset_login = True

    def get_success_url(self) -> str:
        return reverse("home")


@require("own_account")
def settings(request: HttpRequest) -> HttpResponse:
    """Show and change how the pages look and speak to oneself, and one's own keys."""
    user = signed_in_user(request)
    part = request.POST.get("save", "")
    look = LookForm(request.POST if part == "look" else None, instance=copy(user))
    typed = {name: request.POST.get(f"key-{name}", "").strip() for name in keys.ACTIONS}
    changes: dict[str, Any] = {}
    if part == "look" and look.is_valid():
        changes = look.cleaned_data
    elif part == "keys":
        changes = {"keys": typed, "shortcuts": "shortcuts" in request.POST}
    elif part == "reset":
        changes = {"keys": {}}
    problems: dict[str, list[str]] = {}
    if changes:
        try:
            own_settings.change(user, changes)
        except ValidationError as error:
            problems = error.message_dict
        else:
            translation.activate(user.language or translation.get_language_from_request(request))
            messages.success(request, _("Saved."))
            return redirect("settings")
    groups = key_table(typed if problems else user.keys, problems)
    context = {"look": look, "groups": groups, "problems": problems}
    return render(request, "accounts/settings.html", context, status=400 if problems or look.errors else 200)


@require("own_account")
def account(request: HttpRequest) -> HttpResponse:
    """Show one's own API tokens, and issue one, shown once."""
    user = signed_in_user(request)
    scopes = tokens.scopes_for(user)
    form = TokenForm(request.POST or None, scopes=scopes)
    issued = ""
    if request.method == "POST" and form.is_valid():
        try:
            issued = tokens.issue(user, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            form = TokenForm(scopes=scopes)
    own = user.api_tokens.order_by("revoked_at", "-created_at")
    context = {"form": form, "issued": issued, "tokens": own, "now": timezone.now()}
    response = render(request, "accounts/account.html", context)
    if issued:
        response["Cache-Control"] = "no-store"
    return response


@require_POST
@require("own_account")
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """End one of one's own tokens."""
    token = get_object_or_404(ApiToken, pk=pk, user=signed_in_user(request))
    tokens.revoke(token)
    messages.success(request, _("“%(name)s” no longer works.") % {"name": token.name})
    return redirect("tokens")


@require_POST
@require("administer")
def set_active(request: HttpRequest, pk: int) -> HttpResponse:
    """Keep somebody out, or let them in again."""
    user = get_object_or_404(User, pk=pk)
    try:
        people_.set_active(user, request.POST.get("active") == "yes", by=signed_in_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    return redirect("people")


@require_POST
@require("administer")
def note_skills(request: HttpRequest, pk: int) -> HttpResponse:
    """Note what somebody is good at."""
    user = get_object_or_404(User, pk=pk)
    try:
        skills.note(user, request.POST.get("skills", "").split(","), by=signed_in_user(request))
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("Saved."))
    return redirect("people")
