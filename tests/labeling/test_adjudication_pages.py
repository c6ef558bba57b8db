"""The pages of disputes, of the guideline's gaps, and of taking a rater's work out of the count."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import Role
from labeling import adjudication, disputes, tasks
from labeling.models import Adjudication, GuidelineGap
from tests.cast import make_campaign, make_open_round, make_user
from tests.labeling.test_adjudication import ask, crown, score
from tests.labeling.test_reviews import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return make_user(Role.MANAGER, "mara")


@pytest.fixture
def raters():
    return tuple(make_user(username=name) for name in ("rafi", "rosa", "rita"))


@pytest.fixture
def campaign(manager, raters):
    return make_campaign(by=manager, raters=raters)


@pytest.fixture
def client(manager):
    client = Client()
    client.force_login(manager)
    return client


def queries(client, address):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_a_dispute_is_decided_blind_then_shown_and_sorted(client, campaign, raters):
    task = ask(campaign, raters, 0, 0, 1)
    model = crown(campaign)
    score(model, task, -2.0, 2.0)
    disputes.refresh(campaign)
    queue = reverse("adjudications", args=[campaign.slug])
    assert "1 comparison in dispute" in client.get(queue).text
    page = client.post(queue, follow=True)
    row = Adjudication.objects.get()
    blind = page.text
    assert "Answer one, 0." in blind
    assert "The other answer, number 0." in blind
    hidden = [
        model.name,
        "writer-0",
        "writer-1",
        "weight",
        *(name for rater in raters for name in (rater.username, rater.pseudonym)),
    ]
    assert [word for word in hidden if word in blind] == []
    assert row.get_reason_display() not in blind
    refused = client.post(reverse("decide", args=[campaign.slug, row.pk]), {}, follow=True)
    assert "Choose which answer is better first." in refused.text
    shown = client.post(reverse("decide", args=[campaign.slug, row.pk]), {"verdict": "-2"}, follow=True).text
    assert all(rater.username in shown for rater in raters)
    assert model.name in shown
    assert "A is clearly better" in shown
    sort = reverse("sort_dispute", args=[campaign.slug, row.pk])
    refused = client.post(sort, {"cause": "guideline_gap", "note": "Kept words"})
    assert refused.status_code == 400
    assert "Kept words" in refused.text
    said = {"cause": "guideline_gap", "gap": "What if one is shorter?", "next": "1"}
    assert client.post(sort, said)["Location"] == queue  # there is no other one
    assert "What if one is shorter?" in client.get(reverse("gaps", args=[campaign.slug])).text


def test_looking_for_more_sends_a_worker(
    client, campaign, raters, monkeypatch, django_capture_on_commit_callbacks
):
    ask(campaign, raters, 0, 1)
    # the worker's own way, without a worker
    monkeypatch.setattr(tasks.look_for_disputes, "delay", tasks.look_for_disputes)
    queue = reverse("adjudications", args=[campaign.slug])
    with django_capture_on_commit_callbacks(execute=True):
        assert "Looking." in client.post(queue, {"look": "1"}, follow=True).text
    assert "1 comparison in dispute" in client.get(queue).text


def test_one_that_is_not_yours_is_not_shown(client, campaign, raters):
    ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    row = adjudication.claim(make_user(Role.MANAGER), campaign)
    away = client.get(reverse("adjudication", args=[campaign.slug, row.pk]))
    assert away["Location"] == reverse("adjudications", args=[campaign.slug])
    other = make_campaign()
    assert client.get(reverse("adjudication", args=[other.slug, row.pk])).status_code == 404


def test_a_gap_goes_into_the_next_version_or_is_dismissed(client, campaign, manager, raters):
    for words in ("Say what counts as long.", "Say what a tie is."):
        ask(campaign, raters, 0, 1)
        disputes.refresh(campaign)
        row = adjudication.decide(adjudication.claim(manager, campaign), manager, -2)
        adjudication.sort(row, manager, "guideline_gap", gap=words)
    first, second = GuidelineGap.objects.order_by("pk")
    address = reverse("guideline", args=[campaign.slug])
    assert (
        "Prefer the better answer.\n\nSay what counts as long.</textarea>"
        in client.get(f"{address}?gap={first.pk}").text
    )
    client.post(address, {"text": "Prefer the better answer. Ten lines are long.", "gap": first.pk})
    first.refresh_from_db()
    assert (first.status, first.guideline.number, first.settled_by) == ("taken_up", 2, manager)
    client.post(reverse("dismiss_gap", args=[campaign.slug, second.pk]), {"why": "It is there already."})
    second.refresh_from_db()
    assert (second.status, second.settled_why) == ("dismissed", "It is there already.")
    page = client.get(reverse("gaps", args=[campaign.slug])).text
    assert "It is there already." in page
    assert "Version 2" in page


def test_a_gap_becomes_a_worked_example(client, campaign, manager, raters):
    ask(campaign, raters, 0, 1)
    disputes.refresh(campaign)
    row = adjudication.decide(adjudication.claim(manager, campaign), manager, -2)
    adjudication.sort(row, manager, "guideline_gap", gap="Say what counts.")
    gap = GuidelineGap.objects.get()
    done = client.post(reverse("gap_example", args=[campaign.slug, gap.pk]), {"explanation": "{A} it is."})
    gap.refresh_from_db()
    assert done["Location"] == reverse("example", args=[campaign.slug, gap.example_id])


def test_reopening_says_how_many_first_and_wants_a_reason(client, campaign, raters):
    make_open_round(campaign, comparisons=3, overlap=1)
    work(raters[0], campaign, 3)
    address = reverse("reopen_rater", args=[campaign.slug, raters[0].pk])
    assert "Take 3 answers out of the count" in client.get(address).text
    assert client.post(address, {"reason": " "}).status_code == 400
    assert client.post(address, {"reason": "Clicked through."}).status_code == 302
    assert "Nothing of this rater counts" in client.get(address).text


def test_pages_ask_as_many_queries_for_many_as_for_few(client, campaign, manager, raters):
    addresses = [reverse("adjudications", args=[campaign.slug]), reverse("gaps", args=[campaign.slug])]
    counts = []
    for times in (1, 4):
        for _ in range(times):
            ask(campaign, raters, 0, 1, 1)
            disputes.refresh(campaign)
            row = adjudication.decide(adjudication.claim(manager, campaign), manager, -2)
            adjudication.sort(row, manager, "guideline_gap", gap="Say what counts.")
        shown = reverse("adjudication", args=[campaign.slug, row.pk])
        counts.append([queries(client, address) for address in [*addresses, shown]])
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 11
