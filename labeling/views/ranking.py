"""The ranking: taking an order of several answers."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from accounts.roles import require, signed_in_user
from labeling import rankings
from labeling.assignment import LeaseError
from labeling.submissions import SubmissionError
from labeling.views.places import read_ranking
from labeling.views.reading import read_remarks, read_uuid
from labeling.views.working import accepted, campaign_of, going_on, refused


@require_POST
@require("rate")
def rank(request: HttpRequest, slug: str) -> HttpResponse:
    """Take an order and go on."""
    user, said, onward = signed_in_user(request), request.POST, going_on(request, slug)
    try:
        judgment = rankings.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            ranking=read_ranking(said),
            onward=onward,
            **read_remarks(said),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign_of(request, onward), error)
    return accepted(request, campaign_of(request, onward), extra=judgment.extra, slot=onward.slot)
