"""The rater at home: their campaigns, what reviewers say to them, and what they said."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.roles import can, can_somewhere, require, signed_in_user
from labeling import drafts, history, progress, reviews
from labeling.members import rated_by
from labeling.submissions import SubmissionError
from labeling.views.showing import as_draft


@require_GET
@require("own_account")
def home(request: HttpRequest) -> HttpResponse:
    """Show a rater their campaigns; who doesn't rate goes to the campaigns they look after."""
    user = signed_in_user(request)
    works = progress.of_rater(user) if can(user, "rate") else []
    if not works and can_somewhere(user, "view_campaigns"):
        return redirect("campaigns")
    unread = reviews.feedback_to(user).filter(read_at=None)
    words = list(unread[:3]) if works else []
    context = {"works": works, "words": words, "unread": len(words) if len(words) < 3 else unread.count()}
    return render(request, "labeling/home.html", context)


@require_GET
@require("rate")
def past(request: HttpRequest) -> HttpResponse:
    """Show what a rater said, newest first; `?campaign=` only there, `?from=` from a place on."""
    user = signed_in_user(request)
    campaigns = list(rated_by(user).order_by("name"))
    chosen = next((c for c in campaigns if c.slug == request.GET.get("campaign")), None)
    start = request.GET.get("from", "")
    try:
        entries, following = history.of_rater(user, chosen, start)
    except SubmissionError as error:
        messages.error(request, str(error))
        return redirect("history")
    context = {
        "campaigns": campaigns, "chosen": chosen, "entries": entries, "following": following, "start": start,
        "unread": reviews.unread_count(user),
    }  # fmt: skip
    return render(request, "labeling/history.html", context)


@require_POST
@require("rate")
def take_back(request: HttpRequest) -> HttpResponse:
    """Take one thing back, and show its task again as it was left."""
    user = signed_in_user(request)
    try:
        said = history.find(user, request.POST.get("kind", ""), request.POST.get("id"))
        slot = history.take_back(user, said)
    except SubmissionError as error:
        messages.error(request, str(error))
        return redirect("history")
    if slot is None or slot.lease is None:
        messages.info(request, _("Taken back."))
        return redirect("history")
    drafts.save(user, slot.lease, as_draft(said))
    messages.info(request, _("Taken back. Here it is again."))
    return redirect("rate", slug=said.task.campaign.slug)


@require_GET
@require("rate")
def feedback(request: HttpRequest) -> HttpResponse:
    """Show what reviewers said to a rater, newest first; what is shown first counts as read from then on."""
    user = signed_in_user(request)
    page = Paginator(reviews.feedback_to(user), history.SIZE).get_page(request.GET.get("page"))
    words = list(page.object_list)
    entries = history.meant_by(user, words)
    context = {"page": page, "words": [(word, entries.get(word.pk)) for word in words]}
    reviews.mark_read(user)
    return render(request, "labeling/feedback.html", context)
