"""The audit log over the API."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers

from accounts import audit
from accounts.models import AuditEvent
from accounts.roles import signed_in_user


class EventSerializer(serializers.ModelSerializer[AuditEvent]):
    """Who changed what, when and from where; where a setting changed, `detail` has before and after."""

    who = serializers.SlugRelatedField[Any](
        source="actor", read_only=True, allow_null=True, slug_field="username"
    )
    what = serializers.CharField(source="action", read_only=True)
    # the slug of one; empty for what concerns the whole installation, which no slug's pattern allows
    campaign = serializers.CharField(read_only=True)
    detail = serializers.DictField(read_only=True)

    class Meta:
        model = AuditEvent
        fields = ["id", "created_at", "who", "what", "target", "campaign", "address", "detail"]
        read_only_fields = ["created_at", "target", "address"]


class WhichSerializer(serializers.Serializer[AuditEvent]):
    """Which events are listed: of a person, of an action, of a campaign, from a day to a day (both in it)."""

    who = serializers.CharField(required=False, max_length=150)
    what = serializers.CharField(required=False, max_length=60)
    campaign = serializers.SlugField(required=False, max_length=60)
    since = serializers.DateField(required=False)
    until = serializers.DateField(required=False)


@extend_schema_view(get=extend_schema(operation_id="audit_list", parameters=[WhichSerializer]))
class Events(generics.ListAPIView[AuditEvent]):
    """List who changed what, newest first; who manages single campaigns sees what concerns these."""

    action_for = {"GET": "manage"}
    serializer_class = EventSerializer
    queryset = AuditEvent.objects.none()

    def get_queryset(self) -> QuerySet[AuditEvent]:
        which = WhichSerializer(data=self.request.query_params)
        which.is_valid(raise_exception=True)
        visible = audit.visible_to(signed_in_user(self.request))
        return audit.chosen(visible, which.validated_data).order_by("-pk")
