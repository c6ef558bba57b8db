"""The import page."""

import io
from typing import BinaryIO

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.roles import require, signed_in_user
from labeling.forms import ImportForm
from labeling.import_formats import FORMATS, guess_format
from labeling.imports import ImportReport, import_records
from labeling.views.manage import named


@require("manage")
def import_(request: HttpRequest, slug: str) -> HttpResponse:
    """Check or import an upload or a paste, and report."""
    campaign = named(request, slug)
    form = ImportForm(request.POST or None, request.FILES or None)
    report: ImportReport | None = None
    format = ""
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        source: BinaryIO = data["file"] or io.BytesIO(data["text"].encode())
        format = data["format"] or guess_format(source)
        report = import_records(
            campaign,
            source,
            format=format,
            by=signed_in_user(request),
            filename=data["file"].name if data["file"] else "",
            dry_run=data["dry_run"],
        )
    context = {
        "campaign": campaign,
        "form": form,
        "report": report,
        "format": FORMATS.get(format, ""),
        "kept": report is not None and not report.errors and not form.cleaned_data["dry_run"],
        "imports": campaign.imports.select_related("by").order_by("-pk")[:10],
        "section": "campaigns",
        "tab": "import",
    }
    return render(request, "manage/import.html", context, status=400 if report and report.errors else 200)
