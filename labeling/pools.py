"""Pools: named groups of people, whom campaigns take as their raters, those who join later too."""

from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit
from accounts.models import Pool, Role, User
from accounts.roles import can
from labeling import assignment
from labeling.models import Campaign, Membership, Slot


def usable_by(user: User) -> QuerySet[Pool]:
    """Return the pools that somebody may find people by, take and give: who administers, all; else none."""
    return Pool.objects.order_by("name") if can(user, "administer") else Pool.objects.none()


def create(name: str, by: User) -> Pool:
    """Make an empty pool; ValidationError names a bad field."""
    pool = Pool(name=" ".join(name.split()), created_by=by)
    pool.full_clean()
    with transaction.atomic():
        pool.save(force_insert=True)
        audit.record(by, "create pool", pool, name=pool.name)
    return pool


def delete(pool: Pool, by: User) -> None:
    """Dissolve a pool; its people, and what they are members of, stay."""
    with transaction.atomic():
        audit.record(by, "delete pool", pool, name=pool.name, members=pool.members.count())
        pool.delete()


def join(pool: Pool, users: Iterable[User], by: User) -> int:
    """Put people into a pool, and so into its campaigns; return how many are new to it."""
    with transaction.atomic():
        Pool.objects.select_for_update().get(pk=pool.pk)
        there = set(pool.members.values_list("pk", flat=True))
        new = [user for user in users if user.pk not in there]
        pool.members.add(*new)
        if new:
            audit.record(by, "join pool", pool, people=[user.username for user in new])
        for campaign in pool.campaigns.order_by("pk"):
            _let_rate(campaign, pool, new, by)
    return len(new)


def join_named(pool: Pool, usernames: Iterable[str], by: User) -> int:
    """Put people into a pool by their user names, all or, where one is unknown, nobody."""
    names = list(dict.fromkeys(name.strip() for name in usernames if name.strip()))
    users = list(User.objects.filter(username__in=names, imported=False, simulated=False, is_active=True))
    unknown = sorted(set(names) - {user.username for user in users})
    if unknown:
        message = ngettext(
            "Nobody is called %(names)s.", "Nobody has these user names: %(names)s.", len(unknown)
        )
        raise ValidationError({"usernames": message % {"names": ", ".join(unknown[:20])}})
    if not users:
        raise ValidationError({"usernames": _("Name at least one person.")})
    return join(pool, users, by)


def leave(pool: Pool, user: User, by: User, *, campaigns: bool = False) -> None:
    """Take somebody out of a pool; with `campaigns`, out of the campaigns that have it, as raters, too."""
    with transaction.atomic():
        if not pool.members.filter(pk=user.pk).exists():
            return
        pool.members.remove(user)
        audit.record(by, "leave pool", pool, person=user.username, campaigns=campaigns)
        if campaigns:
            for campaign in pool.campaigns.order_by("pk"):
                _let_go(campaign, pool, [user], by)


def use(campaign: Campaign, pool: Pool, by: User) -> int:
    """Have a pool's people rate in a campaign, from now on; return how many are new to it."""
    with transaction.atomic():
        Pool.objects.select_for_update().get(pk=pool.pk)
        if not campaign.pools.filter(pk=pool.pk).exists():
            campaign.pools.add(pool)
            audit.record(by, "use pool", campaign, pool=pool.name)
        return _let_rate(campaign, pool, pool.members.filter(is_active=True), by)


def drop(campaign: Campaign, pool: Pool, by: User, *, members: bool = False) -> None:
    """Take a pool from a campaign; with `members`, also its people, but those of its other pools."""
    with transaction.atomic():
        if not campaign.pools.filter(pk=pool.pk).exists():
            return
        campaign.pools.remove(pool)
        audit.record(by, "drop pool", campaign, pool=pool.name, members=members)
        if members:
            _let_go(campaign, pool, pool.members.all(), by)


def _let_rate(campaign: Campaign, pool: Pool, users: Iterable[User], by: User) -> int:
    people = {user.pk: user for user in users}
    there = set(campaign.memberships.filter(user__in=people).values_list("user", flat=True))
    new = [user for pk, user in people.items() if pk not in there]
    Membership.objects.bulk_create(
        (Membership(campaign=campaign, user=user) for user in new), ignore_conflicts=True
    )
    if new:
        audit.record(by, "add raters", campaign, pool=pool.name, raters=[user.username for user in new])
    return len(new)


def _let_go(campaign: Campaign, pool: Pool, users: Iterable[User], by: User) -> None:
    elsewhere = campaign.pools.exclude(pk=pool.pk).values("members")
    gone = campaign.memberships.filter(user__in=list(users), role=Role.RATER)
    gone = gone.exclude(user__in=elsewhere.exclude(members=None)).select_related("user")
    people = [membership.user for membership in gone]
    campaign.memberships.filter(user__in=people, role=Role.RATER).delete()
    assignment.unreserve(Slot.objects.filter(campaign=campaign, reserved_for__in=people))
    if people:
        audit.record(by, "remove raters", campaign, pool=pool.name, raters=[p.username for p in people])
