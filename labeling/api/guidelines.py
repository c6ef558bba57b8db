"""The guideline over the API beyond its versions: preview, differences, an old one again, who has read it."""

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.roles import signed_in_user
from labeling import examples, guidelines
from labeling.api.campaigns import GuidelineSerializer, InCampaign
from labeling.api.onboarding import ExampleSerializer
from labeling.models import Example, Guideline, Membership
from labeling.rendering import render
from labeling.submissions import clean_text


class TextSerializer(serializers.Serializer[Any]):
    """A text in Markdown."""

    text = serializers.CharField(trim_whitespace=False)


class HtmlSerializer(serializers.Serializer[Any]):
    """What raters would see of it."""

    html = serializers.CharField()


class PreviewGuideline(InCampaign):
    """Show a text as raters would see it."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="guideline_preview", request=TextSerializer, responses=HtmlSerializer)
    def post(self, request: Request, slug: str) -> Response:
        _campaign = self.campaign  # 404 before anything is read
        form = TextSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        return Response({"html": render(clean_text("text", form.validated_data["text"]))})


class ChangeSerializer(serializers.Serializer[Any]):
    """A stretch of a version: same, added or removed."""

    kind = serializers.ChoiceField(choices=["same", "added", "removed"])
    text = serializers.CharField()


class BesideSerializer(serializers.Serializer[Any]):
    """A stretch of both versions; both are empty where lines that stayed the same are left out."""

    old = ChangeSerializer(many=True)
    new = ChangeSerializer(many=True)


class DiffGuidelines(InCampaign):
    """Two versions side by side, with the words that changed."""

    action_for = {"GET": "view_campaigns"}
    pagination_class = None

    @extend_schema(operation_id="guideline_diff", responses=BesideSerializer(many=True))
    def get(self, request: Request, slug: str, old: int, new: int) -> Response:
        a, b = (get_object_or_404(Guideline, campaign=self.campaign, number=n) for n in (old, new))
        return Response([asdict(row) for row in guidelines.beside(a.text, b.text)])


class RestoreGuideline(InCampaign):
    """Publish an old version as the next one; the newest stays as it is."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="guideline_restore", request=None, responses={201: GuidelineSerializer})
    def post(self, request: Request, slug: str, number: int) -> Response:
        old = get_object_or_404(Guideline, campaign=self.campaign, number=number)
        published = guidelines.restore(old, signed_in_user(request))
        return Response(GuidelineSerializer(published).data, status=status.HTTP_201_CREATED)


class ReaderSerializer(serializers.ModelSerializer[Membership]):
    """Who rates in a campaign, and the newest version they have opened; null when none."""

    username = serializers.CharField(source="user.username")
    number = serializers.IntegerField(allow_null=True)
    read_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = Membership
        fields = ["username", "number", "read_at"]


class GuidelineReaders(InCampaign, generics.ListAPIView[Membership]):
    """List which version each rater has opened last."""

    action_for = {"GET": "manage"}
    serializer_class = ReaderSerializer
    queryset = Membership.objects.none()

    def get_queryset(self) -> QuerySet[Membership]:
        return guidelines.readers(self.campaign)


class RemindedSerializer(serializers.Serializer[Any]):
    """How many raters were asked."""

    told = serializers.IntegerField()


class RemindReaders(InCampaign):
    """Ask who hasn't opened the newest version to read it; 400 when there is nobody."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="guideline_remind", request=None, responses=RemindedSerializer)
    def post(self, request: Request, slug: str) -> Response:
        return Response({"told": guidelines.remind(self.campaign, signed_in_user(request))})


class UseSerializer(serializers.Serializer[Any]):
    """What else an example is used for."""

    use = serializers.ChoiceField(choices=Example.Use.choices)


class UseExample(InCampaign):
    """Use an example for something else as well; one that is there already is it."""

    action_for = {"POST": "manage"}

    @extend_schema(operation_id="example_use", request=UseSerializer, responses={201: ExampleSerializer})
    def post(self, request: Request, slug: str, pk: int) -> Response:
        example = get_object_or_404(self.campaign.examples.filter(retired=False), pk=pk)
        form = UseSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        used = examples.use_too(example, form.validated_data["use"], signed_in_user(request))
        return Response(ExampleSerializer(used).data, status=status.HTTP_201_CREATED)
