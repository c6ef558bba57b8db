"""Imports over the API: a file, or its text in JSON."""

import io
from typing import Any, BinaryIO

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling.api.campaigns import InCampaign
from labeling.import_formats import FORMATS, guess_format
from labeling.imports import import_records


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


class Imports(InCampaign):
    """Import prompts, answers and past judgments; all or nothing, and the same import twice adds nothing."""

    action_for = {"POST": "manage"}
    parser_classes = [MultiPartParser, FormParser, JSONParser]

    @extend_schema(
        operation_id="campaign_import",
        request={"multipart/form-data": UploadSerializer, "application/json": UploadSerializer},
        responses={201: ReportSerializer, 200: ReportSerializer, 400: ReportSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        form = UploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        given = form.validated_data
        source: BinaryIO = given["file"] if "file" in given else io.BytesIO(given["text"].encode())
        report = import_records(
            self.campaign,
            source,
            format=given.get("format") or guess_format(source),
            by=signed_in_user(request),
            filename=getattr(given.get("file"), "name", ""),
            dry_run=given["dry_run"],
        )
        done = status.HTTP_200_OK if given["dry_run"] else status.HTTP_201_CREATED
        code = status.HTTP_400_BAD_REQUEST if report.errors else done
        return Response(ReportSerializer(report).data, status=code)
