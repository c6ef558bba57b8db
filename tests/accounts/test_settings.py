"""One's own settings: pages and API change them by one rule, and every page obeys them."""

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from accounts import keys, own_settings
from tests.cast import make_user

pytestmark = pytest.mark.django_db

LOOK = {"save": "look", "language": "", "theme": "auto", "density": "comfortable", "text_size": "medium"}
DEFAULT_KEYS = {f"key-{name}": action.key for name, action in keys.ACTIONS.items()}


@pytest.fixture
def rater():
    return make_user(username="rafi")


@pytest.fixture
def client(rater):
    client = Client()
    client.force_login(rater)
    return client


def send(client, body):
    return client.patch(reverse("api_own_settings"), body, content_type="application/json")


def test_the_frame_of_every_page_says_what_was_chosen(client):
    plain = client.get(reverse("home")).text
    assert (
        '<html lang="en" dir="ltr" data-theme="auto" data-density="comfortable" data-text-size="medium"'
        in plain
    )
    look = {"theme": "dark", "density": "compact", "text_size": "x-large", "language": "ar"}
    answer = client.post(reverse("settings"), {**LOOK, **look})
    assert answer["Location"] == reverse("settings")
    page = client.get(reverse("home")).text
    assert (
        '<html lang="ar" dir="rtl" data-theme="dark" data-density="compact" data-text-size="x-large"' in page
    )


def test_nobody_signed_in_gets_the_browsers_language():
    page = Client(headers={"accept-language": "ar"}).get(reverse("login")).text
    assert '<html lang="ar" dir="rtl">' in page


def test_ones_own_language_wins_over_the_browsers(client, rater):
    own_settings.change(rater, {"language": "en"})
    assert '<html lang="en"' in client.get(reverse("home"), headers={"accept-language": "ar"}).text
    own_settings.change(rater, {"language": ""})
    assert '<html lang="ar"' in client.get(reverse("home"), headers={"accept-language": "ar"}).text
    assert '<html lang="en"' in client.get(reverse("home")).text


def test_settings_come_with_the_user_and_cost_no_query(client, django_assert_num_queries):
    client.get(reverse("settings"))
    with django_assert_num_queries(1):  # the user; the session is cached
        client.get(reverse("settings"))


def test_a_choice_that_does_not_exist_is_refused_beside_its_field(client, rater):
    page = client.post(reverse("settings"), {**LOOK, "theme": "pink", "density": "compact"})
    assert page.status_code == 400
    assert "pink is not one of the available choices" in page.text
    rater.refresh_from_db()
    assert (rater.theme, rater.density) == ("auto", "comfortable")


def test_keys_are_remapped_and_reset(client, rater):
    client.post(reverse("settings"), {**DEFAULT_KEYS, "key-send": "m", "save": "keys", "shortcuts": "on"})
    rater.refresh_from_db()
    assert rater.keys == {"send": "m"}
    assert 'name="key-send" value="m"' in client.get(reverse("settings")).text
    client.post(reverse("settings"), {"save": "reset"})
    rater.refresh_from_db()
    assert rater.keys == {}
    client.post(reverse("settings"), {**DEFAULT_KEYS, "save": "keys"})
    rater.refresh_from_db()
    assert not rater.shortcuts


def test_a_key_taken_twice_is_refused_beside_its_row_and_what_was_typed_stays(client, rater):
    page = client.post(
        reverse("settings"),
        {**DEFAULT_KEYS, "key-undo": "c", "key-skip": "z", "save": "keys", "shortcuts": "on"},
    )
    assert page.status_code == 400
    assert "This key is taken by" in page.text
    assert 'name="key-skip" value="z"' in page.text
    rater.refresh_from_db()
    assert rater.keys == {}


def test_the_api_changes_the_same_settings(client, rater):
    answer = send(client, {"theme": "light", "keys": {"undo": "z"}})
    assert answer.status_code == 200
    assert answer.json() == client.get(reverse("api_own_settings")).json()
    assert answer.json() == {
        "language": "", "theme": "light", "density": "comfortable", "text_size": "medium",
        "shortcuts": True, "keys": {"undo": "z"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"theme": "pink"}, "theme"),
        ({"theme": None}, "theme"),
        ({"theme": ["dark"]}, "theme"),
        ({"language": []}, "language"),
        ({"language": "tlh"}, "language"),
        ({"text_size": 12}, "text_size"),
        ({"shortcuts": "yes"}, "shortcuts"),
        ({"role": "manager"}, "role"),
        ({"keys": ["u"]}, "keys"),
        ({"keys": {"fly": "q"}}, "fly"),
        ({"density": "compact", "keys": {"send": "Tab"}}, "send"),
        (["theme"], "non_field_errors"),
    ],
)
def test_what_the_api_refuses_changes_nothing(client, rater, body, named):
    answer = send(client, body)
    assert answer.status_code == 400
    assert list(answer.json()) == [named] or named == "non_field_errors"
    rater.refresh_from_db()
    assert (rater.theme, rater.role, rater.density, rater.keys) == ("auto", "rater", "comfortable", {})


def test_change_leaves_the_person_as_they_were_when_it_refuses(rater):
    with pytest.raises(ValidationError):
        own_settings.change(rater, {"density": "compact", "theme": "pink"})
    assert rater.density == "comfortable"
