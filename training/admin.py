"""Snapshots and runs, to look at in the admin."""

from django.contrib import admin

from accounts.support import ReadOnlyAdmin
from training.models import Evaluation, Run, Snapshot


@admin.register(Snapshot)
class SnapshotAdmin(ReadOnlyAdmin):
    list_display = ["digest", "campaign", "created_at"]
    list_select_related = ["campaign"]


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = ["id", "campaign", "kind", "status", "attempts", "created_at"]
    list_filter = ["kind", "status"]
    list_select_related = ["campaign"]


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display = ["run", "passed", "created_at"]
    list_select_related = ["run"]
    list_filter = ["passed"]
