"""Superusers look at everything in the admin; what the domain guards can't be changed there."""

from uuid import uuid4

import pytest
from django.contrib import admin
from django.db.models import ForeignKey
from django.test import Client
from django.urls import reverse

from accounts import support
from accounts.models import AuditEvent, User
from accounts.support import QuickPaginator, ReadOnlyAdmin
from labeling import assignment, judgments
from labeling.models import Judgment
from models_app import registry
from models_app.models import ModelVersion
from tests.cast import make_campaign, make_open_round, make_user
from tests.training.cast import make_model
from training.models import Evaluation, Run, Snapshot

pytestmark = pytest.mark.django_db
PAGES = sorted(admin.site._registry.items(), key=lambda item: item[0]._meta.label)
OURS = ("accounts", "labeling", "models_app", "training")


@pytest.fixture
def client():
    client = Client()
    client.force_login(User.objects.create_superuser("root", password="password"))
    return client


def address(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.mark.parametrize(("model", "page"), PAGES, ids=lambda value: str(getattr(value, "__name__", "")))
def test_every_list_opens(client, model, page):
    make_open_round(make_campaign())
    assert client.get(address(model, "changelist")).status_code == 200
    if page.search_fields:
        assert client.get(address(model, "changelist"), {"q": "what is not there"}).status_code == 200
    if isinstance(page, ReadOnlyAdmin):
        assert client.get(address(model, "add")).status_code == 403


@pytest.mark.parametrize(("model", "page"), PAGES, ids=lambda value: str(getattr(value, "__name__", "")))
def test_no_list_asks_for_each_row_or_counts_whole_tables(model, page):
    if model._meta.app_label not in OURS:
        return
    named = {field.name for field in model._meta.fields if isinstance(field, ForeignKey)}
    shown = named & set(page.list_display)
    brought = set(page.list_select_related or ())
    assert shown <= brought, shown - brought
    if isinstance(page, ReadOnlyAdmin):
        assert page.show_full_result_count is False
        assert page.paginator is QuickPaginator


def work(number: int) -> None:
    """Make one more of what the lists show."""
    rater = make_user()
    campaign = make_campaign(raters=(rater,))
    make_open_round(campaign)
    judgments.submit(rater, assignment.claim(rater, campaign).lease, idempotency_key=uuid4(), verdict=1)
    parent = make_model(campaign.slug, "policy", "base")
    registry.promote(parent, by=rater, reason="It is the first.")
    snapshot = Snapshot.objects.create(campaign=campaign, digest=f"{number:064x}")
    run = Run.objects.create(campaign=campaign, kind="reward", snapshot=snapshot, parent=parent)
    Evaluation.objects.create(run=run, passed=True)


def test_lists_cost_no_more_queries_for_more_rows(client, django_assert_max_num_queries):
    lists = [address(model, "changelist") for model, _page in PAGES if model._meta.app_label in OURS]
    work(1)
    costs = {}
    for each in lists:
        with django_assert_max_num_queries(12) as asked:
            client.get(each)
        costs[each] = len(asked)
    for number in (2, 3, 4):
        work(number)
    for each in lists:
        with django_assert_max_num_queries(costs[each]):
            client.get(each)


@pytest.mark.parametrize("model", [Judgment, AuditEvent, ModelVersion])
def test_what_is_kept_is_shown_and_neither_changed_nor_deleted(client, model):
    work(1)
    row = model.objects.latest("pk")
    assert client.get(address(model, "change", row.pk)).status_code == 200
    assert client.post(address(model, "change", row.pk), {}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": [row.pk]})
    assert model.objects.filter(pk=row.pk).exists()


def test_large_tables_are_estimated_and_searches_counted_as_far_as_they_are_shown(client, monkeypatch):
    for number in range(5):
        AuditEvent.objects.create(action="change", target=f"campaign:{number}")
    AuditEvent.objects.create(action="make", target="campaign:1")
    monkeypatch.setattr(support, "COUNTED", 3)
    rows = AuditEvent.objects.order_by("-pk")
    assert QuickPaginator(rows, 2).count >= 4
    assert QuickPaginator(rows.filter(target="campaign:1"), 2).count == 2
    assert QuickPaginator(rows.filter(action="change"), 2).count == 4
    found = client.get(address(AuditEvent, "changelist"), {"q": "campaign:1"})
    assert found.context["cl"].result_count == 2
