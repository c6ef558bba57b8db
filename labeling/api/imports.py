"""Imports over the API: a file, or its text in JSON."""

import io
from typing import Any, BinaryIO

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import generics, serializers, status
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import uploads
from labeling.api.campaigns import InCampaign
from labeling.import_formats import FORMATS, guess_format
from labeling.models import Import
from labeling.tasks import import_soon


class UploadSerializer(serializers.Serializer[Any]):
    """What to import: a file (gzip is fine) or its text."""

    file = serializers.FileField(required=False)
    text = serializers.CharField(required=False, trim_whitespace=False)
    format = serializers.ChoiceField(
        choices=list(FORMATS.items()), required=False, help_text="Guessed if left out."
    )
    dry_run = serializers.BooleanField(default=False, help_text="Check and count, and keep nothing.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("text" in attrs):
            raise serializers.ValidationError({"file": ["Send either a file or a text."]})
        return attrs


class LineErrorSerializer(serializers.Serializer[Any]):
    """What is wrong with one line."""

    line = serializers.IntegerField()
    field = serializers.CharField()
    message = serializers.CharField()


class ReportSerializer(serializers.Serializer[Any]):
    """What an import added; with errors it added nothing."""

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

    class Meta:
        model = Import
        fields = [
            "id", "status", "percent", "filename", "format", "bytes", "dry_run", "cancel_requested",
            "report", "error", "created_at", "finished_at",
        ]  # fmt: skip

    def get_percent(self, import_: Import) -> int:
        return 100 if import_.finished_at else uploads.percent(import_)

    @extend_schema_field(ReportSerializer(allow_null=True))
    def get_report(self, import_: Import) -> dict[str, Any] | None:
        return import_.report or None


class Imports(InCampaign, generics.ListAPIView[Import]):
    """List imports; or import prompts, answers and past judgments: the same import twice adds nothing."""

    action_for = {"GET": "manage", "POST": "manage"}
    serializer_class = ImportSerializer
    queryset = Import.objects.none()
    parser_classes = [MultiPartParser, FormParser, JSONParser]

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
        given = form.validated_data
        source: BinaryIO = given["file"] if "file" in given else io.BytesIO(given["text"].encode())
        import_ = uploads.receive(
            self.campaign,
            source,
            format=given.get("format") or guess_format(source),
            by=signed_in_user(request),
            filename=getattr(given.get("file"), "name", ""),
            dry_run=given["dry_run"],
        )
        import_soon(import_)
        if import_.status in (Import.Status.DONE, Import.Status.REFUSED):
            done = status.HTTP_200_OK if given["dry_run"] else status.HTTP_201_CREATED
            code = done if import_.status == Import.Status.DONE else status.HTTP_400_BAD_REQUEST
            return Response(ReportSerializer(_whole(import_.report)).data, status=code)
        return Response(ImportSerializer(import_).data, status=status.HTTP_202_ACCEPTED)


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
