"""Downloads over the API: exports, what is prepared, and signed links."""

from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import signed_in_user
from labeling import campaigns
from training import links, preparations, snapshots, withdrawal
from training.export_formats import FORMATS
from training.models import Download, DownloadLink, Preparation
from training.views import downloads


class PreparationSerializer(serializers.ModelSerializer[Preparation]):
    """What a worker prepares; `done` of `expected` rows are, and a cut's `snapshot` is there in the end."""

    campaign = serializers.SlugRelatedField[Any](read_only=True, slug_field="slug")
    done = serializers.SerializerMethodField()

    class Meta:
        model = Preparation
        fields = ["id", "campaign", "snapshot", "format", "file", "status", "done", "expected", "error"]
        read_only_fields = fields

    def get_done(self, preparation: Preparation) -> int:
        """Return how much is done, having seen to it that a worker is at it."""
        return preparations.done(preparation)


def waiting(preparation: Preparation) -> Response:
    """Answer that something is being prepared: 202, and when to ask again."""
    answer = Response(PreparationSerializer(preparation).data, status=status.HTTP_202_ACCEPTED)
    answer["Retry-After"] = str(downloads.RETRY)
    return answer


class OnePreparation(generics.RetrieveAPIView[Preparation]):
    """Say how far a worker is with a cut or an export."""

    action_for = {"GET": "export"}
    serializer_class = PreparationSerializer
    queryset = Preparation.objects.none()

    def get_queryset(self) -> QuerySet[Preparation]:
        mine = campaigns.visible_to(signed_in_user(self.request), "export")
        return Preparation.objects.filter(campaign__in=mine).select_related("campaign")


class OneDownload(APIView):
    """Send a snapshot as a zip file in one of the formats, whole or in ranges.

    202 with the preparation's state while a worker writes it; 410 where it holds withdrawn data.
    """

    action_for = {"GET": "export"}

    @extend_schema(
        operation_id="snapshot_download",
        parameters=[
            OpenApiParameter("format", enum=list(FORMATS), required=True),
            OpenApiParameter(
                "file", description="jsonl, jsonl.gz, jsonl.zst, parquet or csv, as the format has"
            ),
            OpenApiParameter("Range", location="header", description="bytes=FIRST-LAST, one range"),
        ],
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            (206, "application/zip"): OpenApiTypes.BINARY,
            202: PreparationSerializer,
            416: OpenApiResponse(description="The range lies behind the end."),
        },
    )
    def get(self, request: Request, pk: int) -> HttpResponseBase:
        snapshot = downloads.visible_snapshot(request, pk)
        format, file = request.query_params.get("format", ""), request.query_params.get("file", "")
        wanted = downloads.Wanted(snapshot, format, file, Download.Via.API, signed_in_user(request))
        given = downloads.give(request._request, wanted)
        return waiting(given) if isinstance(given, Preparation) else given


class LinkSerializer(serializers.ModelSerializer[DownloadLink]):
    """A signed link to one export; it lasts for `days`."""

    url = serializers.SerializerMethodField()
    days = serializers.IntegerField(write_only=True, min_value=1, max_value=links.MOST_DAYS)
    file = serializers.CharField(default="", allow_blank=True)
    by = serializers.SlugRelatedField[Any](read_only=True, slug_field="username")

    class Meta:
        model = DownloadLink
        fields = ["id", "url", "format", "file", "days", "by", "expires_at", "revoked_at", "created_at"]
        read_only_fields = ["expires_at", "revoked_at", "created_at"]

    def get_url(self, link: DownloadLink) -> str:
        """Return the whole address."""
        return str(self.context["request"].build_absolute_uri(links.address(link)))


class Links(generics.ListAPIView[DownloadLink]):
    """List a snapshot's signed links, or make one."""

    action_for = {"*": "export"}
    serializer_class = LinkSerializer
    queryset = DownloadLink.objects.none()

    def get_queryset(self) -> QuerySet[DownloadLink]:
        snapshot = downloads.visible_snapshot(self.request, self.kwargs["pk"])
        return snapshot.links.select_related("by").order_by("-pk")

    @extend_schema(request=LinkSerializer, responses={201: LinkSerializer})
    def post(self, request: Request, pk: int) -> Response:
        snapshot = downloads.visible_snapshot(request, pk)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        withdrawal.refuse(snapshot, request.user)
        asked = form.validated_data
        link = links.make(snapshot, signed_in_user(request), asked["format"], asked["file"], asked["days"])
        return Response(self.get_serializer(link).data, status=status.HTTP_201_CREATED)


class OneLink(APIView):
    """End a signed link at once."""

    action_for = {"DELETE": "export"}

    @extend_schema(operation_id="link_revoke", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        by = signed_in_user(request)
        found = DownloadLink.objects.filter(snapshot__in=snapshots.visible_to(by))
        found = found.select_related("snapshot__campaign")
        links.revoke(get_object_or_404(found, pk=pk), by)
        return Response(status=status.HTTP_204_NO_CONTENT)
