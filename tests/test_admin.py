"""Superusers look at everything in the admin; what the domain guards can't be changed there."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.admin import ReadOnlyAdmin
from accounts.models import User
from labeling.models import Judgment
from tests.cast import make_campaign, make_open_round

pytestmark = pytest.mark.django_db
PAGES = sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)


@pytest.fixture
def client():
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="password"))
    return client


@pytest.mark.parametrize(("model", "page"), PAGES, ids=lambda value: str(getattr(value, "__name__", "")))
def test_every_list_opens(client, model, page):
    make_open_round(make_campaign())
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert client.get(reverse(f"{name}_changelist")).status_code == 200
    if isinstance(page, ReadOnlyAdmin):
        assert client.get(reverse(f"{name}_add")).status_code == 403


def test_judgments_are_read_only():
    assert isinstance(admin.site._registry[Judgment], ReadOnlyAdmin)
