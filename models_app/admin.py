"""Models and promotions, to look at in the admin."""

from django.contrib import admin

from accounts.support import ReadOnlyAdmin
from models_app.models import ModelVersion, Promotion


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["name", "family", "kind", "backend", "status", "created_at"]
    list_filter = ["kind", "status", "backend"]
    search_fields = ["family__exact"]


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "version", "previous", "by", "reason"]
    list_select_related = ["version", "previous", "by"]
