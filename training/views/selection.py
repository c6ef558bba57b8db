"""The page of a campaign's choice of comparisons."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from training import selection as selection_
from training import selection_report
from training.views.campaign import visible_campaign


@require_safe
@require("view_campaigns")
def selection(request: HttpRequest, slug: str) -> HttpResponse:
    """Show how a campaign's comparisons are chosen, and whether that pays."""
    campaign = visible_campaign(request, slug)
    context = {
        "campaign": campaign,
        "report": selection_report.read(campaign),
        "section": "campaigns",
        "tab": "selection",
    }
    return render(request, "training/selection.html", context)


@require_POST
@require("manage")
def resume(request: HttpRequest, slug: str) -> HttpResponse:
    """Choose comparisons again after it was given up."""
    selection_.resume(visible_campaign(request, slug), signed_in_user(request))
    messages.success(request, _("Comparisons are chosen again from the next round on."))
    return redirect("selection", slug)
