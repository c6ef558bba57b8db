"""Imports over the API: a file, its text in JSON, or a dataset of the hub."""

import io
import json
from dataclasses import asdict
from typing import Any, BinaryIO

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import json_body
from accounts.json_body import JSONBody
from accounts.roles import signed_in_user
from labeling import hub, import_mapping, import_preview, uploads
from labeling.api.campaigns import InCampaign
from labeling.import_fields import FieldError
from labeling.import_formats import FORMATS, guess_format
from labeling.models import Import
from labeling.tasks import fetch_soon, import_soon
from labeling.views.imports import send_failures


class MappingField(serializers.JSONField):
    """Which column is what: {field of ours: path of theirs}."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        value: Any = super().to_internal_value(data)
        if isinstance(value, str):  # as a form sends it
            try:
                value = json.loads(value)
                json_body.check(value)
            except (ValueError, RecursionError) as error:
                raise serializers.ValidationError("This is not JSON that can be kept.") from error
        try:
            return import_mapping.check(value)
        except FieldError as error:
            raise serializers.ValidationError(str(error)) from error


MAPPING = extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})(MappingField)


class ReadingSerializer(serializers.Serializer[Any]):
    """How an upload is read."""

    format = serializers.ChoiceField(
        choices=list(FORMATS.items()), required=False, help_text="Guessed if left out."
    )
    mapping = MAPPING(
        required=False,
        help_text="{field: column or path.in.JSON} for the formats that take one; else guessed.",
    )
    keep_good = serializers.BooleanField(
        default=False, help_text="Import the lines without errors, and hand the failed ones back."
    )
    dry_run = serializers.BooleanField(default=False, help_text="Check and count, and keep nothing.")


class UploadSerializer(ReadingSerializer):
    """What to import: a file (gzip is fine), its text, or the id of a dataset of the Hugging Face hub."""

    file = serializers.FileField(required=False)
    text = serializers.CharField(required=False, trim_whitespace=False)
    dataset = serializers.CharField(
        required=False, max_length=200, help_text="Fetched by a worker; it then waits for `start`."
    )
    split = serializers.CharField(
        required=False, max_length=60, help_text="Of the dataset; train if left out."
    )
    wait = serializers.BooleanField(
        default=False, help_text="Store it only, so that its preview can be seen before `start`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("file", "text", "dataset")) != 1:
            raise serializers.ValidationError({"file": ["Send either a file or a text, or name a dataset."]})
        if "dataset" in attrs:
            try:
                hub.check_id(attrs["dataset"])
            except hub.HubError as error:
                raise serializers.ValidationError({"dataset": [str(error)]}) from error
        return attrs


class LineErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one line."""

    line = serializers.IntegerField()
    field = serializers.CharField()
    message = serializers.CharField()


class ReportSerializer(serializers.Serializer[Any]):
    """What an import added; refused for its errors it added nothing."""

    prompts_added = serializers.IntegerField()
    prompts_known = serializers.IntegerField()
    responses_added = serializers.IntegerField()
    tasks_added = serializers.IntegerField()
    judgments_added = serializers.IntegerField()
    edits_added = serializers.IntegerField()
    identical_pairs = serializers.IntegerField()
    empty_responses = serializers.IntegerField()
    raters_added = serializers.IntegerField()
    lines = serializers.IntegerField()
    errors_total = serializers.IntegerField()
    errors = LineErrorSerializer(many=True)  # type: ignore[assignment]


class ImportSerializer(serializers.ModelSerializer[Import]):
    """An import: how far it is, then its report; `error` says why it failed."""

    percent = serializers.SerializerMethodField(help_text="Of the upload, read so far.")
    report = serializers.SerializerMethodField()
    mapping = serializers.DictField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Import
        fields = [
            "id", "status", "percent", "filename", "dataset", "split", "format", "mapping", "bytes",
            "dry_run", "keep_good", "cancel_requested", "report", "error", "created_at", "finished_at",
        ]  # fmt: skip

    def get_percent(self, import_: Import) -> int:
        return 100 if import_.finished_at else uploads.percent(import_)

    @extend_schema_field(ReportSerializer(allow_null=True))
    def get_report(self, import_: Import) -> dict[str, Any] | None:
        return _whole(import_.report) if import_.report else None


class Imports(InCampaign, generics.ListAPIView[Import]):
    """List a campaign's imports, newest first, or import prompts, answers and past judgments.

    All or nothing unless `keep_good` is set, and the same import twice adds nothing.
    """

    action_for = {"GET": "manage", "POST": "manage"}
    serializer_class = ImportSerializer
    queryset = Import.objects.none()
    parser_classes = [MultiPartParser, FormParser, JSONBody]

    def get_queryset(self) -> QuerySet[Import]:
        return self.campaign.imports.order_by("-pk")

    @extend_schema(
        operation_id="campaign_import",
        request={"multipart/form-data": UploadSerializer, "application/json": UploadSerializer},
        responses={
            200: ReportSerializer,
            201: ReportSerializer,
            202: ImportSerializer,
            400: ReportSerializer,
        },
    )
    def post(self, request: Request, slug: str) -> Response:
        form = UploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given, by = form.validated_data, signed_in_user(request)
        if "dataset" in given:
            import_ = uploads.send_for(self.campaign, given["dataset"], given.get("split", ""), by)
            fetch_soon(import_)
            return Response(ImportSerializer(import_).data, status=status.HTTP_202_ACCEPTED)
        source: BinaryIO = (
            given["file"] if "file" in given else io.BytesIO(given["text"].encode("utf-8", "replace"))
        )
        import_ = uploads.receive(
            self.campaign,
            source,
            format=given.get("format") or guess_format(source),
            mapping=given.get("mapping"),
            by=by,
            filename=getattr(given.get("file"), "name", ""),
            dry_run=given["dry_run"],
            keep_good=given["keep_good"],
            wait=given["wait"],
        )
        return _waiting(import_) if given["wait"] else _begun(import_)


