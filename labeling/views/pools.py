"""Pages about pools: the list, one with its people, and those that a campaign has."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.models import Pool, User
from accounts.roles import require, signed_in_user
from labeling import pools
from labeling.members import named
from labeling.people_forms import MembersForm, PoolForm

PAGE = 100


@require("administer")
def list_(request: HttpRequest) -> HttpResponse:
    """List the pools, and make one."""
    form = PoolForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            pool = pools.create(form.cleaned_data["name"], signed_in_user(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect("pool", pool.pk)
    rows = Pool.objects.annotate(
        n_members=Count("members", distinct=True), n_campaigns=Count("campaigns", distinct=True)
    ).order_by("name")
    page = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "form": form, "section": "people"}
    return render(request, "manage/pools.html", context, status=400 if form.errors else 200)


@require("administer")
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who is in a pool and which campaigns have it, and put people in."""
    pool = get_object_or_404(Pool, pk=pk)
    form = MembersForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            new = pools.join_named(pool, form.cleaned_data["usernames"], signed_in_user(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            said = ngettext("%(n)s person is new in it.", "%(n)s people are new in it.", new) % {"n": new}
            messages.success(request, said)
            return redirect("pool", pk)
    page = Paginator(pool.members.order_by("username"), PAGE).get_page(request.GET.get("page"))
    campaigns = pool.campaigns.order_by("name")
    context = {"pool": pool, "page": page, "campaigns": campaigns, "form": form, "section": "people"}
    return render(request, "manage/pool.html", context, status=400 if form.errors else 200)


@require_POST
@require("administer")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Dissolve a pool."""
    pool = get_object_or_404(Pool, pk=pk)
    pools.delete(pool, signed_in_user(request))
    messages.success(request, _("“%(name)s” is dissolved; its people stay.") % {"name": pool.name})
    return redirect("pools")


@require_POST
@require("administer")
def leave(request: HttpRequest, pk: int, user: int) -> HttpResponse:
    """Take somebody out of a pool."""
    pool, person = get_object_or_404(Pool, pk=pk), get_object_or_404(User, pk=user)
    pools.leave(pool, person, signed_in_user(request), campaigns="campaigns" in request.POST)
    return redirect("pool", pk)


@require_POST
@require("manage")
def use(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a pool's people rate in a campaign."""
    campaign, name = named(request, slug), request.POST.get("pool", "")
    usable = pools.usable_by(signed_in_user(request))
    pool = usable.filter(pk=int(name)).first() if name.isdecimal() and len(name) < 19 else None
    if pool is None:
        messages.error(request, _("Choose a pool."))
    else:
        new = pools.use(campaign, pool, signed_in_user(request))
        said = ngettext("%(n)s person may rate now.", "%(n)s people may rate now.", new) % {"n": new}
        messages.success(request, said)
    return redirect("campaign_raters", slug)


@require_POST
@require("manage")
def drop(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a pool from a campaign."""
    campaign = named(request, slug)
    pool = get_object_or_404(campaign.pools, pk=pk)
    pools.drop(campaign, pool, signed_in_user(request), members="members" in request.POST)
    return redirect("campaign_raters", slug)
