"""What a campaign's managers state of its data, which no row tells; cards and datasheets quote it."""

from typing import Any

from django.db import transaction

from accounts import audit
from accounts.models import User
from labeling.models import Campaign
from training.models import Statement

FIELDS = ("licence", "collected", "payment", "uses", "limits", "contact")


def of(campaign: Campaign) -> Statement:
    """Return what is stated of a campaign's data; nothing at all where nobody has."""
    return Statement.objects.filter(campaign=campaign).first() or Statement(campaign=campaign)


def change(campaign: Campaign, by: User, **said: Any) -> Statement:
    """State some of FIELDS anew and return all of it; ValidationError names what can't be."""
    stated = of(campaign)
    before = {name: getattr(stated, name) for name in said}
    for name, value in said.items():
        setattr(stated, name, value)
    stated.full_clean(exclude=["campaign"])
    with transaction.atomic():
        stated.save()
        fields = [name for name in said if said[name] != before[name]]
        audit.record(by, "state", campaign, fields=fields)
    return stated
