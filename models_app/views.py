"""Pages of the registry; training adds the page of one model, which shows the run that made it."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts.roles import require, signed_in_user
from models_app import registry, samples
from models_app.forms import ANSWERS, QUESTION, RegisterForm
from models_app.models import ModelVersion
from models_app.queries import QueryError
from models_app.registry import ModelError
from models_app.tasks import draw_samples


@require_safe
@require("view_campaigns")
def models(request: HttpRequest) -> HttpResponse:
    """List the models by family, newest first."""
    rows = registry.visible_to(signed_in_user(request)).select_related("parent")
    rows = rows.order_by("family", "kind", "-pk")
    page = Paginator(rows, 100).get_page(request.GET.get("page"))
    return render(request, "models_app/models.html", {"page": page, "section": "models"})


@require("administer")
def register(request: HttpRequest) -> HttpResponse:
    """Register a model after looking at what it names, or ask it something first."""
    known = {"family": request.GET.get("family", ""), "question": QUESTION, "answers": ANSWERS}
    form = RegisterForm(request.POST or None, initial=known)
    if request.method == "POST" and form.is_valid():
        user = signed_in_user(request)
        try:
            if "try" in request.POST:
                send = draw_samples.delay_on_commit  # type: ignore[attr-defined]
                sample = samples.ask(user, **form.trial(), send=send)
                return _register_page(request, form, sample)
            version = registry.register(by=user, **form.registration())
        except (ModelError, QueryError) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("“%(name)s” is a candidate now.") % {"name": version.name})
            return redirect("model", version.pk)
    return _register_page(request, form)


def _register_page(
    request: HttpRequest, form: RegisterForm, sample: samples.Sample | None = None
) -> HttpResponse:
    context = {"form": form, "sample": _shown(sample), "section": "models"}
    return render(request, "models_app/register.html", context)


@require_safe
@require("view_campaigns")
def sample(request: HttpRequest, key: str) -> HttpResponse:
    """Give the part of a page that shows what a model answers, as far as it has."""
    found = samples.find(key, signed_in_user(request))
    status = 200 if found else 404
    return render(request, "models_app/_sample.html", {"sample": _shown(found)}, status=status)


def _shown(sample: samples.Sample | None) -> samples.Sample | None:
    """Return a request with each answer that a reward model read beside its reward."""
    if sample is None or "models" not in sample:
        return sample
    models = [
        {**told, "scored": list(zip(told["answers"], told.get("rewards", []), strict=False))}
        for told in sample["models"]
    ]
    return {**sample, "models": models}


@require_POST
@require("administer")
def promote(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a model the champion of its family, with a reason."""
    version = get_object_or_404(ModelVersion, pk=pk)
    try:
        registry.promote(version, by=signed_in_user(request), reason=request.POST.get("reason", ""))
    except ModelError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("“%(name)s” is the champion now.") % {"name": version.name})
    return redirect("model", pk)


@require_POST
@require("administer")
def roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Go back from this champion to its predecessor."""
    version = get_object_or_404(ModelVersion, pk=pk, status=ModelVersion.Status.CHAMPION)
    reason = request.POST.get("reason", "")
    try:
        promotion = registry.roll_back(
            version.family, version.kind, by=signed_in_user(request), reason=reason
        )
    except ModelError as error:
        messages.error(request, str(error))
        return redirect("model", pk)
    messages.success(request, _("“%(name)s” is the champion again.") % {"name": promotion.version.name})
    return redirect("model", promotion.version_id)
