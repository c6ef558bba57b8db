"""The ranking: taking an order of several answers."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from accounts.roles import require, signed_in_user
from labeling import rankings
from labeling.assignment import LeaseError
from labeling.submissions import SubmissionError
from labeling.views.places import read_ranking
from labeling.views.reading import read_remarks, read_uuid
from labeling.views.working import Following, accepted, member_campaign, refused


@require_POST
@require("rate")
def rank(request: HttpRequest, slug: str) -> HttpResponse:
    """Take an order and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said, following = request.POST, Following(request, campaign)
    try:
        judgment = rankings.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            ranking=read_ranking(said),
            then=following.claim,
            **read_remarks(said, campaign),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    return accepted(request, campaign, extra=judgment.extra, slot=following.slot)
