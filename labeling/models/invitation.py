"""Links that let people in, and who came by them."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Role


class Invitation(models.Model):
    """A link that makes whoever opens it somebody; only the SHA-256 of its token is kept."""

    digest = models.CharField(max_length=64, unique=True)
    # In a campaign it is what they are there; without one, what they are everywhere.
    role = models.CharField(_("Role"), max_length=12, choices=Role.choices, default=Role.RATER)
    campaign = models.ForeignKey(
        "labeling.Campaign", null=True, blank=True, on_delete=models.CASCADE, related_name="invitations"
    )
    pool = models.ForeignKey(
        "accounts.Pool", null=True, blank=True, on_delete=models.CASCADE, related_name="invitations"
    )
    skills = models.ManyToManyField("accounts.Skill", blank=True, related_name="+")
    # Whom it is for, where it is one person's.
    name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    uses = models.PositiveIntegerField(default=1)
    used = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=F("uses")), name="invitation_used_within_uses"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="invitation_role_known"),
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"


class Arrival(models.Model):
    """Somebody came by an invitation."""

    invitation = models.ForeignKey(Invitation, on_delete=models.CASCADE, related_name="arrivals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="arrivals")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["invitation", "user"], name="arrival_once")]

    def __str__(self) -> str:
        return f"{self.user} by {self.invitation}"
