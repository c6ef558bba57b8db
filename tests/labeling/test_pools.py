"""Pools: their people rate in the campaigns that take them, whenever they join."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEvent
from labeling import pools
from labeling.models import Membership
from tests.cast import make_campaign, make_user

pytestmark = pytest.mark.django_db


def raters(campaign):
    return sorted(campaign.memberships.values_list("user__username", flat=True))


def test_a_pool_brings_its_people_and_those_who_join_later(mara, manager):
    campaign = make_campaign(by=manager)
    make_user(username="rafi"), make_user(username="rosa")
    mara.post(reverse("pools"), {"name": "Night  shift"})
    pool = manager._meta.get_field("pools").related_model.objects.get(name="Night shift")
    mara.post(reverse("pool", args=[pool.pk]), {"usernames": "rafi"})
    mara.post(reverse("use_pool", args=[campaign.slug]), {"pool": pool.pk})
    assert raters(campaign) == ["rafi"]
    mara.post(reverse("pool", args=[pool.pk]), {"usernames": "rosa, rafi"})
    assert raters(campaign) == ["rafi", "rosa"]
    assert "rosa" in mara.get(reverse("pool", args=[pool.pk])).text
    actions = list(AuditEvent.objects.order_by("pk").values_list("action", flat=True))[1:]
    assert actions[-5:] == ["join pool", "use pool", "add raters", "join pool", "add raters"]


def test_leaving_a_pool_leaves_the_campaigns_only_where_asked(mara, manager):
    people = [make_user() for _ in range(3)]
    campaign, pool, other = make_campaign(by=manager), pools.create("A", manager), pools.create("B", manager)
    for each in (pool, other):
        pools.use(campaign, each, manager)
    pools.join(pool, people, manager)
    pools.join(other, people[2:], manager)
    mara.post(reverse("leave_pool", args=[pool.pk, people[0].pk]))
    mara.post(reverse("leave_pool", args=[pool.pk, people[1].pk]), {"campaigns": "on"})
    mara.post(reverse("leave_pool", args=[pool.pk, people[2].pk]), {"campaigns": "on"})
    assert raters(campaign) == sorted([people[0].username, people[2].username])  # B has the third
    mara.post(reverse("drop_pool", args=[campaign.slug, other.pk]), {"members": "on"})
    assert raters(campaign) == [people[0].username]
    mara.post(reverse("delete_pool", args=[pool.pk]))
    assert raters(campaign) == [people[0].username]


def test_an_unknown_name_puts_nobody_in(manager):
    make_user(username="rafi")
    pool = pools.create("A", manager)
    with pytest.raises(ValidationError, match="nobody, noone"):
        pools.join_named(pool, ["rafi", "nobody", "noone"], manager)
    assert not pool.members.exists()
    with pytest.raises(ValidationError, match="already exists"):
        pools.create("A", manager)


def test_pools_are_listed_in_a_fixed_number_of_queries(mara, manager, django_assert_num_queries):
    for name in "ABCDE":
        pools.join(pools.create(name, manager), [make_user()], manager)
    mara.get(reverse("pools"))
    with django_assert_num_queries(3):
        mara.get(reverse("pools"))


def test_a_campaigns_own_manager_is_offered_no_pools(manager):
    campaign, pool, lead = make_campaign(by=manager), pools.create("Night shift", manager), make_user()
    Membership.objects.create(campaign=campaign, user=lead, role="manager")
    mara = Client()
    mara.force_login(lead)
    page = mara.get(reverse("campaign_raters", args=[campaign.slug]), {"find": "r"})
    assert (page.status_code, "Night shift" in page.text) == (200, False)
    mara.post(reverse("use_pool", args=[campaign.slug]), {"pool": pool.pk})
    api, body = reverse("api_campaign_pools", args=[campaign.slug]), {"pool": pool.pk}
    answer = mara.post(api, body, content_type="application/json")
    assert (answer.status_code, campaign.pools.count()) == (400, 0)
