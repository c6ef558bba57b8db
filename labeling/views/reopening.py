"""The reviewer's page that takes all of a rater's work out of the count."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext

from accounts.models import User
from accounts.roles import require, signed_in_user
from labeling import reopening
from labeling.reviews import ReviewError
from labeling.views.manage import named


@require("manage")
def reopen(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Say what would be taken out; a POST with a reason does it."""
    campaign = named(request, slug)
    rater = get_object_or_404(User, pk=pk)
    reason, refused = request.POST.get("reason", ""), ""
    if request.method == "POST":
        try:
            done = reopening.reopen(campaign, rater, signed_in_user(request), reason)
        except ReviewError as error:
            refused = str(error)
        else:
            said = ngettext(
                "%(n)s answer counts no more; %(again)s of it is asked of others.",
                "%(n)s answers count no more; %(again)s of them are asked of others.",
                done.all,
            )
            messages.success(request, said % {"n": done.all, "again": done.asked_again})
            return redirect("campaign_raters", slug)
    context = {
        "campaign": campaign,
        "rater": rater,
        "found": reopening.preview(campaign, rater),
        "reason": reason,
        "refused": refused,
        "section": "campaigns",
        "tab": "raters",
    }
    return render(request, "manage/reopen.html", context, status=400 if refused else 200)
