"""The API describes itself, without a warning."""

import os
import time

import pytest
from django.core.management import call_command
from django.urls import reverse

from config.apart import apart
from config.urls import document
from tests.cast import make_user


def test_the_openapi_document_is_valid_and_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))
    text = (tmp_path / "schema.yml").read_text()
    assert "/api/v1/campaigns/{slug}/judgments/:" in text
    assert "#/components/securitySchemes" in text or "securitySchemes:" in text


def test_it_describes_what_requests_have_met():
    described, schemas = document()["paths"], document()["components"]["schemas"]

    def answers(path):
        return described[f"/api/v1/campaigns/{{slug}}{path}"]["get"]["responses"]

    assert "409" in answers("/imports/{id}/preview/")  # the upload isn't kept any more
    assert "400" in answers("/disputes/{id}/")  # it isn't decided yet
    beside = answers("/guidelines/{old}/to/{new}/")["200"]["content"]["application/json"]["schema"]
    assert beside["type"] == "array"
    assert schemas["Talk"]["properties"]["pick"]["nullable"]  # before both answers are there
    assert answers("/")["429"]["headers"]["Retry-After"]["required"]


@pytest.mark.django_db
def test_who_asks_gets_the_whole_document(client):
    client.force_login(make_user())
    for _ in range(2):
        answer = client.get(reverse("api-schema"), headers={"accept": "application/json"})
        assert answer.json()["paths"].keys() == document()["paths"].keys()


def test_what_is_done_apart_leaves_its_answer_alone_behind(monkeypatch):
    kept, here = [], os.getpid()
    assert apart(lambda: kept.append(1) or b"x" * 1_000_000) == b"x" * 1_000_000
    assert kept == []
    with pytest.raises(ZeroDivisionError):
        apart(lambda: b"x" * (1 // 0))
    monkeypatch.setattr("config.apart.SECONDS", 1)
    assert apart(lambda: b"here" if os.getpid() == here or time.sleep(10) else b"there") == b"here"
