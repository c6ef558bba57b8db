"""One campaign, its runs and models, and its datasets, by page and by program."""

import io
import json
import zipfile
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts import tokens
from labeling.models import Campaign
from models_app import registry
from models_app.models import ModelVersion
from tests import cast
from tests.training.cast import judge, make_task
from training import runs, snapshots
from training.models import Evaluation, Run, RunMetric

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager():
    return cast.make_user("manager", username="mara")


@pytest.fixture
def client(manager):
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def campaign(manager):
    """Make a campaign with one vote between the answers of two policies."""
    campaign = cast.make_campaign(by=manager)
    task = make_task(cast.make_round(campaign), ("yes", "no"))
    judge(task, cast.make_user(), 1)
    return campaign


def make_run(campaign: Campaign, kind: str = "reward", **fields: Any) -> Run:
    parent = cast.make_policy(campaign.model_family)
    return Run.objects.create(
        campaign=campaign, kind=kind, snapshot=snapshots.cut(campaign), parent=parent, **fields
    )


def succeed(run: Run, name: str, result: dict[str, Any]) -> ModelVersion:
    made = registry.register(run.campaign.model_family, run.kind, name, "imported", parent=run.parent)
    Run.objects.filter(pk=run.pk).update(status="succeeded", produced=made, result=result)
    return made


def test_an_empty_campaign_says_why_each_figure_is_missing(client, manager):
    campaign = cast.make_campaign(by=manager)
    page = client.get(reverse("campaign", args=[campaign.slug])).text
    assert "Waiting for a champion policy that can answer prompts." in page
    assert "it is computed within a minute of the first judgments" in page
    assert "no reward model has been promoted yet" in page
    assert "NaN" not in page
    assert "None" not in page.replace("None yet", "")


def test_a_campaign_shows_its_champions_figures_with_interval_and_n(client, manager, campaign):
    result = {"test": {"n": 80, "prompts": 40, "accuracy": 0.7251, "interval": [0.62, 0.81]}}
    made = succeed(make_run(campaign), "reward-1", result)
    registry.promote(made, by=manager, reason="good enough")
    page = client.get(reverse("campaign", args=[campaign.slug])).text
    assert "72.5 %" in page
    assert "62.0–81.0 %" in page
    assert "n = 80" in page
    assert "reward-1" in page


def test_the_page_of_a_campaign_asks_as_many_queries_for_many_rounds_as_for_few(
    client, campaign, django_assert_max_num_queries
):
    for name in ["a", "b"]:
        succeed(make_run(campaign), name, {})
    address = reverse("campaign_live", args=[campaign.slug])
    client.get(address)
    with django_assert_max_num_queries(40) as few:
        client.get(address)
    cost = len(few)
    for name in "cdefgh":
        cast.make_round(campaign)
        succeed(make_run(campaign), name, {})
    with django_assert_max_num_queries(cost):
        client.get(address)


def test_a_run_shows_its_gate_its_curves_and_its_log_without_colours(client, campaign):
    run = make_run(campaign, config={"seed": 3}, result={"test": {"accuracy": 0.5}})
    RunMetric.objects.bulk_create(
        RunMetric(run=run, name="reward/loss", step=step, value=1 / (step + 1)) for step in range(1000)
    )
    RunMetric.objects.create(run=run, name="broken", step=0, value=float("nan"))
    says = "It agrees with 50.0% of 20 held-out votes, which may be chance."
    check = {"name": "Beats chance", "passed": False, "figure": 0.5, "interval": None, "n": 20, "says": says}
    Evaluation.objects.create(run=run, passed=False, checks=[check])
    runs.folder(run).mkdir(parents=True, exist_ok=True)
    (runs.folder(run) / "log.txt").write_text("\x1b[1mbold\x1b[0m words\n" * 500)

    page = client.get(reverse("run", args=[run.pk])).text
    assert says in page
    live = json.loads(client.get(reverse("run_live", args=[run.pk])).text)
    metrics = json.loads(client.get(reverse("api_metrics", args=[run.pk])).text)
    assert set(metrics) == {"reward/loss"}
    points = metrics["reward/loss"]
    assert 300 <= len(points) <= 401
    assert (points[0], points[-1]) == ([0, 1.0], [999, 0.001])
    assert live["log"].splitlines() == ["bold words"] * 200
    assert live["status"] == "queued"


def test_a_run_is_stopped_once_and_tried_again(client, campaign):
    run = make_run(campaign)
    client.post(reverse("cancel_run", args=[run.pk]), {"reason": "wrong data"})
    run.refresh_from_db()
    assert run.status == "cancelled"
    again = client.post(reverse("cancel_run", args=[run.pk]), follow=True)
    assert "cannot cancel" in again.text
    client.post(reverse("retry_run", args=[run.pk]))
    assert Run.objects.filter(status="queued").count() == 1


