"""The import page, and the page of one import: what is in it, how far it is, what came in, what is wrong."""

import io
from typing import Any, BinaryIO

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from accounts.roles import require, signed_in_user
from labeling import hub, import_preview, uploads
from labeling.forms import UploadForm
from labeling.import_formats import FORMATS
from labeling.import_mapping import FIELDS
from labeling.import_preview import Preview
from labeling.models import Import
from labeling.rounds import StateError
from labeling.tasks import fetch_soon, import_soon
from labeling.views.manage import named


class ImportForm(UploadForm):
    """A file, a paste, or a dataset of the hub."""

    file = forms.FileField(
        required=False,
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV, JSON lines, JSON or Parquet; gzip is fine."),
    )
    dataset = forms.CharField(
        required=False,
        max_length=200,
        label=gettext_lazy("… or a dataset of the Hugging Face hub"),
        help_text=gettext_lazy("Its id, such as owner/name."),
    )
    split = forms.CharField(
        required=False,
        max_length=60,
        label=gettext_lazy("Its split"),
        help_text=gettext_lazy("Empty: train, where there is one."),
    )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if not data.get("dataset"):
            return super().clean()
        if data.get("file") or (data.get("text") or "").strip():
            self.add_error("dataset", _("Choose a file, paste a text or name a dataset (one of the three)."))
        try:
            hub.check_id(data["dataset"])
        except hub.HubError as error:
            self.add_error("dataset", str(error))
        return data


class ReadingForm(forms.Form):
    """How an upload is to be read: its format, which column is what, and what to do with bad lines."""

    format = forms.ChoiceField(required=False, choices=list(FORMATS.items()), label=gettext_lazy("Format"))
    keep_good = forms.BooleanField(
        required=False,
        label=gettext_lazy("Import the good lines even if others fail, and hand the failed ones back"),
    )

    def mapping(self) -> dict[str, str] | None:
        """Return which column is what, as chosen; None where nobody chose for this format."""
        if not self.data.get("columns") or self.data.get("columns") != self.data.get("format"):
            return None
        chosen: dict[str, str] = {}
        for name, field in self.data.items():
            if not name.startswith("column:") or field not in FIELDS:
                continue
            if field in chosen:
                told = _("Two columns can't both be “%(field)s”.") % {"field": FIELDS[field]}
                self.add_error(None, told)
            chosen[field] = name.removeprefix("column:")
        return chosen


@require("manage")
def import_(request: HttpRequest, slug: str) -> HttpResponse:
    """Take an upload, a paste or a dataset's id, and go to the page where its first rows are shown."""
    campaign = named(request, slug)
    form = ImportForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        data, by = form.cleaned_data, signed_in_user(request)
        if data["dataset"]:
            received = uploads.send_for(campaign, data["dataset"], data["split"], by)
            fetch_soon(received)
            return redirect("one_import", slug, received.pk)
        source: BinaryIO = data["file"] or io.BytesIO(data["text"].encode("utf-8", "replace"))
        seen = import_preview.look(source)
        received = uploads.receive(
            campaign,
            source,
            format=seen.format,
            mapping=seen.mapping,
            by=by,
            filename=data["file"].name if data["file"] else "",
            dry_run=True,
            wait=True,
        )
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
    """Show an import: its first rows before it starts, its progress while it runs, its report afterwards."""
    found = _numbered(request, slug, pk)
    context: dict[str, Any] = {}
    if uploads.is_here(found):
        form = ReadingForm(request.GET)
        asked = form.mapping() if form.is_valid() else None
        context = _shown(found, form, form.cleaned_data.get("format") or found.format, asked)
    return _page(request, found, context)


@require("manage")
@require_POST
def start(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Check or import an upload, read as is chosen."""
    found = _numbered(request, slug, pk)
    form = ReadingForm(request.POST)
    mapping = form.mapping() if form.is_valid() else None
    if form.errors:
        return _page(request, found, _shown(found, form, found.format, mapping), status=400)
    data = form.cleaned_data
    format = data["format"] or found.format
    try:
        uploads.start(
            found,
            format=format,
            mapping=(found.mapping if format == found.format else {}) if mapping is None else mapping,
            dry_run=request.POST.get("how") != "import",
            keep_good=data["keep_good"],
            by=signed_in_user(request),
        )
    except StateError as error:
        messages.error(request, str(error))
    else:
        import_soon(found)
    return redirect("one_import", slug, pk)


def _shown(found: Import, form: ReadingForm, format: str, mapping: dict[str, str] | None) -> dict[str, Any]:
    """Return what the page needs to ask how an upload is to be read."""
    if mapping is None and format == found.format:
        mapping = found.mapping or None
    try:
        with uploads.opened(found) as source:
            seen: Preview | None = import_preview.look(source, format, mapping)
    except StateError:
        seen = None
    keep_good = form.data.get("keep_good") if "format" in form.data else found.keep_good
    return {
        "seen": seen,
        "form": form,
        "formats": FORMATS.items(),
        "fields": FIELDS.items(),
        "keep_good": bool(keep_good),
    }


def _page(request: HttpRequest, found: Import, context: dict[str, Any], status: int = 200) -> HttpResponse:
    context |= {
        "campaign": found.campaign,
        "import": found,
        "percent": uploads.percent(found),
        "format": FORMATS.get(found.format, found.format),
        "failed": uploads.failed_table(found.pk).exists(),
        "section": "campaigns",
        "tab": "import",
    }
    return render(request, "manage/one_import.html", context, status=status)


@require("manage")
@require_GET
def progress(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Return how far an import is, for the page that shows it."""
    found = _numbered(request, slug, pk)
    return JsonResponse({"status": found.status, "percent": uploads.percent(found)})


@require("manage")
@require_GET
def errors(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Download an import's errors as CSV: line, field, error, the line's text."""
    return send_failures(_numbered(request, slug, pk), table=True)


@require("manage")
@require_GET
def failed(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """Download the rows that failed as a file of the upload's own kind."""
    return send_failures(_numbered(request, slug, pk), table=False)


def send_failures(found: Import, *, table: bool) -> FileResponse:
    """Send what failed of an import; 404 when there is nothing of it any more."""
    path = (uploads.failed_table if table else uploads.failed_rows)(found.pk)
    try:
        name = uploads.failed_name(found, table=table)
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    content_type = "text/csv; charset=utf-8" if table else "application/octet-stream"
    return FileResponse(file, as_attachment=True, filename=name, content_type=content_type)


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
