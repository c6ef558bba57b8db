"""Who is signed in stays so, whatever becomes of the cache."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import tasks, tokens
from accounts.models import AuditEvent, Session
from tests.cast import make_user

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.django_db
def test_an_emptied_cache_signs_nobody_out(client):
    client.force_login(make_user())
    cache.clear()
    assert client.get("/").status_code == 200


@pytest.mark.django_db
def test_a_session_comes_with_its_person_and_neither_outlives_the_other(client, django_assert_num_queries):
    rafi, other = make_user(username="rafi"), Client()
    client.force_login(rafi)
    other.force_login(make_user(username="sam"))
    for who, name in ((client, "rafi"), (other, "sam"), (client, "rafi")):
        assert who.get(reverse("api_me")).json()["username"] == name
    with django_assert_num_queries(1):
        assert client.get(reverse("api_me")).json()["username"] == "rafi"
    Session.objects.filter(user=rafi).update(user=None)  # as rows from before sessions named their person
    assert client.get(reverse("api_me")).json()["username"] == "rafi"
    rafi.is_active = False
    rafi.save()
    assert client.get(reverse("api_me")).status_code == 401


@pytest.mark.django_db
def test_without_a_cache_people_stay_signed_in(client, settings):
    client.force_login(make_user())
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}
    assert client.get("/").status_code == 200


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile/15E148 Safari/604.1"


def come_in(agent=FIREFOX, address="192.0.2.7", username="rafi"):
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    client.post(reverse("login"), {"username": username, "password": "password"})
    return client


@pytest.mark.django_db
def test_one_sees_where_one_is_signed_in_and_ends_the_others():
    user = make_user(username="rafi")
    here, phone, desk = come_in(), come_in(SAFARI, "2001:db8::1"), come_in()
    stranger = come_in(username=make_user().username)
    page = here.get(reverse("sessions"))
    seats = page.context["seats"]
    assert (seats[0].device, seats[0].current) == ("Firefox, Linux", True)
    assert {(s.device, s.address) for s in seats} == {
        ("Firefox, Linux", "192.0.2.7"), ("Safari, iPhone", "2001:db8::1"),
    }  # fmt: skip
    assert here.session.session_key not in page.text
    ended = next(s.name for s in seats if s.device == "Safari, iPhone")
    stranger.post(reverse("end_sessions"), {"name": ended})
    assert phone.get(reverse("home")).status_code == 200
    here.post(reverse("end_sessions"), {"name": ended})
    assert phone.get(reverse("home")).status_code == 302
    here.post(reverse("end_sessions"))
    assert desk.get(reverse("home")).status_code == 302
    assert here.get(reverse("home")).status_code == 200
    assert Session.objects.filter(user=user).count() == 1


@pytest.mark.django_db
def test_the_api_tells_and_ends_the_same_sessions():
    make_user(username="rafi")
    here, other = come_in(), come_in()
    listed = here.get(reverse("api_sessions")).json()
    assert [row["current"] for row in listed] == [True, False]
    assert here.delete(reverse("api_session", args=[listed[1]["name"]])).status_code == 204
    assert here.delete(reverse("api_session", args=[listed[1]["name"]])).status_code == 404
    assert other.get(reverse("home")).status_code == 302
    come_in()
    assert here.delete(reverse("api_sessions")).json() == {"ended": 1}


@pytest.mark.django_db
def test_a_manager_signs_somebody_out_everywhere_tokens_too():
    rafi, manager = make_user(username="rafi"), Client()
    manager.force_login(make_user("manager"))
    there, secret = come_in(), tokens.issue(rafi, "script")
    program = Client(headers={"Authorization": f"Token {secret}"})
    assert program.get(reverse("api_me")).status_code == 200
    manager.post(reverse("sign_out_person", args=[rafi.pk]))
    assert there.get(reverse("home")).status_code == 302
    assert program.get(reverse("api_me")).status_code == 401
    assert AuditEvent.objects.get(action="sign out").detail == {"sessions": 1, "tokens": 1}
    assert come_in().get(reverse("home")).status_code == 200


@pytest.mark.django_db
def test_when_a_session_was_seen_costs_no_statement(django_assert_num_queries):
    make_user(username="rafi")
    client = come_in()
    with django_assert_num_queries(1):  # the user
        client.get(reverse("api_me"))
    [seat] = client.get(reverse("sessions")).context["seats"]
    assert seat.seen >= seat.since


@pytest.mark.django_db
def test_sessions_that_ran_out_are_forgotten():
    make_user(username="rafi")
    come_in()
    over = Session.objects.get()
    come_in()
    Session.objects.filter(pk=over.pk).update(expire_date=timezone.now() - timedelta(seconds=1))
    tasks.prune_sessions()
    assert Session.objects.exclude(pk=over.pk).get() == Session.objects.get()
