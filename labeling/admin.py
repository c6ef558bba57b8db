"""Campaigns and what was said in them, to look at in the admin."""

from django.contrib import admin

from accounts.support import ReadOnlyAdmin
from labeling.models import Campaign, Edit, Judgment, Prompt, Response, Round, Task


@admin.register(Campaign)
class CampaignAdmin(ReadOnlyAdmin):
    list_display = ["slug", "name", "status", "created_at"]
    list_filter = ["status"]
    search_fields = ["slug__startswith"]


@admin.register(Round)
class RoundAdmin(ReadOnlyAdmin):
    list_display = ["campaign", "number", "origin", "status", "created_at"]
    list_filter = ["status", "origin"]
    list_select_related = ["campaign"]


@admin.register(Prompt)
class PromptAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "split", "created_at"]
    search_fields = ["campaign__slug__exact"]
    list_select_related = ["campaign"]


@admin.register(Response)
class ResponseAdmin(ReadOnlyAdmin):
    list_display = ["id", "policy", "origin", "created_at"]
    list_select_related = ["policy"]


@admin.register(Task)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "kind", "status", "overlap", "counted"]
    list_select_related = ["campaign"]


@admin.register(Judgment)
class JudgmentAdmin(ReadOnlyAdmin):
    list_display = ["id", "task", "rater", "verdict", "extra", "withdrawn", "created_at"]
    list_select_related = ["task", "rater"]
    search_fields = ["rater__username__exact"]


@admin.register(Edit)
class EditAdmin(ReadOnlyAdmin):
    list_display = ["id", "task", "rater", "distance", "extra", "withdrawn", "created_at"]
    list_select_related = ["task", "rater"]
    search_fields = ["rater__username__exact"]
