"""The manager's pages about raters: who works in a campaign, how far each is trusted, and one of them."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from accounts.models import Role, User
from accounts.roles import require, signed_in_user
from labeling import agreement, golds, members, pools, qualification, repeats, trust
from labeling import campaigns as campaigns_
from labeling.forms import AddRatersForm, FindForm
from labeling.models import Campaign, Edit, Reliability, Slot
from labeling.verdict_scale import say
from labeling.views.manage import named

PAGE = 100
COULD = 50  # people at once who could be added
WIDTH, HEIGHT, MARGIN = 640, 160, 8


@dataclass(frozen=True)
class Person:
    """A row of the table: somebody, how much they said, and how far they are trusted."""

    user: Any
    judgments: int
    edits: int
    standing: qualification.Standing | None
    trust: trust.Trust


@require("view_campaigns", post="manage")
def list_(request: HttpRequest, slug: str) -> HttpResponse:
    """Show who may rate, how much each has done and how far to trust it, and add people."""
    campaign = named(request, slug)
    usable = pools.usable_by(signed_in_user(request))
    find = FindForm(request.GET or None, pools=usable)
    sought = find.cleaned_data if find.is_valid() else {}
    form = AddRatersForm(request.POST, choices=members.could_rate(campaign)) if request.POST else None
    if form and form.is_valid():
        added = form.cleaned_data["users"]
        for user in added:
            campaigns_.add_rater(campaign, user, signed_in_user(request))
        says = ngettext("%(n)s person may rate now.", "%(n)s people may rate now.", len(added))
        messages.success(request, says % {"n": len(added)})
        return redirect("campaign_raters", slug)
    could = members.could_rate(campaign, sought.get("find", ""), sought.get("pool"))
    page = Paginator(working_in(campaign), PAGE).get_page(request.GET.get("page"))
    people = describe(campaign, list(page))
    context = {
        "campaign": campaign,
        "page": page,
        "people": people,
        "computed_at": max((p.trust.row.computed_at for p in people if p.trust.row), default=None),
        "form": form,
        "find": find,
        "could": Paginator(could, COULD).get_page(request.GET.get("more")),
        "entrusted": members.entrusted(campaign),
        "may_be_entrusted": members.may_have_roles().values_list("username", flat=True),
        "campaign_roles": [(r.value, r.label) for r in (Role.MANAGER, Role.RESEARCHER, Role.RATER)],
        "pools": campaign.pools.order_by("name"),
        "free_pools": usable.exclude(campaigns=campaign),
        "section": "campaigns",
        "tab": "raters",
    }
    return render(request, "manage/raters.html", context, status=400 if form else 200)


def working_in(campaign: Campaign) -> QuerySet[User]:
    """Return the members of a campaign and everybody who said something in it, who said most first.

    How much each said is as of the last fit (`stored`), so that nothing is counted for the page.
    """
    fitted = Reliability.objects.filter(campaign=campaign, rater=OuterRef("pk")).values("said")
    worked = Slot.objects.filter(campaign=campaign, rater=OuterRef("pk"), status=Slot.Status.DONE)
    rating = campaign.memberships.filter(role__in=members.RATES)
    return (
        User.objects.annotate(
            member=Count("memberships", filter=Q(memberships__in=rating)),
            held_back=Exists(campaign.memberships.filter(user=OuterRef("pk"), paused_at__isnull=False)),
            stored=Coalesce(Subquery(fitted, output_field=IntegerField()), 0),
        )
        .filter(Q(member=1) | Exists(worked))
        .order_by("-member", "-stored", "username")
    )


def describe(campaign: Campaign, people: list[User]) -> list[Person]:
    """Return the rows of some people, in a fixed number of queries.

    What they judged is as of the last fit; before the first, the slots that they filled are counted.
    """
    standings = qualification.standings(campaign, people)
    trusted = trust.of_raters(campaign, people)
    edited = edits_of(campaign, people)
    unfitted = [person for person in people if trusted[person.pk].row is None]
    done = Slot.objects.filter(campaign=campaign, rater__in=unfitted, status=Slot.Status.DONE)
    filled = dict(done.values("rater").annotate(n=Count("pk")).values_list("rater", "n"))
    return [
        Person(
            person,
            row.said
            if (row := trusted[person.pk].row)
            else filled.get(person.pk, 0) - edited.get(person.pk, 0),
            edited.get(person.pk, 0),
            standings.get(person.pk),
            trusted[person.pk],
        )
        for person in people
    ]


def edits_of(campaign: Campaign, people: list[User]) -> dict[int, int]:
    """Count people's edits in a campaign that count."""
    live = {"extra": False, "withdrawn": False, "superseded_by": None, "task__campaign": campaign}
    counts = Edit.objects.filter(rater__in=people, **live).values("rater").annotate(n=Count("pk"))
    return dict(counts.values_list("rater", "n"))


@require_safe
@require("view_campaigns")
def one(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show one rater: what is known of them, the evidence, and what can be done."""
    campaign = named(request, slug)
    known = Q(Exists(Slot.objects.filter(campaign=campaign, rater=pk)))
    known |= Q(Exists(campaign.memberships.filter(user=pk)))
    rater = get_object_or_404(User, known, pk=pk)
    found = trust.of_raters(campaign, [rater])[rater.pk]
    context = {
        "campaign": campaign,
        "rater": rater,
        "trust": found,
        "membership": campaign.memberships.filter(user=rater).first(),
        "holds": Slot.objects.filter(campaign=campaign, rater=rater, status=Slot.Status.CLAIMED).count(),
        "asked": [(skill, skill.had) for skill in asked_of(campaign, rater)],
        "agreement": agreement.of_rater(rater, [campaign])[campaign.pk],
        "drift": draw(found.row.drift) if found.row else None,
        "golds": [
            (t, say(campaign, t.verdict), say(campaign, t.gold.verdict))
            for t in golds.told_by(campaign, rater)
        ],
        "repeats": [
            (t, say(campaign, t.first), say(campaign, t.again)) for t in repeats.told_by(campaign, rater)
        ],
        "section": "campaigns",
        "tab": "raters",
    }
    return render(request, "manage/rater.html", context)


def asked_of(campaign: Campaign, rater: User) -> QuerySet[Any]:
    """Return the skills that a campaign asks for, each with whether a rater has it (`had`)."""
    return campaign.skills.annotate(had=Exists(rater.skills.filter(pk=OuterRef("pk")))).order_by("name")


def draw(windows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the points of a rater's curve with its band in the coordinates of a drawing; None below two."""
    points = [w for w in windows if w["value"] is not None and w["low"] is not None]
    if len(points) < 2:
        return None
    low, high = min(0.0, *(w["low"] for w in points)), max(0.0, *(w["high"] for w in points))
    first, last = points[0]["n"], points[-1]["n"]

    def place(n: int, value: float) -> str:
        x = MARGIN + (n - first) / (last - first) * (WIDTH - 2 * MARGIN)
        return f"{x:.1f},{HEIGHT - MARGIN - (value - low) / (high - low) * (HEIGHT - 2 * MARGIN):.1f}"

    above, below = [place(w["n"], w["high"]) for w in points], [place(w["n"], w["low"]) for w in points]
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "band": " ".join([*above, *reversed(below)]),
        "line": " ".join(place(w["n"], w["value"]) for w in points),
        "zero": " ".join([place(first, 0), place(last, 0)]),
        "windows": points,
        "low": low,
        "high": high,
    }
