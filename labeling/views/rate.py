"""The rater's pages: home, the comparison, the edit, and what their buttons do.

A page asks for a task with GET. Its buttons POST: a browser with scripts gets the next task straight back
(the `X-Fragment` header), one without is redirected to it.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Subquery
from django.db.models.functions import JSONObject
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.request import QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from accounts.roles import can, require, signed_in_user
from labeling import assignment, drafts, edits, judgments, progress
from labeling.assignment import LeaseError
from labeling.models import Campaign, Criterion, Draft, Guideline, Judgment, Slot, Task, TaskResponse
from labeling.rendering import render as markdown
from labeling.submissions import SubmissionError
from labeling.verdict_scale import points

DRAFT_FIELDS = ("verdict", "comment", "text", "instruction", "already_good")
BOTH_BAD = "both_bad"


@require_GET
@require("own_account")
def home(request: HttpRequest) -> HttpResponse:
    """Show a rater their campaigns; who doesn't rate goes to the campaigns they look after."""
    user = signed_in_user(request)
    works = progress.of_rater(user) if can(user, "rate") else []
    if not works and can(user, "view_campaigns"):
        return redirect("campaigns")
    return render(request, "labeling/home.html", {"works": works})


@require_GET
@require("rate")
def rate(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the task that the rater holds, or give them the next."""
    return work(request, member_campaign(signed_in_user(request), slug))


@require_GET
@require("rate")
def guideline(request: HttpRequest, slug: str) -> HttpResponse:
    """Show a campaign's newest guideline."""
    campaign = member_campaign(signed_in_user(request), slug)
    newest = campaign.guidelines.order_by("-number").first()
    context = {"campaign": campaign, "guideline": newest, "html": markdown(newest.text) if newest else ""}
    return render(request, page(request, "guideline"), context)


@require_POST
@require("rate")
def judge(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a verdict and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        verdict, both_bad = read_verdict(said)
        judgment = judgments.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            verdict=verdict,
            both_bad=both_bad,
            criteria=read_grades(said, campaign),
            comment=said.get("comment", ""),
            active_ms=read_number(said, "active_ms"),
            guideline=read_number(said, "guideline"),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    return accepted(request, campaign, extra=judgment.extra)


@require_POST
@require("rate")
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Take a rewrite and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        rewrite = edits.submit(
            user,
            read_uuid(said, "lease"),
            idempotency_key=read_uuid(said, "idempotency_key"),
            text=said.get("text", ""),
            already_good="already_good" in said,
            instruction=said.get("instruction", ""),
            active_ms=read_number(said, "active_ms"),
            guideline=read_number(said, "guideline"),
        )
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    return accepted(request, campaign, extra=rewrite.extra)


@require_POST
@require("rate")
def skip(request: HttpRequest, slug: str) -> HttpResponse:
    """Pass a task over and go on."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    said = request.POST
    try:
        judgments.skip(user, read_uuid(said, "lease"), said.get("kind", "skip"), said.get("reason", ""))
    except (SubmissionError, LeaseError) as error:
        return refused(request, campaign, error)
    messages.info(request, _("Passed over. It won't come back to you."))
    return go_on(request, campaign)


@require_POST
@require("rate")
def undo(request: HttpRequest, slug: str) -> HttpResponse:
    """Take back what the rater sent last, and show it again as they left it."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    last = progress.last_said(user, campaign)
    try:
        if last is None:
            raise SubmissionError("id", _("There is nothing to take back."))
        if isinstance(last, Judgment):
            slot = judgments.undo(user, last)
        else:
            slot = edits.undo(user, last)
    except SubmissionError as error:
        return refused(request, campaign, error)
    if slot is not None and slot.lease is not None:
        drafts.save(user, slot.lease, as_draft(last, campaign))
    messages.info(request, _("Taken back. Here it is again."))
    return go_on(request, campaign)


@require_POST
@require("rate")
def draft(request: HttpRequest, slug: str) -> JsonResponse:
    """Keep what is typed so far."""
    user = signed_in_user(request)
    campaign = member_campaign(user, slug)
    try:
        drafts.save(user, read_uuid(request.POST, "lease"), typed(request.POST, campaign))
    except LeaseError as error:
        return JsonResponse({"detail": str(error)}, status=409)
    except SubmissionError as error:
        return JsonResponse({error.field: [str(error)]}, status=400)
    return JsonResponse({"saved": True})


@require_POST
@require("rate")
def heartbeat(request: HttpRequest, slug: str) -> JsonResponse:
    """Extend the lease of somebody who is working."""
    user = signed_in_user(request)
    member_campaign(user, slug)
    try:
        until = assignment.heartbeat(user, read_uuid(request.POST, "lease"))
    except LeaseError as error:
        return JsonResponse({"detail": str(error)}, status=409)
    return JsonResponse({"lease_until": until})


# -- what the buttons have in common ------------------------------------------------------------------


@dataclass(frozen=True)
class Side:
    """An answer as displayed."""

    name: str
    html: str
    text: str


def member_campaign(user: User, slug: str) -> Any:
    """Return a campaign that a user rates in, with its guideline's number and its criteria; or 404."""
    newest = Guideline.objects.filter(campaign=OuterRef("pk")).order_by("-number")
    criteria = Criterion.objects.filter(campaign=OuterRef("pk")).order_by("pk")
    campaign = (
        Campaign.objects.filter(memberships__user=user, slug=slug)
        .exclude(status=Campaign.Status.DRAFT)
        .annotate(
            guideline_number=Subquery(newest.values("number")[:1]),
            graded=ArraySubquery(
                criteria.values(c=JSONObject(key="key", name="name", points="points", required="required"))
            ),
        )
        .first()
    )
    if campaign is None:
        raise Http404
    return campaign


def fragment(request: HttpRequest) -> bool:
    """Tell whether the page's script asked, and takes the task alone."""
    return "X-Fragment" in request.headers


def page(request: HttpRequest, name: str) -> str:
    """Return the template of a whole page, or of its part."""
    return f"labeling/_{name}.html" if fragment(request) else f"labeling/{name}.html"


def work(
    request: HttpRequest, campaign: Any, *, said: dict[str, str] | None = None, status: int = 200
) -> HttpResponse:
    """Show the next task, filled in with `said` or else its draft."""
    slot = assignment.claim(signed_in_user(request), campaign)
    context = {"campaign": campaign, "fragment": fragment(request)}
    if slot is None:
        context["waiting"] = progress.waiting(campaign)
    else:
        context.update(shown(slot, campaign, said))
    return render(request, page(request, "work"), context, status=status)


def shown(claimed: Slot, campaign: Any, said: dict[str, str] | None) -> dict[str, Any]:
    """Return what the page of a claimed slot shows: nothing says which model wrote what."""
    texts = TaskResponse.objects.filter(task=OuterRef("task")).order_by("position").values("response__text")
    kept = Draft.objects.filter(task=OuterRef("task"), rater=OuterRef("rater")).values("data")[:1]
    slot: Any = (
        Slot.objects.select_related("task__prompt")
        .annotate(texts=ArraySubquery(texts), draft=Subquery(kept))
        .get(pk=claimed.pk)
    )
    sides = [
        Side(name, markdown(slot.texts[position]), slot.texts[position])
        for name, position in zip("AB", slot.order_shown, strict=False)
    ]
    values = said or slot.draft or {}
    return {
        "slot": slot,
        "compare": slot.task.kind == Task.Kind.COMPARE,
        "turns": [{"role": m["role"], "html": markdown(m["content"])} for m in slot.task.prompt.messages],
        "sides": sides,
        "points": points(campaign, values.get("verdict", "")),
        "both_bad": campaign.allow_ties,
        "grades": grades(campaign, values),
        "values": values,
        "text": values.get("text", sides[0].text),
        "idempotency_key": uuid4(),
    }


def grades(campaign: Any, values: dict[str, str]) -> list[dict[str, Any]]:
    """Return a campaign's criteria with the grades given so far."""
    return [
        {
            **criterion,
            "sides": [
                {
                    "name": name,
                    "field": f"grade-{criterion['key']}-{side}",
                    "steps": [
                        (step, values.get(f"grade-{criterion['key']}-{side}") == str(step))
                        for step in range(1, criterion["points"] + 1)
                    ],
                }
                for side, name in enumerate("AB")
            ],
        }
        for criterion in campaign.graded
    ]


def accepted(request: HttpRequest, campaign: Any, *, extra: bool) -> HttpResponse:
    """Go on to the next task, and tell kindly when the answer came too late to count."""
    if extra:
        late = _(
            "Thank you. Your time for that one had run out and its place was taken: it is kept, uncounted."
        )
        messages.info(request, late)
    return go_on(request, campaign)


def go_on(request: HttpRequest, campaign: Any) -> HttpResponse:
    """Answer a POST with the next task, or with the way to it."""
    return work(request, campaign) if fragment(request) else redirect("rate", slug=campaign.slug)


def refused(request: HttpRequest, campaign: Any, error: SubmissionError | LeaseError) -> HttpResponse:
    """Say what is wrong: beside the task as it was filled in, or, for a lost lease, on its own."""
    if isinstance(error, LeaseError) or error.field == "lease":
        context = {"campaign": campaign, "reason": str(error), "fragment": fragment(request)}
        return render(request, page(request, "refused"), context, status=409)
    messages.error(request, str(error))
    return work(request, campaign, said=typed(request.POST, campaign), status=400)


def typed(said: QueryDict, campaign: Any) -> dict[str, str]:
    """Return those of a form's values that are worth keeping."""
    names = [side["field"] for c in grades(campaign, {}) for side in c["sides"]]
    return {name: said.get(name, "") for name in (*DRAFT_FIELDS, *names) if name in said}


def as_draft(said: Any, campaign: Any) -> dict[str, str]:
    """Return a stored judgment or edit as the values of its form."""
    if isinstance(said, Judgment):
        values = {"verdict": BOTH_BAD if said.both_bad else str(said.verdict), "comment": said.comment}
        for key, given in said.criteria.items():
            for side, position in enumerate(said.order_shown):
                if given[position] is not None:
                    values[f"grade-{key}-{side}"] = str(given[position])
        return values
    good = {"already_good": "on"} if said.edited is None else {"text": said.edited.text}
    return {"instruction": said.instruction, **good}


def read_uuid(said: QueryDict, name: str) -> UUID:
    """Read a form's key."""
    try:
        return UUID(said.get(name, ""))
    except ValueError as error:
        raise LeaseError(_("This form is incomplete. Reload the page.")) from error


def read_number(said: QueryDict, name: str) -> int | None:
    """Read a whole number, None when left out."""
    text = said.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise SubmissionError(name, _("This must be a whole number.")) from error


def read_verdict(said: QueryDict) -> tuple[int, bool]:
    """Read the verdict, and whether both are bad."""
    if said.get("verdict") == BOTH_BAD:
        return 0, True
    verdict = read_number(said, "verdict")
    if verdict is None:
        raise SubmissionError("verdict", _("Choose which answer is better first."))
    return verdict, False


def read_grades(said: QueryDict, campaign: Any) -> dict[str, list[int | None]]:
    """Read the grades of both displayed sides."""
    read = {c["key"]: [read_number(said, f"grade-{c['key']}-{s}") for s in (0, 1)] for c in campaign.graded}
    return {key: sides for key, sides in read.items() if sides != [None, None]}
