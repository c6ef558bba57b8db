"""Two policies' answers to the same prompts, side by side: those that are stored, and those asked for now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.roles import asked, require, signed_in_user
from labeling import side_by_side, words
from labeling.members import reachable
from labeling.models import Campaign
from labeling.rendering import render_many
from models_app import registry, samples
from models_app.models import ModelVersion
from models_app.queries import QueryError
from models_app.registry import ModelError
from models_app.tasks import draw_samples
from training import rivals

Changes = list[tuple[str, str]]
# a question, the answers that are there, and the votes for them
Asked = tuple[str, Sequence[str | None], tuple[int, int, int] | None]
OTHERS = 200  # policies to choose from


@dataclass(frozen=True)
class Row:
    """One question with both answers, as HTML, and the changes from the first to the second, if wanted."""

    question: SafeString
    answers: list[SafeString | None]
    changes: Changes | None = None
    votes: tuple[int, int, int] | None = None


@require("view_campaigns", post="manage")
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Show two policies side by side, or have both asked now."""
    first, second = both(request, pk)
    if second is None:
        messages.error(request, _("There is no other policy in this family to compare with."))
        return redirect("model", pk)
    campaigns = of_both(request, first, second)
    if request.method == "POST":
        return ask(request, first, second, campaigns)
    before = request.GET.get("before", "")
    known = int(before) if before.isdecimal() and len(before) < 19 else None
    found = side_by_side.pairs(campaigns, first, second, known)
    diff = request.GET.get("diff") == "1"
    key = request.GET.get("asked", "")
    context = {
        "first": first,
        "second": second,
        "others": mine(request)
        .filter(family=first.family, kind="policy")
        .exclude(pk=pk)
        .order_by("-pk")[:OTHERS],
        "standings": side_by_side.standings(campaigns, first, second),
        "rows": stored(found, diff),
        "older": found[-1].prompt.pk if len(found) == side_by_side.PAIRS else None,
        "diff": diff,
        "asked": key,
        **answered(request, key, diff),
        "most": samples.MOST,
        "section": "models",
    }
    return render(request, "training/compare.html", context)


def mine(request: HttpRequest) -> QuerySet[ModelVersion]:
    """Return the models of the families in which the user may do what they ask for."""
    return registry.visible_to(signed_in_user(request), asked(request))


def both(request: HttpRequest, pk: int) -> tuple[ModelVersion, ModelVersion | None]:
    """Return the policy of an address and the one that it is compared with: `with`, or the usual one."""
    first = get_object_or_404(mine(request), pk=pk, kind=ModelVersion.Kind.POLICY)
    wanted = request.POST.get("with", "") or request.GET.get("with", "")
    if wanted:
        policies = mine(request).filter(kind=ModelVersion.Kind.POLICY).exclude(pk=pk)
        return first, get_object_or_404(
            policies, pk=int(wanted) if wanted.isdecimal() and len(wanted) < 19 else 0
        )
    return first, rivals.usual(first)


def of_both(request: HttpRequest, first: ModelVersion, second: ModelVersion) -> QuerySet[Campaign]:
    """Return the campaigns in which either policy answers and that the user may see."""
    return reachable(request).filter(model_family__in={first.family, second.family}).order_by("name")


def ask(
    request: HttpRequest, first: ModelVersion, second: ModelVersion, campaigns: QuerySet[Campaign]
) -> HttpResponse:
    """Have both policies answer now, and show the page that waits for it."""
    count = request.POST.get("prompts", "")
    place = f"{reverse('compare_models', args=[first.pk])}?with={second.pk}"
    try:
        sample = rivals.ask(
            signed_in_user(request),
            (first, second),
            campaigns,
            draw_samples.delay_on_commit,  # type: ignore[attr-defined]
            question=request.POST.get("question", ""),
            prompts=int(count) if count.isdecimal() and len(count) < 4 else 0,
        )
    except (QueryError, ModelError) as error:
        messages.error(request, str(error))
        return redirect(place)
    return redirect(f"{place}&asked={sample['id']}#asked")


@require_safe
@require("view_campaigns")
def compared(request: HttpRequest, key: str) -> HttpResponse:
    """Give the part of the page that shows what both were asked just now, as far as they have answered."""
    diff = request.GET.get("diff") == "1"
    context = {**answered(request, key, diff), "diff": diff}
    status = 200 if context["sample"] else 404
    return render(request, "training/_compared.html", context, status=status)


def answered(request: HttpRequest, key: str, diff: bool) -> dict[str, Any]:
    """Return what was asked of both just now, and their answers as far as they have come."""
    user = signed_in_user(request)
    wanted, sample = (samples.asked(key, user), samples.find(key, user)) if key else (None, None)
    if wanted is None or sample is None:
        return {"sample": None, "asked_rows": [], "asked_models": []}
    told = sample.get("models", [])
    rows: list[Asked] = []
    for number, question in enumerate(wanted["questions"]):
        texts = [model["answers"][number] for model in told] + [None] * (2 - len(told))
        rows.append((question[-1]["content"], texts, None))
    return {"sample": sample, "asked_rows": shown(rows, diff), "asked_models": wanted["models"]}


def stored(pairs: list[side_by_side.Pair], diff: bool) -> list[Row]:
    """Return stored answers as they are shown."""
    rows = [
        (pair.prompt.messages[-1]["content"], [pair.first.text, pair.second.text], pair.votes)
        for pair in pairs
    ]
    return shown(rows, diff)


def shown(rows: Sequence[Asked], diff: bool) -> list[Row]:
    """Render questions and answers at one go."""
    html = iter(render_many([text or "" for question, texts, _votes in rows for text in (question, *texts)]))
    found = []
    for _question, texts, votes in rows:
        question = next(html)
        answers = [rendered if text is not None else None for text, rendered in zip(texts, html)]  # noqa: B905
        changes = words.compare(texts[0], texts[1]) if diff and texts[0] and texts[1] else None
        found.append(Row(question, answers, changes, votes))
    return found
