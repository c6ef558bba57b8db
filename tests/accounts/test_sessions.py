"""Who is signed in stays so, whatever becomes of the cache."""

import pytest
from django.core.cache import cache

from tests.cast import make_user

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.django_db
def test_an_emptied_cache_signs_nobody_out(client):
    client.force_login(make_user())
    cache.clear()
    assert client.get("/").status_code == 200


@pytest.mark.django_db
def test_without_a_cache_people_stay_signed_in(client, settings):
    client.force_login(make_user())
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": NOWHERE}}
    assert client.get("/").status_code == 200
