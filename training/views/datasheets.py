"""A snapshot's datasheet, and what a campaign's managers state for it."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.roles import require, signed_in_user
from training import datasheet, statements
from training.forms import StatementForm
from training.snapshots import SnapshotError
from training.views.campaign import visible_campaign
from training.views.downloads import visible_snapshot


@require_safe
@require("export")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who rated, how paid, how far they agree, what pulls them, what it is for."""
    row = visible_snapshot(request, pk)
    try:
        sheet = datasheet.read(row)
    except SnapshotError as error:
        messages.error(request, str(error))
        return redirect("snapshot", pk)
    context = {"snapshot": row, "campaign": row.campaign, "sheet": sheet, "section": "datasets"}
    return render(request, "training/datasheet.html", context)


@require_safe
@require("export")
def markdown(request: HttpRequest, pk: int) -> HttpResponse:
    """Download a datasheet as Markdown."""
    row = visible_snapshot(request, pk)
    try:
        text = datasheet.as_markdown(datasheet.read(row))
    except SnapshotError as error:
        messages.error(request, str(error))
        return redirect("snapshot", pk)
    answer = HttpResponse(text, content_type="text/markdown; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="datasheet-{row}.md"'
    return answer


@require("manage")
def state(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask a campaign's managers for what no row tells: licence, pay, uses, limits, contact."""
    campaign = visible_campaign(request, slug)
    form = StatementForm(request.POST or None, instance=statements.of(campaign))
    if request.method == "POST" and form.is_valid():
        statements.change(campaign, signed_in_user(request), **form.cleaned_data)
        messages.success(request, _("Saved. Datasheets and cards that are downloaded from now on say it."))
        return redirect("statement", slug)
    context = {"campaign": campaign, "form": form, "section": "datasets"}
    return render(request, "training/statement.html", context, status=400 if form.errors else 200)
