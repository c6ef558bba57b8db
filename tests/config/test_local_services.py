"""The embedded PostgreSQL and Redis, for real and in folders of their own."""

from django.conf import settings
from django.core.cache import cache
from django.db import connection


def test_the_tests_have_services_of_their_own(db):
    assert settings.VAR_DIR.name == "tests"
    with connection.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)
    cache.set("said", "hello")
    assert cache.get("said") == "hello"
