"""Managers add webhooks, see how deliveries went, and are told of what came in, in batches."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse

from accounts import webhooks
from accounts.models import Role
from accounts.webhook_models import Webhook, WebhookDelivery, WebhookEvent
from labeling import announcing, assignment, judgments
from tests.cast import make_campaign, make_open_round, make_user

pytestmark = pytest.mark.django_db
URL = "https://hooks.example.org/touchstone"


@pytest.fixture
def manager():
    return make_user(Role.MANAGER)


@pytest.fixture
def rater():
    return make_user()


@pytest.fixture
def campaign(manager, rater):
    return make_campaign(by=manager, raters=(rater,))


@pytest.fixture
def office(client, manager):
    client.force_login(manager)
    return client


def judge(rater, campaign):
    slot = assignment.claim(rater, campaign)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=1)


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_secret_is_shown_once_and_a_test_can_be_sent(office, campaign, everywhere):
    address = reverse("webhooks") if everywhere else reverse("campaign_webhooks", args=[campaign.slug])
    answer = office.post(address, {"url": URL, "events": ["run.failed"]})
    assert answer["Cache-Control"] == "no-store"
    secret = answer.context["secret"]
    assert secret in answer.content.decode()
    hook = Webhook.objects.get()
    assert hook.campaign == ("" if everywhere else campaign.slug)
    assert secret not in office.get(address).content.decode()
    page = f"{address}{hook.pk}/"
    for do in ["test", "pause", "test", "resume", "change"]:
        office.post(page, {"do": do, "url": URL, "events": ["run.failed", "round.closed"]})
    assert WebhookDelivery.objects.count() == 1
    hook.refresh_from_db()
    assert hook.active
    assert hook.events == ["round.closed", "run.failed"]
    assert "whsec_" in office.post(page, {"do": "rotate"}).content.decode()
    assert office.post(page, {"do": "remove"})["Location"] == address
    assert not Webhook.objects.exists()


def test_what_may_be_a_secret_in_an_address_is_on_no_page_and_in_no_audit_event(office, campaign):
    address = reverse("campaign_webhooks", args=[campaign.slug])
    office.post(address, {"url": f"{URL}/s3cret", "events": ["run.failed"]})
    hook = Webhook.objects.get()
    one = f"{address}{hook.pk}/"
    office.post(one, {"do": "change", "url": "", "events": ["round.closed"]})
    hook.refresh_from_db()
    assert (hook.url, hook.events) == (f"{URL}/s3cret", ["round.closed"])
    office.post(one, {"do": "change", "url": f"{URL}/s3cret/2", "events": ["round.closed"]})
    for url in (address, one, reverse("audit")):
        text = office.get(url).text
        assert "https://hooks.example.org/…" in text, url
        assert "s3cret" not in text, url


def test_a_wrong_address_comes_back_with_a_sentence(office, campaign):
    address = reverse("campaign_webhooks", args=[campaign.slug])
    answer = office.post(address, {"url": "http://10.0.0.1/", "events": ["run.failed"]})
    assert answer.status_code == 400
    assert "private address" in answer.content.decode()
    answer = office.post(f"/api/v1{address}", {"url": URL, "events": ["x"]}, content_type="application/json")
    assert answer.status_code == 400


def test_a_page_of_deliveries_costs_few_queries(office, campaign, manager, django_assert_max_num_queries):
    hook, _ = webhooks.add(campaign.slug, URL, ["run.failed"], by=manager)
    for number in range(20):
        webhooks.emit("run.failed", campaign.slug, id=number)
    with django_assert_max_num_queries(9):
        answer = office.get(reverse("campaign_webhook", args=[campaign.slug, hook.pk]))
    assert answer.content.decode().count("Send now") == 20


def test_what_came_in_is_told_once_and_a_submission_pays_nothing(
    campaign, manager, rater, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(announcing, "SETTLED", timedelta(seconds=-5))
    make_open_round(campaign, comparisons=3)
    before = judge(rater, campaign)
    with django_assert_num_queries(1):
        assert announcing.tell() == 0
    hook, _ = webhooks.add(campaign.slug, URL, ["judgments.submitted", "tasks.done"], by=manager)
    other, _ = webhooks.add("another", URL, ["judgments.submitted"], by=manager)
    announcing.begin(hook)
    said = [judge(rater, campaign) for _ in range(2)]
    assert not WebhookEvent.objects.exists()
    assert announcing.tell() == 2
    assert announcing.tell() == 0
    told = {event.kind: event.data for event in WebhookEvent.objects.filter(deliveries__webhook=hook)}
    assert [row["id"] for row in told["judgments.submitted"]["judgments"]] == [row.pk for row in said]
    assert before.pk not in [row["id"] for row in told["judgments.submitted"]["judgments"]]
    assert rater.username not in str(told)
    done = {row.task_id for row in said if row.task.overlap == 1}
    assert done <= {task["id"] for task in told.get("tasks.done", {"tasks": []})["tasks"]}
    assert not other.deliveries.exists()
