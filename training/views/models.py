"""One model: where it comes from, what it is worth, and when it was in use."""

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from accounts.roles import require, signed_in_user
from labeling.members import reachable
from models_app import registry
from models_app.models import ModelVersion
from training import card_files, cards, lineage, withdrawal


@require_safe
@require("view_campaigns")
def model(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a model; a reward model with its card."""
    version = get_object_or_404(mine(request).select_related("parent", "created_by"), pk=pk)
    card, line = cards.read(version), lineage.read(version)
    context = {
        "model": version,
        "run": card.run,
        "evaluation": card.evaluation,
        "card": card,
        "failed": cards.failed_checks(card.evaluation),
        "withdrawn": [withdrawal.sentence(each) for each in withdrawal.of_model(version)],
        "line": line,
        "picture": lineage.draw(line),
        "campaigns": reachable(request).filter(model_family=version.family),
        "section": "models",
    }
    return render(request, "training/model.html", context)


@require_safe
@require("view_campaigns")
def model_card(request: HttpRequest, pk: int) -> HttpResponse:
    """Download a reward model's card as Markdown."""
    version = get_object_or_404(mine(request), pk=pk, kind=ModelVersion.Kind.REWARD)
    text = card_files.as_markdown(cards.read(version))
    answer = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="reward-model-{version.pk}.md"'
    return answer


def mine(request: HttpRequest) -> QuerySet[ModelVersion]:
    """Return the models of the families that the user may see."""
    return registry.visible_to(signed_in_user(request))
