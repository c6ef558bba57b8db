"""Who may do what: one table of every address, method and person. What is not in the table is refused."""

import logging
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts import people, tokens
from accounts.models import ApiToken, Role
from tests.cast import make_user
from tests.permissions import (
    accounts,
    campaigns,
    joining,
    models,
    rating,
    reading_in,
    review,
    training,
    webhooks,
)
from tests.permissions.columns import COLUMNS, LOGIN, Table, whole
from tests.permissions.world import World

pytestmark = pytest.mark.django_db

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NOUNS = [accounts, joining, rating, campaigns, reading_in, review, models, training, webhooks]
TABLE: Table = {
    name: {method: whole(row) for method, row in rows.items()}
    for noun in NOUNS
    for name, rows in noun.TABLE.items()
}


def named_patterns(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            if pattern.namespace != "admin":
                yield from named_patterns(pattern.url_patterns)
        else:
            yield pattern


PATTERNS = {pattern.name: pattern for pattern in named_patterns(get_resolver().url_patterns)}


def make_world() -> dict[str, Any]:
    """Make one of everything, with what fills the addresses and what is sent to them."""
    world = World()
    return {
        "people": world.people,
        "in_campaign": world.in_campaign,
        "pks": world.pks,
        "args": {name: given for noun in NOUNS for name, given in noun.args(world).items()},
        "body": {name: given for noun in NOUNS for name, given in noun.bodies(world).items()},
    }


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    """Make the world once: each request is undone. Refusals are not logged: that costs more."""
    log = logging.getLogger("django.request")
    log.setLevel(logging.CRITICAL)
    with django_db_blocker.unblock(), transaction.atomic():
        world = make_world()
        clients = {person: Client() for person in world["people"]}
        for person, client in clients.items():
            client.force_login(world["people"][person])
        cookies = {person: client.cookies.output() for person, client in clients.items()}
        yield {**world, "cookies": cookies, "handler": Client().handler}
        transaction.set_rollback(True)
    log.setLevel(logging.NOTSET)


def address(world: dict[str, Any], pattern: URLPattern) -> str:
    name = pattern.name or ""
    known = world["args"].get(name)
    if known is None:
        names = set(pattern.pattern.converters)
        thing = name.removeprefix("api_").split("_")[-1]
        thing = "run" if name.startswith(("run", "cancel_run", "retry_run")) else thing
        known = {"pk": world["pks"].get(thing)} if names == {"pk"} else world["in_campaign"] if names else {}
    queries = {
        "api_download": "?format=trl-preference",
        "api_why": f"?lease={world['body']['rate-skip']['lease']}",
        "rate-why": f"?lease={world['body']['rate-skip']['lease']}",
        "api_chat": f"?lease={world['body']['rate-skip']['lease']}",
    }
    return reverse(name, kwargs=known) + queries.get(name, "")


def outcome(client: Client, method: str, url: str, body: dict[str, Any]) -> int | str:
    """Send a request, undo what it changed, and return its status."""
    kind: dict[str, Any] = {"content_type": "application/json"} if url.startswith("/api/") else {}
    with transaction.atomic():
        send = getattr(client, method.lower())
        response = send(url) if method == "GET" else send(url, body, **kind)
        if response.streaming:
            b"".join(response)
        transaction.set_rollback(True)
    if response.status_code == 302 and response["Location"].startswith("/login/?next="):
        return LOGIN
    return int(response.status_code)


def signed_in(world: dict[str, Any], person: str) -> Client:
    client = Client()
    client.handler = world["handler"]  # every other would load the middleware anew
    if person != "nobody":
        client.cookies = SimpleCookie(world["cookies"][person].replace("Set-Cookie: ", ""))
    return client


def test_every_address_is_in_the_table():
    assert sorted(PATTERNS) == sorted(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_everybody_gets_what_the_table_says(world, name):
    url, body = address(world, PATTERNS[name]), world["body"].get(name, {})
    expected = {
        (m, who): said for m, row in TABLE[name].items() for who, said in zip(COLUMNS, row, strict=True)
    }
    found = {(m, who): outcome(signed_in(world, who), m, url, body) for m, who in expected}
    assert found == expected


@pytest.mark.parametrize("name", sorted(TABLE))
def test_no_address_takes_a_method_that_the_table_lacks(world, name):
    url, body = address(world, PATTERNS[name]), world["body"].get(name, {})
    others = [method for method in METHODS if method not in TABLE[name]]
    found = {method: outcome(signed_in(world, "manager"), method, url, body) for method in others}
    assert found == dict.fromkeys(others, 405)


def test_the_admin_is_for_staff_alone():
    for role in Role.values:
        client = Client()
        client.force_login(make_user(role))
        assert client.get(reverse("admin:index")).status_code == 302


def test_a_token_acts_as_its_user_until_it_is_revoked():
    secret = tokens.issue(make_user(Role.MANAGER), "script")
    client = Client(headers={"Authorization": f"Token {secret}"})
    assert client.get(reverse("api_campaigns")).status_code == 200
    tokens.revoke(ApiToken.objects.get(name="script"))
    answer = client.get(reverse("api_campaigns"))
    assert answer.status_code == 401
    assert answer.json() == {"detail": "This token is unknown, revoked or over."}


def test_somebody_kept_out_is_out_at_once():
    outsider = make_user()
    client = Client()
    client.force_login(outsider)
    assert client.get(reverse("home")).status_code == 200
    people.set_active(outsider, False, by=make_user(Role.MANAGER))
    assert client.get(reverse("home")).status_code == 302
