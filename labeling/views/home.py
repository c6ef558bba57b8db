"""The rater at home: their campaigns."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from accounts.roles import can, require, signed_in_user
from labeling import progress


@require_GET
@require("own_account")
def home(request: HttpRequest) -> HttpResponse:
    """Show a rater their campaigns; who doesn't rate goes to the campaigns they look after."""
    user = signed_in_user(request)
    works = progress.of_rater(user) if can(user, "rate") else []
    if not works and can(user, "view_campaigns"):
        return redirect("campaigns")
    return render(request, "labeling/home.html", {"works": works})
