"""The page of everybody, found by role, skill, language, pool and name; and inviting one by a user name."""

from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts import people as people_
from accounts import skills
from accounts.forms import InviteForm
from accounts.models import Pool, Role, Skill
from accounts.people import Filter
from accounts.roles import require, signed_in_user
from accounts.views import invitation_link

PAGE = 100


@require("administer")
def people(request: HttpRequest) -> HttpResponse:
    """List everybody whom a filter finds, and invite somebody."""
    form = InviteForm(request.POST or None)
    invited, link = None, ""
    if request.method == "POST" and form.is_valid():
        try:
            invited = people_.invite(**form.cleaned_data, by=signed_in_user(request))
        except ValidationError as error:
            form.add_error(None, error)
        else:
            link = invitation_link(request, invited)
            form = InviteForm()
    which = Filter.read(request.GET.dict())
    everybody = people_.found(which).order_by("-is_active", "role", "username")
    rows = everybody.prefetch_related("skills", "pools").annotate(
        has_factor=Exists(Authenticator.objects.filter(user=OuterRef("pk")))
    )
    names = sorted(Skill.objects.values_list("name", flat=True))
    context = {
        "form": form, "invited": invited, "link": link, "which": which, "filtered": which != Filter(),
        "page": Paginator(rows, PAGE).get_page(request.GET.get("page")),
        "roles": Role.choices, "pools": Pool.objects.order_by("name"),
        "languages": [name for name in names if name in skills.languages()],
        "skills": [name for name in names if name not in skills.languages()],
        "section": "people",
    }  # fmt: skip
    return render(request, "accounts/people.html", context)
