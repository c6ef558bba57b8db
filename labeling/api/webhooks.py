"""Webhooks over the API: those of one campaign, or those that are told of all campaigns."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import generics, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import webhooks
from accounts.roles import signed_in_user
from accounts.webhook_models import Webhook, WebhookDelivery
from labeling import announcing, members


class WebhookSerializer(serializers.ModelSerializer[Webhook]):
    """An address that is told of events; `paused_why` says why it isn't, where `active` is false."""

    events = serializers.ListField(child=serializers.ChoiceField(choices=list(webhooks.KINDS.items())))
    active = serializers.BooleanField(required=False)
    campaign = serializers.CharField(read_only=True)

    class Meta:
        model = Webhook
        fields = ["id", "url", "campaign", "events", "active", "paused_why", "rotated_at", "created_at"]
        read_only_fields = ["campaign", "paused_why", "rotated_at", "created_at"]


class SecretSerializer(serializers.Serializer[Any]):
    """The secret that signs, shown this once: `whsec_` and 24 bytes in base64."""

    id = serializers.IntegerField()
    secret = serializers.CharField()


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    """One event on its way: `event` is the id that the receiver gets with each attempt."""

    event = serializers.UUIDField(source="event_id")
    kind = serializers.CharField(source="event.kind")
    created_at = serializers.DateTimeField(source="event.created_at")

    class Meta:
        model = WebhookDelivery
        fields = [
            "id", "event", "kind", "status", "attempts", "next_attempt_at", "tried_at", "delivered_at",
            "answer_status", "answer", "error", "created_at",
        ]  # fmt: skip


class OfCampaign(generics.GenericAPIView[Any]):
    """A view of webhooks; without a campaign in the address, of those for all campaigns."""

    queryset = Webhook.objects.none()
    action_for: dict[str, str] = {}  # webhook_urls says: "manage" in a campaign, "administer" for all

    @property
    def slug(self) -> str:
        given = self.kwargs.get("slug", "")
        return members.named(self.request, given).slug if given else ""

    def webhook(self) -> Webhook:
        return get_object_or_404(webhooks.of(self.slug), pk=self.kwargs["pk"])


class Webhooks(OfCampaign, generics.ListAPIView[Webhook]):
    """List webhooks, or add one and get its secret."""

    serializer_class = WebhookSerializer

    def get_queryset(self) -> QuerySet[Webhook]:
        return webhooks.of(self.slug)

    @extend_schema(request=WebhookSerializer, responses={201: SecretSerializer})
    def post(self, request: Request, **_: Any) -> Response:
        slug = self.slug
        form = WebhookSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        said = form.validated_data
        made, secret = webhooks.add(slug, said["url"], said["events"], by=signed_in_user(request))
        announcing.begin(made)
        answer = {"id": made.pk, "secret": secret}
        return Response(answer, status=status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})


class OneWebhook(OfCampaign):
    """Show a webhook, change it (active: false pauses it), or remove it."""

    serializer_class = WebhookSerializer

    def get(self, request: Request, **_: Any) -> Response:
        return Response(WebhookSerializer(self.webhook()).data)

    def patch(self, request: Request, **_: Any) -> Response:
        webhook = self.webhook()
        form = WebhookSerializer(webhook, data=request.data, partial=True)
        form.is_valid(raise_exception=True)
        changed = webhooks.change(webhook, by=signed_in_user(request), **form.validated_data)
        return Response(WebhookSerializer(changed).data)

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: Request, **_: Any) -> Response:
        webhooks.remove(self.webhook(), by=signed_in_user(request))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TestWebhook(OfCampaign):
    """Send a webhook an event of kind `test`; how it went is among its deliveries within seconds."""

    serializer_class = DeliverySerializer

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, **_: Any) -> Response:
        delivery = webhooks.test(self.webhook(), by=signed_in_user(request))
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)


class RotateSecret(OfCampaign):
    """Give a webhook a new secret; the one before signs beside it for a day."""

    serializer_class = SecretSerializer

    @extend_schema(request=None, responses=SecretSerializer)
    def post(self, request: Request, **_: Any) -> Response:
        webhook = self.webhook()
        secret = webhooks.rotate(webhook, by=signed_in_user(request))
        return Response({"id": webhook.pk, "secret": secret}, headers={"Cache-Control": "no-store"})


class Deliveries(OfCampaign, generics.ListAPIView[WebhookDelivery]):
    """List what a webhook was told, the newest first, and how it went."""

    serializer_class = DeliverySerializer

    def get_queryset(self) -> QuerySet[WebhookDelivery]:
        return self.webhook().deliveries.select_related("event").order_by("-pk")


class RetryDelivery(OfCampaign):
    """Send a delivery now; 409 where the receiver has acknowledged it, since it is never sent again."""

    serializer_class = DeliverySerializer

    @extend_schema(request=None, responses={202: DeliverySerializer})
    def post(self, request: Request, delivery: int, **_: Any) -> Response:
        found = get_object_or_404(self.webhook().deliveries.select_related("event", "webhook"), pk=delivery)
        webhooks.retry(found, by=signed_in_user(request))
        return Response(DeliverySerializer(found).data, status=status.HTTP_202_ACCEPTED)
