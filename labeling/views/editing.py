"""What the edit page asks for while a rater writes."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from accounts.roles import require, signed_in_user
from labeling.rendering import render
from labeling.submissions import SubmissionError, clean_text
from labeling.views.working import member_campaign


@require_POST
@require("rate")
def preview(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a text as readers would see it."""
    member_campaign(signed_in_user(request), slug)
    try:
        text = clean_text("text", request.POST.get("text", ""))
    except SubmissionError as error:
        return JsonResponse({error.field: [str(error)]}, status=400)
    return HttpResponse(render(text))
