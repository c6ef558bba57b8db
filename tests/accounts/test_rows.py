"""Rows of hand-written statements become what Django would make of them."""

import pytest
from django.db import connection

from accounts import rows
from accounts.models import User
from tests.cast import make_user

pytestmark = pytest.mark.django_db
SOME = ["id", "username", "campaign_roles"]


def read(user: User, names: list[str]) -> User:
    table = User._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {rows.columns(User, table, names)} FROM {table} WHERE id = %s", [user.pk])
        return rows.read(User, iter(cursor.fetchone()), names)


def test_a_row_is_the_object_that_django_reads():
    user = make_user()
    made, django = read(user, []), User.objects.get(pk=user.pk)
    assert made == django
    assert {k: v for k, v in vars(made).items() if k != "_state"} == {
        k: v for k, v in vars(django).items() if k != "_state"
    }
    assert (made._state.adding, made._state.db) == (django._state.adding, django._state.db)


def test_what_was_not_asked_for_loads_when_it_is(django_assert_num_queries):
    user = make_user(username="rafi")
    some = read(user, SOME)
    assert some.get_deferred_fields() == User.objects.only(*SOME).get(pk=user.pk).get_deferred_fields()
    with django_assert_num_queries(0):
        assert (some.username, some.campaign_roles) == ("rafi", {})
    with django_assert_num_queries(1):
        assert some.email == user.email
    some.username = "sam"
    some.save()
    assert User.objects.get(pk=user.pk).username == "sam"
