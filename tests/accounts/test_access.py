"""Tokens that may less than their owners, limits, and the audit log's addresses."""

import csv
from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from accounts import audit, limits, people, roles, tokens, whence
from accounts.models import ApiToken, AuditEvent, Role
from labeling import campaigns, members
from tests.cast import make_campaign, make_user

pytestmark = pytest.mark.django_db


def by_token(user, **limits):
    secret = tokens.issue(user, "script", **limits)
    return Client(headers={"Authorization": f"Token {secret}"})


def test_a_token_does_what_its_scopes_say_and_names_the_one_it_lacks():
    manager = make_user(Role.MANAGER)
    campaign = make_campaign(by=manager)
    client = by_token(manager, scopes=["view_campaigns"])
    url = reverse("api_campaign", args=[campaign.slug])
    assert client.get(url).status_code == 200
    refused = client.patch(url, {"overlap": 3}, content_type="application/json")
    assert refused.status_code == 403
    assert "“manage”" in refused.json()["detail"]


def test_a_token_of_one_campaign_finds_no_other():
    manager = make_user(Role.MANAGER)
    here, there = make_campaign(by=manager), make_campaign(by=manager)
    client = by_token(manager, campaign=here.slug)
    assert client.get(reverse("api_campaign", args=[here.slug])).status_code == 200
    assert client.get(reverse("api_campaign", args=[there.slug])).status_code == 404
    assert [row["slug"] for row in client.get(reverse("api_campaigns")).json()["results"]] == [here.slug]
    new = client.post(reverse("api_campaigns"), {"name": "New"}, content_type="application/json")
    assert new.status_code == 403
    assert client.get(reverse("api_people")).status_code == 403


def test_a_raters_token_of_one_campaign_rates_there_alone():
    rater, manager = make_user(), make_user(Role.MANAGER)
    here, there = (make_campaign(by=manager, raters=(rater,)) for _ in range(2))
    client = by_token(rater, scopes=["rate"], campaign=here.slug)
    assert [row["slug"] for row in client.get(reverse("api_rate")).json()["results"]] == [here.slug]
    assert client.post(reverse("api_next", args=[here.slug])).status_code == 204
    assert client.post(reverse("api_next", args=[there.slug])).status_code == 404


def test_a_token_ends_by_itself():
    manager = make_user(Role.MANAGER)
    client = by_token(manager, days=1)
    assert client.get(reverse("api_me")).status_code == 200
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(reverse("api_me")).status_code == 401


def test_a_limited_token_makes_no_others():
    client = by_token(make_user(Role.MANAGER), scopes=["own_account"])
    made = client.post(reverse("api_tokens"), {"name": "more"}, content_type="application/json")
    assert made.status_code == 403
    assert ApiToken.objects.count() == 1


@pytest.mark.parametrize(
    ("said", "field"),
    [({"scopes": ["fly"]}, "scopes"), ({"campaign": "none"}, "campaign"), ({"days": 0}, "days")],
)
def test_a_wrong_limit_is_refused_by_its_name(said, field):
    client = by_token(make_user(Role.MANAGER))
    answer = client.post(reverse("api_tokens"), {"name": "x", **said}, content_type="application/json")
    assert answer.status_code == 400
    assert list(answer.json()) == [field]


def test_the_page_issues_a_limited_token_and_shows_its_limits():
    rater = make_user()
    client = Client()
    client.force_login(rater)
    campaign = make_campaign(by=make_user(Role.MANAGER), raters=(rater,))
    said = {"name": "bot", "scopes": ["rate"], "campaign": campaign.slug, "days": 30}
    page = client.post(reverse("tokens"), said)
    assert "tst_" in page.text
    assert f"only in {campaign.slug}" in page.text
    token = ApiToken.objects.get()
    assert (token.scopes, token.campaign) == (["rate"], campaign.slug)
    assert client.post(reverse("tokens"), {**said, "scopes": ["manage"]}).context["form"].errors["scopes"]


def test_too_many_requests_are_told_when_to_go_on(settings, monkeypatch):
    cache.clear()
    settings.RATE_LIMITS = {"reading": 2}
    monkeypatch.setattr(limits, "clock", lambda: 6_000_000_030.0)
    one, other = make_user(), make_user()
    clients = [by_token(one), by_token(other)]
    url = reverse("api_me")
    assert [clients[0].get(url).status_code for _ in range(3)] == [200, 200, 429]
    late = clients[0].get(url)
    assert late["Retry-After"] == "30"
    assert clients[1].get(url).status_code == 200
    monkeypatch.setattr(limits, "clock", lambda: 6_000_000_061.0)
    assert clients[0].get(url).status_code == 200


