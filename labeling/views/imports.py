"""The import page, and the page of one import: how far it is, what came in, what is wrong."""

import io
from typing import BinaryIO

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.roles import require, signed_in_user
from labeling import uploads
from labeling.forms import ImportForm
from labeling.import_formats import FORMATS, guess_format
from labeling.models import Import
from labeling.rounds import StateError
from labeling.tasks import import_soon
from labeling.views.manage import named


@require("manage")
def import_(request: HttpRequest, slug: str) -> HttpResponse:
    """Take an upload or a paste, and go to the page of its import."""
    campaign = named(request, slug)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        source: BinaryIO = data["file"] or io.BytesIO(data["text"].encode())
        received = uploads.receive(
            campaign,
            source,
            format=data["format"] or guess_format(source),
            by=signed_in_user(request),
            filename=data["file"].name if data["file"] else "",
            dry_run=data["dry_run"],
        )
        import_soon(received)
        return redirect("one_import", slug, received.pk)
    context = {
        "campaign": campaign,
        "form": form,
        "imports": campaign.imports.select_related("by").order_by("-pk")[:10],
        "section": "campaigns",
        "tab": "import",
    }
    return render(request, "manage/import.html", context)


@require("manage")
@require_GET
def one(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Show an import: its progress while it runs, its report afterwards."""
    found = _numbered(request, slug, pk)
    context = {
        "campaign": found.campaign,
        "import": found,
        "percent": uploads.percent(found),
        "format": FORMATS.get(found.format, found.format),
        "section": "campaigns",
        "tab": "import",
    }
    return render(request, "manage/one_import.html", context)


@require("manage")
@require_GET
def progress(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Return how far an import is, for the page that shows it."""
    found = _numbered(request, slug, pk)
    return JsonResponse({"status": found.status, "percent": uploads.percent(found)})


@require("manage")
@require_POST
def cancel(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Cancel an import that is not over."""
    try:
        uploads.cancel(_numbered(request, slug, pk), by=signed_in_user(request))
    except StateError as error:
        messages.error(request, str(error))
    return redirect("one_import", slug, pk)


@require("manage")
@require_POST
def keep(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Import an upload that was only checked so far."""
    found = _numbered(request, slug, pk)
    try:
        uploads.keep(found)
    except StateError as error:
        messages.error(request, str(error))
    else:
        import_soon(found)
    return redirect("one_import", slug, pk)


def _numbered(request: HttpRequest, slug: str, pk: int) -> Import:
    campaign = named(request, slug)
    return get_object_or_404(Import.objects.select_related("campaign", "by"), campaign=campaign, pk=pk)
