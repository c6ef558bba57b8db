"""People and the audit log in the admin, for superusers."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from accounts.models import AuditEvent, Skill, User
from accounts.support import QuickPaginator, ReadOnlyAdmin

if TYPE_CHECKING:
    TypedUserAdmin = UserAdmin[User]
else:
    TypedUserAdmin = UserAdmin


@admin.register(User)
class PersonAdmin(TypedUserAdmin):
    list_display = ["username", "role", "pseudonym", "is_active", "imported", "simulated"]
    list_filter = ["role", "is_active", "imported", "simulated"]
    search_fields = ["username__startswith", "pseudonym__exact"]
    show_full_result_count = False
    paginator = QuickPaginator
    fieldsets = [
        (None, {"fields": ["username", "password", "email"]}),
        ("Touchstone", {"fields": ["role", "skills", "pseudonym", "is_active", "is_staff", "is_superuser"]}),
    ]
    readonly_fields = ["pseudonym"]


admin.site.register(Skill)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "actor", "action", "target"]
    list_select_related = ["actor"]
    search_fields = ["target__exact", "action__exact"]
