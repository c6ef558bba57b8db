"""Pages that bring people in: links and lists of a campaign or of the whole, and the page behind a link."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import Role, User
from accounts.roles import require, signed_in_user
from labeling import invitation_lists, invitations, pools
from labeling.invitation_lists import Invited
from labeling.members import named
from labeling.models import Campaign, Invitation
from labeling.people_forms import JoinForm, LinkForm, ListForm

PAGE = 50


def link_to(request: HttpRequest, token: str) -> str:
    """Return the address of an invitation's page."""
    return request.build_absolute_uri(reverse("join", args=[token]))


@require("manage")
def in_campaign(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the links into a campaign and who came by them, and make more."""
    return _page(request, named(request, slug))


@require("administer")
def everywhere(request: HttpRequest) -> HttpResponse:
    """Show the links that give a role everywhere and who came by them, and make more."""
    return _page(request, None)


def _page(request: HttpRequest, campaign: Campaign | None) -> HttpResponse:
    user, make = signed_in_user(request), request.POST.get("make", "")
    usable = pools.usable_by(user)
    first = {"role": Role.RATER, "uses": max(2, campaign.overlap) if campaign else 1}
    link = LinkForm(request.POST if make == "link" else None, pools=usable, initial=first, prefix="link")
    list_ = ListForm(
        request.POST if make == "list" else None, pools=usable, initial=first, prefix="list",
        can_mail=invitation_lists.can_mail(),
    )  # fmt: skip
    made: list[Invited] = []
    if make == "link" and link.is_valid():
        try:
            made = [Invited(*invitations.offer(user, campaign=campaign, **link.cleaned_data))]
        except ValidationError as error:
            link.add_error(None, error)
    elif make == "list" and list_.is_valid():
        made = _make_list(request, campaign, list_)
    rows = Paginator(invitations.listed(campaign), PAGE).get_page(request.GET.get("page"))
    context = {
        "campaign": campaign, "link": link, "list": list_, "page": rows,
        "made": [(one.invitation, link_to(request, one.token)) for one in made],
        "rows": [(row, invitations.state(row)) for row in rows],
        "section": "campaigns" if campaign else "people", "tab": "invitations",
    }  # fmt: skip
    bad = link.errors or list_.errors
    response = render(request, "manage/invitations.html", context, status=400 if bad else 200)
    if made:
        response["Cache-Control"] = "no-store"
    return response


def _make_list(request: HttpRequest, campaign: Campaign | None, form: ListForm) -> list[Invited]:
    """Make the links of a list and mail them where that is asked, or put what is wrong into the form."""
    said = dict(form.cleaned_data)
    mail, text = said.pop("mail", False), said.pop("people")
    try:
        made = invitation_lists.invite(signed_in_user(request), text, campaign=campaign, **said)
    except ValidationError as error:
        form.add_error(None, error)
        return []
    if mail:
        letters = [(one.invitation.email, link_to(request, one.token)) for one in made]
        letters = [(address, link) for address, link in letters if address]
        failed = invitation_lists.send(letters, campaign)
        if failed:
            says = _("The mail server did not take what was for %(names)s; send these links yourself.")
            messages.error(request, says % {"names": ", ".join(failed[:20])})
        if len(letters) > len(failed):
            messages.success(request, _("Mailed: %(n)s.") % {"n": len(letters) - len(failed)})
    return made


@require_POST
@require("manage")
def revoke_in_campaign(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """End a link into a campaign."""
    found = get_object_or_404(Invitation, pk=pk, campaign=named(request, slug))
    invitations.revoke(found, signed_in_user(request))
    return redirect("campaign_invitations", slug)


@require_POST
@require("administer")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End a link that gives a role everywhere."""
    found = get_object_or_404(Invitation, pk=pk, campaign=None)
    invitations.revoke(found, signed_in_user(request))
    return redirect("invitations")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_not_required
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Let whoever holds a link come in: a newcomer by choosing a name and a password."""
    try:
        invitation = invitations.find(token)
    except ValidationError as error:
        if isinstance(request.user, User) and request.user.arrivals.exists():
            return redirect("home")  # a link that was good once, opened again
        return render(request, "labeling/join.html", {"problem": " ".join(error.messages)}, status=404)
    if isinstance(request.user, User) and request.user.is_active:
        return _join_as(request, invitation, token, request.user)
    first = {"username": slugify(invitation.name).replace("-", "."), "email": invitation.email}
    form = JoinForm(request.POST if request.method == "POST" else None, initial=first)
    if request.method == "POST" and form.is_valid():
        try:
            user = invitations.arrive(token, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            login(request, user)
            return redirect("home")
    context: dict[str, Any] = {"invitation": invitation, "form": form}
    return render(request, "labeling/join.html", context, status=400 if form.errors else 200)


def _join_as(request: HttpRequest, invitation: Invitation, token: str, user: User) -> HttpResponse:
    if request.method != "POST":
        return render(request, "labeling/join.html", {"invitation": invitation, "joins": user})
    try:
        invitations.accept(token, user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, _("You are in."))
    return redirect("home")
