"""People come by links and lists: once each, for a time, and with what the link gives."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEvent, User
from labeling import invitation_lists, invitations, pools
from labeling.models import Arrival, Invitation, Membership
from tests.cast import make_campaign, make_user

pytestmark = pytest.mark.django_db
NEW = {"username": "nina", "password": "three plain words", "email": ""}


@pytest.fixture
def campaign(manager):
    return make_campaign(by=manager)


def sign_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def role_in(campaign, user):
    return Membership.objects.get(campaign=campaign, user=user).role


def test_a_link_makes_somebody_a_rater_of_the_campaign_with_pool_and_skills(manager, campaign):
    pool = pools.create("Night shift", manager)
    other = make_campaign(by=manager)
    pools.use(other, pool, manager)
    page = sign_in(manager).post(
        reverse("campaign_invitations", args=[campaign.slug]),
        {"make": "link", "link-role": "rater", "link-uses": 1, "link-days": 3, "link-pool": pool.pk,
         "link-skills": "Arabic, medicine"},
    )  # fmt: skip
    [(invitation, link)] = page.context["made"]
    token = link.rstrip("/").rsplit("/", 1)[1]
    assert link in page.text
    assert page["Cache-Control"] == "no-store"
    assert token not in str(Invitation.objects.values())

    nina = Client()
    assert campaign.name in nina.get(link).text
    assert nina.post(link, NEW)["Location"] == reverse("home")
    user = User.objects.get(username="nina")
    assert nina.get(reverse("home")).context["user"] == user
    assert (user.role, role_in(campaign, user), role_in(other, user)) == ("rater", "rater", "rater")
    assert sorted(user.skills.values_list("name", flat=True)) == ["arabic", "medicine"]
    assert list(pool.members.all()) == [user]
    assert Arrival.objects.get(invitation=invitation).user == user
    assert "nina" in sign_in(manager).get(reverse("campaign_invitations", args=[campaign.slug])).text
    assert AuditEvent.objects.filter(action="come by link", actor=user).exists()
    again = Client().get(link)
    assert again.status_code == 404
    assert "has been used up" in again.text


def test_who_is_here_already_joins_and_uses_it_once(manager, campaign):
    rafi = make_user(username="rafi")
    _invitation, token = invitations.offer(manager, campaign=campaign, role="researcher", uses=2)
    client, link = sign_in(rafi), reverse("join", args=[token])
    assert "You are signed in as" in client.get(link).text
    client.post(link)
    client.post(link)
    assert role_in(campaign, rafi) == "researcher"
    assert Invitation.objects.get().used == 1
    rafi.refresh_from_db()
    assert rafi.role == "rater"


@pytest.mark.parametrize("end", ["revoked", "expired", "its maker is kept out"])
def test_a_link_that_ended_lets_nobody_in(manager, campaign, end):
    invitation, token = invitations.offer(manager, campaign=campaign)
    if end == "revoked":
        other = make_campaign(by=manager)
        away = reverse("revoke_campaign_invitation", args=[other.slug, invitation.pk])
        assert sign_in(manager).post(away).status_code == 404
        sign_in(manager).post(reverse("revoke_campaign_invitation", args=[campaign.slug, invitation.pk]))
    elif end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        User.objects.filter(pk=manager.pk).update(is_active=False)
    with pytest.raises(ValidationError):
        invitations.arrive(token, username="nina", password="three plain words")
    assert not User.objects.filter(username="nina").exists()
    assert Client().get(reverse("join", args=[token])).status_code == 404


def test_what_a_newcomer_says_wrongly_is_told_beside_its_field_and_uses_nothing(manager, campaign):
    _invitation, token = invitations.offer(manager, campaign=campaign)
    for field, value in (("username", "mara"), ("username", "not a name"), ("password", "short")):
        page = Client().post(reverse("join", args=[token]), {**NEW, field: value})
        assert page.status_code == 400
        assert list(page.context["form"].errors) == [field]
    assert (Invitation.objects.get().used, User.objects.filter(username="nina").count()) == (0, 0)


def test_a_campaigns_manager_gives_roles_there_and_none_elsewhere(campaign):
    lead = make_user(username="lead")
    Membership.objects.create(campaign=campaign, user=lead, role="manager")
    client = sign_in(User.objects.get(pk=lead.pk))
    assert client.get(reverse("invitations")).status_code == 403
    page = client.get(reverse("campaign_invitations", args=[campaign.slug]))
    assert page.status_code == 200
    assert "pool" not in page.context["link"].fields
    _invitation, token = invitations.offer(lead, campaign=campaign, role="manager")
    user = invitations.arrive(token, username="nina", password="three plain words")
    assert (user.role, role_in(campaign, user)) == ("rater", "manager")


LIST = """name;email;languages
Rosa Luz;rosa@example.org;spanish english
;omar@example.org;arabic
Ann;;
"""


def test_a_list_gives_each_a_link_of_their_own_and_mails_it(manager, campaign, settings):
    settings.EMAIL_HOST = "mail.example.org"
    page = sign_in(manager).post(
        reverse("campaign_invitations", args=[campaign.slug]),
        {"make": "list", "list-role": "rater", "list-days": 14, "list-people": LIST, "list-mail": "on"},
    )
    assert [i.name or i.email for i, _link in page.context["made"]] == ["Rosa Luz", "omar@example.org", "Ann"]
    assert len({link for _i, link in page.context["made"]}) == 3
    assert [letter.to for letter in mail.outbox] == [["rosa@example.org"], ["omar@example.org"]]
    link = re.search(r"http://testserver(\S+)", mail.outbox[1].body)
    assert link is not None
    form = Client().get(link[1])
    assert form.context["form"].initial["email"] == "omar@example.org"
    Client().post(link[1], {**NEW, "username": "omar", "email": "omar@example.org"})
    assert list(User.objects.get(username="omar").skills.values_list("name", flat=True)) == ["arabic"]


def test_a_campaigns_name_forges_no_header(campaign, settings):
    settings.EMAIL_HOST = "mail.example.org"
    campaign.name = "Recipes\nBcc: eve@evil.example"
    assert invitation_lists.send([("rosa@example.org", "https://x/")], campaign) == []
    assert mail.outbox[0].recipients() == ["rosa@example.org"]
    assert mail.outbox[0].subject.endswith("Recipes Bcc: eve@evil.example")


def test_a_list_without_heads_is_read_by_what_it_holds():
    lines, problems = invitation_lists.read(
        "Rosa Luz, rosa@example.org, spanish english\nomar@example.org\nAnn"
    )
    assert problems == []
    assert [(line.name, line.email, line.skills) for line in lines] == [
        ("Rosa Luz", "rosa@example.org", ("spanish", "english")),
        ("", "omar@example.org", ()),
        ("Ann", "", ()),
    ]


def test_a_list_with_a_wrong_line_invites_nobody(manager, campaign):
    make_user(username="rafi", email="rafi@example.org")
    people = (
        "Rosa, rosa@example, x\nOmar, omar@example.org\nOmar2, OMAR@example.org\nR, Rafi@example.org\nA,,y$\n"
    )
    page = sign_in(manager).post(
        reverse("campaign_invitations", args=[campaign.slug]),
        {"make": "list", "list-role": "rater", "list-days": 14, "list-people": people},
    )
    assert page.status_code == 400
    errors = page.context["list"].errors["people"]
    assert [error.split(":")[0] for error in errors] == ["Line 1", "Line 3", "Line 4", "Line 5"]
    assert not Invitation.objects.exists()


def test_invitations_are_listed_in_a_fixed_number_of_queries(
    manager, campaign, django_assert_max_num_queries
):
    for number in range(6):
        _invitation, token = invitations.offer(manager, campaign=campaign, skills=["arabic"])
        invitations.arrive(token, username=f"new{number}", password="three plain words")
    client, address = sign_in(manager), reverse("campaign_invitations", args=[campaign.slug])
    client.get(address)
    with django_assert_max_num_queries(9):
        assert client.get(address).text.count("new") >= 6
