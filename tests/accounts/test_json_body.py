"""JSON that the database couldn't keep is refused in words, wherever it stands; what it can keep comes in."""

import pytest
from django.test import Client
from django.urls import reverse

from labeling.settings_forms import SettingsForm
from models_app.models import ModelVersion
from tests.cast import make_user

pytestmark = pytest.mark.django_db
MODEL = '{"family": "kitchen", "kind": "policy", "name": "base", "backend": "imported", "options": %s}'


@pytest.fixture
def client():
    client = Client()
    client.force_login(make_user("manager"))
    return client


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (r'{"a": ["b\u0000"]}', "U+0000"),
        (r'{"a\u0000": 1}', "U+0000"),
        (r'{"a": "\ud83d"}', "surrogate"),
        ('{"a": 1e400}', "too large"),
        ('{"a": -9223372036854775808}', "too large"),
        ('{"a": NaN}', "JSON parse error"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * 700 + "]" * 700, "nested too deeply"),
    ],
)
def test_what_cannot_be_kept_is_refused(client, options, fault):
    told = client.post(reverse("api_models"), MODEL % options, content_type="application/json")
    assert told.status_code == 400
    assert fault in told.json()["detail"]
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize("body", ["null", "[]", '"text"', "7"])
def test_a_body_that_is_no_object_is_refused_by_name(client, body):
    for address, method in (("api_own_settings", client.patch), ("api_models", client.post)):
        told = method(reverse(address), body, content_type="application/json")
        assert (told.status_code, type(told.json())) == (400, dict)


def test_what_is_wrong_with_no_object_is_one_sentence(client):
    told = client.patch(reverse("api_own_settings"), "null", content_type="application/json")
    assert told.json() == {"detail": "This field may not be null."}


def test_other_characters_and_numbers_are_kept(client):
    options = r'{"a": "\\u0000 \ud83d\ude00 ñ", "b": 9223372036854775807, "c": [-0.5, null]}'
    told = client.post(reverse("api_models"), MODEL % options, content_type="application/json")
    assert told.status_code == 201
    kept = {"a": r"\u0000 😀 ñ", "b": 2**63 - 1, "c": [-0.5, None]}
    assert ModelVersion.objects.get().options == kept


def test_json_in_a_form_goes_round_no_check(client):
    said = {"family": "kitchen", "kind": "policy", "name": "base", "backend": "imported"}
    told = client.post(reverse("api_models"), {**said, "options": r'{"a": "\u0000"}'})
    assert told.status_code == 415
    assert not ModelVersion.objects.exists()


def test_the_settings_page_refuses_it_too():
    form = SettingsForm({"hyper": r'{"reward": {"a": "\u0000"}}'})
    assert "U+0000" in str(form.errors["hyper"])
