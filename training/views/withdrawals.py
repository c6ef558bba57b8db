"""Withdrawals: what was taken out of the datasets, who is told, and a manager's form to withdraw more."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.roles import require, signed_in_user
from training import withdrawal
from training.withdrawal import WithdrawalError


@require("export", post="administer")
def withdrawals(request: HttpRequest) -> HttpResponse:
    """List what was withdrawn, newest first; a POST names a rater or a prompt and withdraws its data."""
    user, error = signed_in_user(request), None
    said = request.POST if request.method == "POST" else request.GET
    if request.method == "POST":
        try:
            withdrawal.withdraw(said.get("what", ""), said.get("name", ""), user, said.get("reason", ""))
        except WithdrawalError as refused:
            error = refused
        else:
            messages.success(request, _("It is withdrawn. Whoever downloaded it is told."))
            return redirect("withdrawals")
    rows = withdrawal.known_to(user).select_related("rater", "by")
    rows = rows.prefetch_related("snapshots__campaign", "notices__user")
    context = {
        "page": Paginator(rows.order_by("-pk"), 25).get_page(request.GET.get("page")),
        "notices": withdrawal.unseen(user),
        "said": said,
        "error": error,
        "section": "datasets",
    }
    return render(request, "training/withdrawals.html", context, status=400 if error else 200)


@require_POST
@require("export")
def seen(request: HttpRequest) -> HttpResponse:
    """Note that somebody has seen what they were told of their downloads."""
    withdrawal.see(signed_in_user(request))
    return redirect("withdrawals")