def _waiting(import_: Import) -> Response:
    return Response(ImportSerializer(import_).data, status=status.HTTP_202_ACCEPTED)


def _begun(import_: Import) -> Response:
    """Import a small upload at once and answer with its report; a larger one goes on in the background."""
    import_soon(import_)
    if import_.status in (Import.Status.DONE, Import.Status.REFUSED):
        done = status.HTTP_200_OK if import_.dry_run else status.HTTP_201_CREATED
        code = done if import_.status == Import.Status.DONE else status.HTTP_400_BAD_REQUEST
        return Response(ReportSerializer(_whole(import_.report)).data, status=code)
    return _waiting(import_)


def _whole(report: dict[str, Any]) -> dict[str, Any]:
    return {"errors": [], "errors_total": 0, **report}


class OneImport(InCampaign):
    """One import, while it runs and afterwards."""

    action_for = {"GET": "manage"}

    @extend_schema(operation_id="campaign_import_status", responses=ImportSerializer)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(ImportSerializer(self.numbered(pk)).data)

    def numbered(self, pk: int) -> Import:
        """Return the campaign's import of that number."""
        return get_object_or_404(Import, campaign=self.campaign, pk=pk)


class ColumnSerializer(serializers.Serializer[Any]):
    """A column of an upload: its path, what stands there in the first rows, and which field it is."""

    path = serializers.CharField()
    values = serializers.ListField(child=serializers.CharField(allow_blank=True))
    field = serializers.CharField(allow_blank=True)


class FirstRecordSerializer(serializers.Serializer[Any]):
    """What one of the first rows will be, or what is wrong with it."""

    line = serializers.IntegerField()
    prompt = serializers.CharField(allow_blank=True)
    answers = serializers.ListField(child=serializers.CharField(allow_blank=True))
    said = serializers.ListField(child=serializers.CharField())
    field = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)


class PreviewSerializer(serializers.Serializer[Any]):
    """The beginning of an upload as it will be read."""

    container = serializers.CharField()
    format = serializers.CharField()
    mapping = serializers.DictField(child=serializers.CharField())
    columns = ColumnSerializer(many=True)
    records = FirstRecordSerializer(many=True)


class PreviewImport(OneImport):
    """Show the first rows of an upload that waits, was only checked or was refused."""

    action_for = {"GET": "manage"}

    @extend_schema(
        operation_id="campaign_import_preview",
        parameters=[
            OpenApiParameter("format", str, enum=list(FORMATS), description="Another than it has."),
            OpenApiParameter("mapping", str, description="Which column is what, as JSON; else guessed."),
        ],
        responses=PreviewSerializer,
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        import_ = self.numbered(pk)
        form = ReadingSerializer(
            data={k: request.query_params[k] for k in ("format", "mapping") if k in request.query_params}
        )
        form.is_valid(raise_exception=True)
        format = form.validated_data.get("format", import_.format)
        kept = import_.mapping or None if format == import_.format else None
        with uploads.opened(import_) as source:
            seen = import_preview.look(source, format, form.validated_data.get("mapping", kept))
        return Response(PreviewSerializer(asdict(seen)).data)


class StartImport(OneImport):
    """Check or import an upload that waits, was only checked or was refused."""

    action_for = {"POST": "manage"}
    http_method_names = ["post"]

    @extend_schema(
        operation_id="campaign_import_start",
        request=ReadingSerializer,
        responses={
            200: ReportSerializer,
            201: ReportSerializer,
            202: ImportSerializer,
            400: ReportSerializer,
        },
    )
    def post(self, request: Request, slug: str, pk: int) -> Response:
        import_ = self.numbered(pk)
        form = ReadingSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        format = given.get("format", import_.format)
        uploads.start(
            import_,
            format=format,
            mapping=given.get("mapping", import_.mapping if format == import_.format else {}),
            dry_run=given["dry_run"],
            keep_good=given["keep_good"],
            by=signed_in_user(request),
        )
        return _begun(import_)


class ImportErrors(OneImport):
    """The errors of an import as CSV (line, field, error, the line's text), for a day."""

    action_for = {"GET": "manage"}

    @extend_schema(operation_id="campaign_import_errors", responses={(200, "text/csv"): OpenApiTypes.BINARY})
    def get(self, request: Request, slug: str, pk: int) -> HttpResponseBase:  # type: ignore[override]
        return send_failures(self.numbered(pk), table=True)


class FailedRows(OneImport):
    """The rows of an import that failed, as a file of the upload's own kind, for a day."""

    action_for = {"GET": "manage"}

    @extend_schema(
        operation_id="campaign_import_failed",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, slug: str, pk: int) -> HttpResponseBase:  # type: ignore[override]
        return send_failures(self.numbered(pk), table=False)


class CancelImport(OneImport):
    """Cancel an import that is not over: none of it stays."""

    action_for = {"POST": "manage"}
    http_method_names = ["post"]

    @extend_schema(operation_id="campaign_import_cancel", request=None, responses=ImportSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        import_ = self.numbered(pk)
        uploads.cancel(import_, by=signed_in_user(request))
        return Response(ImportSerializer(import_).data)


class KeepImport(OneImport):
    """Import an upload that was only checked so far."""

    action_for = {"POST": "manage"}
    http_method_names = ["post"]

    @extend_schema(operation_id="campaign_import_keep", request=None, responses=ImportSerializer)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        import_ = self.numbered(pk)
        uploads.keep(import_)
        import_soon(import_)
        return Response(ImportSerializer(import_).data)
