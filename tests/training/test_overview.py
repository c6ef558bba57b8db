"""The plots of a campaign's overview and of a run: what they show, as JSON, as a table and as CSV."""

import csv
import io
import shutil
from datetime import timedelta
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from labeling import assignment, counting, judgments, quality
from labeling.models import Adjudication, HourCount, RaterCount, Reliability
from tests.cast import make_campaign, make_open_round, make_user
from tests.training.cast import make_model
from training import overview, run_plots, runs
from training.models import Run, RunMetric, Snapshot

pytestmark = pytest.mark.django_db


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rafi):
    return make_campaign(raters=(rafi,))


@pytest.fixture
def manager(client):
    mara = make_user(Role.MANAGER, "mara-of-plots")
    client.force_login(mara)
    return mara


def say(rater, campaign):
    slot = assignment.claim(rater, campaign)
    return judgments.submit(rater, slot.lease, idempotency_key=uuid4(), verdict=2, active_ms=6000)


def plots(client, campaign, **headers):
    answer = client.get(reverse("api_campaign_plots", args=[campaign.slug]), headers=headers)
    return {plot["key"]: plot for plot in answer.json()["plots"]} if answer.status_code == 200 else answer


def make_run(campaign, **fields):
    return Run.objects.create(
        campaign=campaign,
        kind="reward",
        snapshot=Snapshot.objects.create(campaign=campaign, digest=f"{campaign.pk:064}"),
        parent=make_model(campaign.model_family, "policy", "base"),
        **fields,
    )


def test_a_new_campaign_says_for_every_plot_what_is_to_be_done(client, manager, campaign):
    found = plots(client, campaign)
    assert list(found) == list(overview.PLOTS)
    for plot in found.values():
        assert plot["why"].endswith("."), plot["key"]
        assert "NaN" not in str(plot)
    page = client.get(reverse("campaign", args=[campaign.slug])).text
    assert "Nobody has sent a label in this time" in page
    assert "no round is open" in page


