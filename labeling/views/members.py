"""What a manager says of who manages and who looks at a campaign, on the page of its raters."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts.models import Role, User
from accounts.roles import require, signed_in_user
from labeling import members
from labeling.members import MemberError, named


@require_POST
@require("manage")
def give_role(request: HttpRequest, slug: str) -> HttpResponse:
    """Give somebody a role in the campaign."""
    campaign, by = named(request, slug), signed_in_user(request)
    role = request.POST.get("role", "")
    try:
        person = User.objects.get(username=request.POST.get("username", ""), is_active=True)
        members.give_role(campaign, person, role, by)
    except User.DoesNotExist:
        messages.error(request, _("Choose somebody who can sign in."))
    except MemberError as error:
        messages.error(request, str(error))
    else:
        said = {"name": person.username, "role": Role(role).label}
        messages.success(request, _("%(name)s is in this campaign: %(role)s.") % said)
    return redirect("campaign_raters", slug)
