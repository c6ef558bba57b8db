"""People and the audit log in the admin, for superusers."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest

from accounts.models import AuditEvent, Skill, User

if TYPE_CHECKING:
    AnyAdmin = admin.ModelAdmin[Any]
    TypedUserAdmin = UserAdmin[User]
else:
    AnyAdmin, TypedUserAdmin = admin.ModelAdmin, UserAdmin


class ReadOnlyAdmin(AnyAdmin):
    """Look, don't touch: changes go through the domain's verbs, which check and record them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(TypedUserAdmin):
    list_display = ["username", "role", "pseudonym", "is_active", "imported", "simulated"]
    list_filter = ["role", "is_active", "imported", "simulated"]
    fieldsets = [
        (None, {"fields": ["username", "password", "email"]}),
        ("Touchstone", {"fields": ["role", "skills", "pseudonym", "is_active", "is_staff", "is_superuser"]}),
    ]
    readonly_fields = ["pseudonym"]


admin.site.register(Skill)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "actor", "action", "target"]
    list_filter = ["action"]