def test_a_model_shows_where_it_comes_from_and_goes_back_with_a_reason(client, manager, campaign):
    base = cast.make_policy(campaign.model_family)
    registry.promote(base, by=manager, reason="to begin")
    run = make_run(campaign, kind="policy")
    better = succeed(run, "policy-1", {})
    page = client.get(reverse("model", args=[better.pk])).text
    assert f"run {run.pk}" in page
    assert str(run.snapshot) in page
    assert base.name in page
    refused = client.post(reverse("promote", args=[better.pk]), {"reason": " "}, follow=True)
    assert "needs a named person and a reason" in refused.text
    client.post(reverse("promote", args=[better.pk]), {"reason": "people like it"})
    assert registry.champion(campaign.model_family, "policy") == better
    assert "people like it" in client.get(reverse("model", args=[better.pk])).text
    client.post(reverse("roll_back", args=[better.pk]), {"reason": "it rambles"})
    assert registry.champion(campaign.model_family, "policy") == base


def test_a_snapshot_is_cut_shown_and_downloaded(client, campaign):
    client.post(reverse("cut_snapshot", args=[campaign.slug]))
    snapshot = campaign.snapshots.get()
    page = client.get(reverse("snapshot", args=[snapshot.pk])).text
    assert snapshot.digest in page
    answer = client.get(reverse("download", args=[snapshot.pk, "trl-preference"]))
    assert answer.streaming
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer)))
    assert {"README.md", "manifest.json", "data/train.jsonl"} <= set(archive.namelist())
    assert (
        "nothing to say" in client.get(reverse("download", args=[snapshot.pk, "trl-sft"]), follow=True).text
    )
    assert "no format" in client.get(reverse("download", args=[snapshot.pk, "parchment"]), follow=True).text
    assert campaign.name in client.get(reverse("snapshots"), {"campaign": campaign.slug}).text


def test_a_snapshot_of_nothing_is_refused_in_words(client, manager):
    empty = cast.make_campaign(by=manager)
    page = client.post(reverse("cut_snapshot", args=[empty.slug]), follow=True)
    assert "There are no judgments or edits to take yet." in page.text
    assert not empty.snapshots.exists()


def test_training_on_a_snapshot_needs_a_checkpoint_and_says_so(client, campaign):
    snapshot = snapshots.cut(campaign)
    for kind, says in [("reward", "There is no checkpoint"), ("policy", "with a transformers checkpoint")]:
        page = client.post(reverse("start_run", args=[snapshot.pk]), {"kind": kind}, follow=True)
        assert says in page.text
    assert not Run.objects.exists()


def test_a_program_cuts_downloads_and_stops(manager, campaign):
    client = Client(headers={"Authorization": f"Token {tokens.issue(manager, 'program')}"})
    cut = client.post(
        reverse("api_snapshots", args=[campaign.slug]), {"filters": {"rounds": [1]}}, "application/json"
    )
    assert (cut.status_code, cut.json()["counts"]["judgments"]) == (201, 1)
    pk = cut.json()["id"]
    answer = client.get(reverse("api_download", args=[pk]), {"format": "canonical-jsonl"})
    assert "data/train.jsonl" in zipfile.ZipFile(io.BytesIO(b"".join(answer))).namelist()
    unknown = client.get(reverse("api_download", args=[pk]), {"format": "parchment"})
    assert (unknown.status_code, list(unknown.json())) == (400, ["format"])
    bad = client.post(
        reverse("api_snapshots", args=[campaign.slug]), {"filters": {"moon": 1}}, "application/json"
    )
    assert bad.status_code in {400, 409}

    run = make_run(campaign, round=campaign.rounds.get())
    shown = client.get(reverse("api_run", args=[run.pk])).json()
    assert (shown["round"], shown["evaluation"]) == (1, None)
    assert (
        client.post(reverse("api_cancel_run", args=[run.pk]), content_type="application/json").json()[
            "status"
        ]
        == "cancelled"
    )
    assert (
        client.post(reverse("api_cancel_run", args=[run.pk]), content_type="application/json").status_code
        == 409
    )
    other = cast.make_campaign(by=manager)
    start = client.post(
        reverse("api_runs", args=[other.slug]), {"kind": "reward", "snapshot": pk}, "application/json"
    )
    assert start.json() == {"snapshot": ["This snapshot is of another campaign."]}


def test_runs_of_an_api_page_cost_few_queries(client, campaign, django_assert_max_num_queries):
    for _ in range(6):
        make_run(campaign)
    with django_assert_max_num_queries(7):
        assert len(client.get(reverse("api_runs", args=[campaign.slug])).json()["results"]) == 6