def test_a_judgment_is_in_the_plots_at_once_and_changes_their_tag(client, manager, campaign, rafi):
    make_open_round(campaign, comparisons=2)
    first = client.get(reverse("api_campaign_plots", args=[campaign.slug]))
    same = plots(client, campaign, **{"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    say(rafi, campaign)
    found = plots(client, campaign, **{"If-None-Match": first["ETag"]})
    assert found["progress"]["series"][0]["values"] == [1]
    assert found["progress"]["series"][1]["words"] == ["\u20662\u2069"]
    assert sum(found["hours"]["series"][0]["values"]) == 1
    assert len(found["hours"]["labels"]) == overview.HOURS
    assert found["days"]["series"][0]["values"] == [1]


def test_a_304_costs_a_handful_of_queries_and_all_plots_as_many_however_much_there_is(
    client, manager, campaign, rafi, django_assert_max_num_queries
):
    make_open_round(campaign, comparisons=5)
    for _ in range(4):
        say(rafi, campaign)
    quality.refresh(campaign)
    address = reverse("api_campaign_plots", args=[campaign.slug])
    with django_assert_max_num_queries(30):
        first = client.get(address)
    with django_assert_max_num_queries(6):
        client.get(address, headers={"If-None-Match": first["ETag"]})
    with django_assert_max_num_queries(75):
        client.get(reverse("campaign", args=[campaign.slug]))


def test_raters_are_drawn_from_what_workers_counted(client, manager, campaign, rafi, monkeypatch):
    make_open_round(campaign, comparisons=3)
    for _ in range(3):
        say(rafi, campaign)
    monkeypatch.setattr(counting, "SETTLED", -1)
    counting.catch_up()
    Reliability.objects.create(
        campaign=campaign,
        rater=rafi,
        judgments=3,
        ability=0.9,
        ability_se=0.1,
        gold_right=3,
        gold_asked=4,
        computed_at=timezone.now(),
    )
    RaterCount.objects.update(pasted=30, typed=10, edits=2)
    found = plots(client, campaign)
    assert found["rater-pace"]["series"][0]["values"] == [600]
    assert found["rater-paste"]["series"][0]["values"] == [0.75]
    ability = found["rater-ability"]["series"][0]
    assert ability["low"][0] == pytest.approx(0.704)
    assert ability["more"] == ["\u20660.70–1.10\u2069 · n = 3"]
    assert found["rater-gold"]["series"][0]["values"] == [0.75]
    assert found["rater-side"]["why"] == "Nothing to show: too little has been said here to tell."


def test_disputes_are_drawn_as_they_waited_day_by_day(campaign):
    round_ = make_open_round(campaign, comparisons=3)
    tasks, now = list(round_.tasks.order_by("pk")), timezone.now()
    for task, opened, decided in zip(tasks, (5, 4, 3), (2, None, None), strict=True):
        row = Adjudication.objects.create(
            campaign=campaign,
            task=task,
            reason="disagreement",
            reviewer=campaign.created_by,
            decided_at=now - timedelta(days=decided) if decided else None,
        )
        Adjudication.objects.filter(pk=row.pk).update(opened_at=now - timedelta(days=opened))
    marks = overview.one(campaign, "disputes").series[0].marks
    assert [mark.estimate.n for mark in marks[-7:]] == [0, 1, 2, 3, 2, 2, 2]


def test_pace_and_time_left_are_in_the_sentence(campaign, rafi):
    make_open_round(campaign, comparisons=30)
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago in range(1, 40):
        hour = now - timedelta(hours=ago)
        HourCount.objects.create(campaign=campaign, hour=hour, judgments=20, first_at=hour)
    says = overview.one(campaign, "hours").says
    assert "labels an hour over the last 24 hours" in says
    assert "30 labels left: about" in says


def test_a_table_is_given_as_csv_by_page_and_api(client, manager, campaign, rafi):
    make_open_round(campaign, comparisons=2)
    say(rafi, campaign)
    page = client.get(reverse("campaign_plot_csv", args=[campaign.slug, "progress"]))
    api = client.get(reverse("api_campaign_plot", args=[campaign.slug, "progress"]), {"format": "csv"})
    assert page.content == api.content
    head, row = csv.reader(io.StringIO(page.text))
    assert head[:2] == ["Round", "Labels"]
    assert row[:2] == ["1", "1.0"]
    for address in ("campaign_plot_csv", "api_campaign_plot"):
        assert client.get(reverse(address, args=[campaign.slug, "none"])).status_code == 404


def test_a_run_draws_every_point_and_its_page_a_few(client, manager, campaign):
    run = make_run(campaign, status="running")
    empty = client.get(reverse("api_run_plots", args=[run.pk]))
    assert empty.json() == {"plots": [], "why": "No point yet: the first comes after some steps."}
    RunMetric.objects.bulk_create(
        RunMetric(run=run, name="sft/loss", step=step, value=1 / (step + 1)) for step in range(300)
    )
    answer = client.get(
        reverse("api_run_plots", args=[run.pk]), headers={"If-None-Match": empty["ETag"]}
    ).json()
    (plot,) = answer["plots"]
    assert (plot["key"], plot["title"], plot["at"][-1], len(plot["at"])) == (
        "sft/loss",
        "sft · loss",
        299,
        300,
    )
    page = client.get(reverse("run", args=[run.pk])).text
    assert page.count('<tr><th scope="row"><bdi>') == run_plots.IN_TABLE  # the last one among them
    lines = client.get(reverse("run_plot_csv", args=[run.pk, "sft/loss"])).text.splitlines()
    assert len(lines) == 301


def test_a_log_is_given_whole_and_its_tail_however_long(client, manager, campaign):
    run = make_run(campaign)
    shutil.rmtree(runs.folder(run), ignore_errors=True)  # of a run of the same number in another test
    assert client.get(reverse("run_log", args=[run.pk])).content == b""
    folder = runs.folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    whole = "".join(f"step {number} of a long run\n" for number in range(20_000))
    (folder / "log.txt").write_text(whole)
    assert b"".join(client.get(reverse("run_log", args=[run.pk])).streaming_content) == whole.encode()
    found = client.get(reverse("api_run_log", args=[run.pk])).json()
    assert found["bytes"] == len(whole)
    assert found["text"].splitlines() == whole.splitlines()[-200:]
    first = client.get(reverse("run_live", args=[run.pk]))
    again = client.get(reverse("run_live", args=[run.pk]), headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
