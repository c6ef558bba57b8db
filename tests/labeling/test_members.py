"""Roles of one campaign: who gets them, what they allow, and what they don't."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent, Role, User
from labeling import assignment, campaigns, members
from labeling.members import MemberError
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER)


@pytest.fixture
def campaign(manager):
    return make_campaign(by=manager)


def signed_in(person):
    client = Client()
    client.force_login(person)
    return client


def roles_of(person):
    return User.objects.get(pk=person.pk).campaign_roles


def test_a_role_lies_beside_the_person_as_long_as_the_membership_says_so(campaign, manager):
    person = make_user()
    members.give_role(campaign, person, Role.MANAGER, manager)
    assert roles_of(person) == {campaign.slug: "manager"}
    members.give_role(campaign, person, Role.RESEARCHER, manager)
    assert roles_of(person) == {campaign.slug: "researcher"}
    members.give_role(campaign, person, Role.RATER, manager)
    assert roles_of(person) == {}
    members.give_role(campaign, person, Role.MANAGER, manager)
    campaigns.remove_rater(campaign, person, manager)
    assert roles_of(person) == {}
    members.give_role(campaign, person, Role.MANAGER, manager)
    campaign.delete()
    assert roles_of(person) == {}


def test_each_change_of_a_role_is_noted_with_what_it_was(campaign, manager):
    person = make_user()
    for role in (Role.RATER, Role.MANAGER, Role.MANAGER):
        members.give_role(campaign, person, role, manager)
    events = AuditEvent.objects.filter(action="give campaign role").order_by("pk")
    assert [(e.detail["before"], e.detail["after"]) for e in events] == [("", "rater"), ("rater", "manager")]
    assert {event.campaign for event in events} == {campaign.slug}


def test_lists_show_only_ones_own_campaigns(campaign, manager):
    keeper = make_user()
    other = make_campaign(by=manager)
    members.give_role(campaign, keeper, Role.MANAGER, manager)
    client = signed_in(keeper)
    for name in ("campaigns", "leaderboards", "snapshots"):
        page = client.get(reverse(name)).text
        assert campaign.name in page
        assert other.name not in page
    assert reverse("new_campaign") not in client.get(reverse("campaigns")).text


def test_a_researcher_of_one_campaign_and_manager_of_another_is_told_which_is_which(campaign, manager):
    person = make_user()
    managed = make_campaign(by=manager)
    members.give_role(campaign, person, Role.RESEARCHER, manager)
    members.give_role(managed, person, Role.MANAGER, manager)
    client = signed_in(person)
    assert client.get(reverse("campaign_settings", args=[managed.slug])).status_code == 200
    assert client.get(reverse("campaign_settings", args=[campaign.slug])).status_code == 403
    give = reverse("give_role", args=[campaign.slug])
    assert give not in client.get(reverse("campaign_raters", args=[campaign.slug])).text
    assert (
        reverse("give_role", args=[managed.slug])
        in client.get(reverse("campaign_raters", args=[managed.slug])).text
    )


def test_a_campaigns_manager_rates_in_it_and_its_researcher_does_not(campaign, manager):
    make_open_round(campaign, comparisons=2)
    keeper, guest = make_user(), make_user()
    members.give_role(campaign, keeper, Role.MANAGER, manager)
    members.give_role(campaign, guest, Role.RESEARCHER, manager)
    assert assignment.claim(keeper, campaign) is not None
    assert assignment.claim(guest, campaign) is None
    assert [work["slug"] for work in signed_in(guest).get(reverse("api_rate")).json()["results"]] == []


def test_who_has_a_role_is_known_without_another_statement(campaign, manager):
    person = make_user()
    client = signed_in(person)
    url = reverse("home")
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as before:
        client.get(url)
    members.give_role(make_campaign(by=manager), person, Role.RESEARCHER, manager)
    with CaptureQueriesContext(connection) as after:
        assert client.get(reverse("settings")).status_code == 200
    assert len(after) <= len(before)


def test_the_page_gives_roles_and_takes_them_away(campaign, manager):
    person = make_user()
    client = signed_in(manager)
    give = reverse("give_role", args=[campaign.slug])
    page = client.post(give, {"username": person.username, "role": "researcher"}, follow=True)
    assert f"{person.username} is in this campaign: Researcher." in page.text
    client.post(reverse("remove_rater", args=[campaign.slug, person.pk]))
    assert not campaign.memberships.exists()
    refused = client.post(give, {"username": person.username, "role": "king"}, follow=True)
    assert "“king” is no role" in refused.text
    assert "Choose somebody" in client.post(give, {"username": "nobody-here"}, follow=True).text


def test_only_people_who_sign_in_can_have_a_role(campaign, manager):
    with pytest.raises(MemberError, match="sign in"):
        members.give_role(campaign, make_user(imported=True), Role.MANAGER, manager)


def test_the_api_gives_roles_and_lists_them(campaign, manager):
    person = make_user()
    client = signed_in(manager)
    url = reverse("api_member", args=[campaign.slug, person.username])
    given = client.put(url, {"role": "manager"}, content_type="application/json")
    assert given.json()["role"] == "manager"
    listed = client.get(reverse("api_members", args=[campaign.slug])).json()["results"]
    assert [(row["username"], row["role"]) for row in listed] == [(person.username, "manager")]
    refused = client.put(url, {"role": "king"}, content_type="application/json")
    assert list(refused.json()) == ["role"]


def test_a_copy_keeps_everybodys_role(campaign, manager):
    rater, keeper = make_user(), make_user()
    campaigns.add_rater(campaign, rater, manager)
    members.give_role(campaign, keeper, Role.MANAGER, manager)
    other = make_campaign(by=manager)
    members.copy(campaign, other, manager)
    assert dict(other.memberships.values_list("user", "role")) == {rater.pk: "rater", keeper.pk: "manager"}
    assert roles_of(keeper) == {campaign.slug: "manager", other.slug: "manager"}