def test_signed_links_are_limited_by_address(settings, monkeypatch):
    cache.clear()
    settings.RATE_LIMITS = {"links": 1}
    monkeypatch.setattr(limits, "clock", lambda: 6_100_000_000.0)
    url = reverse("signed_download", args=["1.false"])
    assert [Client().get(url).status_code for _ in range(2)] == [404, 429]
    assert Client(REMOTE_ADDR="192.0.2.9").get(url).status_code == 404


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, "203.0.113.7", "192.0.2.1"),
        (1, "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (2, "198.51.100.1, 203.0.113.7", "198.51.100.1"),
        (1, "", "192.0.2.1"),
        (1, "nonsense", None),
    ],
)
def test_an_address_is_believed_as_far_as_proxies_of_ours_wrote_it(settings, proxies, forwarded, found):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded})
    assert whence.address_of(request) == found


def test_the_audit_log_says_who_what_where_and_from_where():
    manager = make_user(Role.MANAGER)
    campaign = make_campaign(by=manager)
    client = Client(REMOTE_ADDR="192.0.2.4")
    client.force_login(manager)
    url = reverse("api_campaign", args=[campaign.slug])
    client.patch(url, {"overlap": 3}, content_type="application/json")
    found = client.get(reverse("api_audit"), {"what": "change settings"}).json()["results"][0]
    assert (found["who"], found["campaign"], found["address"]) == (
        manager.username,
        campaign.slug,
        "192.0.2.4",
    )
    assert found["detail"] == {"before": {"overlap": 1}, "after": {"overlap": 3}}
    campaigns.update(campaign, manager, allow_ties=False)
    page = client.get(reverse("audit")).content.decode()
    assert "Raters may say that both are about the same, or both bad: no" in page
    assert whence.current() is None


def test_who_manages_one_campaign_sees_its_events_alone(django_assert_max_num_queries):
    manager, keeper = make_user(Role.MANAGER), make_user()
    here, there = make_campaign(by=manager), make_campaign(by=manager)
    members.give_role(here, keeper, Role.MANAGER, manager)
    campaigns.pause_loop(there, "Wait.", manager)
    people.set_active(make_user(), False, by=manager)
    client = Client()
    client.force_login(keeper)
    with django_assert_max_num_queries(8):
        shown = client.get(reverse("audit")).context["events"]
    assert {event.campaign for event in shown} == {here.slug}
    lines = list(csv.DictReader(StringIO(client.get(reverse("audit_csv")).getvalue().decode())))
    assert {line["campaign"] for line in lines} == {here.slug}
    assert len(lines) == len(shown)


def test_events_are_chosen_by_person_and_day_and_turned_page_by_page():
    manager, other = make_user(Role.MANAGER), make_user(Role.MANAGER)
    client = Client()
    client.force_login(manager)
    for number in range(3):
        audit.record(other, "try", other, number=number)
    page = client.get(reverse("audit"), {"who": other.username, "before": AuditEvent.objects.latest("pk").pk})
    assert [event.detail["number"] for event in page.context["events"]] == [1, 0]
    assert page.context["newer"]
    tomorrow = (timezone.now() + timedelta(days=1)).date()
    assert not client.get(reverse("audit"), {"since": tomorrow}).context["events"]
    assert client.get(reverse("audit"), {"since": "soon"}).status_code == 400


def test_what_starts_a_formula_is_made_harmless_in_the_csv():
    actor = make_user(Role.MANAGER)
    audit.record(actor, "=1+1", actor)
    line = list(audit.as_csv(AuditEvent.objects.select_related("actor")))[-1]
    assert "'=1+1" in line


def test_an_unknown_action_is_a_mistake_of_the_program():
    with pytest.raises(KeyError):
        roles.can(make_user(), "fly")


def test_pages_are_limited_but_where_people_rate(settings, monkeypatch):
    cache.clear()
    settings.RATE_LIMITS = {"reading": 3, "writing": 2, "costly": 1, "rating": 0}
    monkeypatch.setattr(limits, "clock", lambda: 6_200_000_000.0)
    client = Client()
    manager, rafi = make_user("manager"), make_user()
    campaign = make_campaign(by=manager, raters=[rafi])
    client.force_login(manager)
    cut = reverse("cut_snapshot", args=[campaign.slug])
    assert [client.post(cut).status_code for _ in range(2)] == [302, 429]
    late = client.post(cut)
    assert (late["Retry-After"], "Too many requests" in late.text) == ("40", True)
    assert [client.post(reverse("end_sessions")).status_code for _ in range(3)] == [302, 302, 429]
    assert client.get(reverse("campaigns")).status_code == 200
    rater = Client()
    rater.force_login(rafi)
    assert [rater.get(reverse("rate", args=[campaign.slug])).status_code for _ in range(4)] == [200] * 4
