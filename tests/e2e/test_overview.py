"""The overview and a run's page follow what happens, are read by keys, and hold for everybody."""

import random
import shutil

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import Role
from labeling import counting, quality
from tests.cast import add_task, make_campaign, make_open_round, make_round, make_user
from tests.e2e.access import axe, large_text
from tests.e2e.desk import answer
from tests.e2e.places import sign_in
from tests.training.cast import judge, make_model
from training import runs
from training.models import Run, RunMetric, Snapshot

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def rafi():
    return make_user(username="rafi")


@pytest.fixture
def campaign(rafi):
    return make_campaign(by=make_user(Role.MANAGER, "mara"), raters=(rafi,), name="Kitchen talk")


def cells(page: Page, key: str):
    return page.locator(f'figure[data-plot="{key}"] tbody td')


def test_a_judgment_given_elsewhere_comes_into_the_plots_by_itself(
    page: Page, browser: Browser, live_server, campaign, rafi, troubles
):
    make_open_round(campaign, comparisons=3)
    sign_in(page.context, campaign.created_by, live_server.url)
    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/")
    expect(page.locator('figure[data-plot="progress"] canvas')).to_be_visible()
    progress = cells(page, "progress")
    expect(progress.nth(0)).to_contain_text("0")
    expect(page.get_by_text("Nobody has sent a label in this time.").first).to_be_visible()
    page.evaluate("window.same = true")
    with browser.new_context() as elsewhere:
        desk = elsewhere.new_page()
        sign_in(elsewhere, rafi, live_server.url)
        desk.goto(f"{live_server.url}/rate/{campaign.slug}/")
        desk.wait_for_selector("#work[data-ready]")
        answer(desk, "1")
        # the plots, their tables, and what was empty before
        expect(progress.nth(0)).to_contain_text("1")
    expect(page.locator('figure[data-plot="hours"] canvas')).to_be_visible()
    expect(cells(page, "days").first).to_contain_text("1")
    assert page.evaluate("window.same")


def test_a_runs_curve_and_log_grow_while_it_runs(page: Page, live_server, campaign, troubles):
    run = Run.objects.create(
        campaign=campaign,
        kind="reward",
        status="running",
        snapshot=Snapshot.objects.create(campaign=campaign, digest="a" * 64),
        parent=make_model(campaign.model_family, "policy", "base"),
    )
    folder = runs.folder(run)
    shutil.rmtree(folder, ignore_errors=True)  # of a run of the same number in another test
    folder.mkdir(parents=True, exist_ok=True)
    sign_in(page.context, campaign.created_by, live_server.url)
    page.goto(f"{live_server.url}/runs/{run.pk}/")
    expect(page.get_by_text("No point yet: the first comes after some steps.")).to_be_visible()
    for step in range(3):
        RunMetric.objects.create(run=run, name="reward/loss", step=step, value=0.7 - step / 10)
    (folder / "log.txt").write_text("three steps\n")
    expect(cells(page, "reward/loss")).to_have_count(3)
    expect(page.locator("#run-log")).to_contain_text("three steps")
    RunMetric.objects.create(run=run, name="reward/loss", step=3, value=0.25)
    expect(cells(page, "reward/loss")).to_have_count(4)
    figure = page.locator('figure[data-plot="reward/loss"]')
    expect(figure.locator("canvas")).to_be_visible()
    with page.expect_download() as found:
        figure.get_by_role("link", name="CSV").click()
    assert found.value.path().read_text().splitlines()[-1].startswith("3,0.25")


def test_plots_are_read_by_keys_and_axe_and_large_text_find_nothing(
    page: Page, live_server, campaign, rafi, troubles, monkeypatch
):
    monkeypatch.setattr(counting, "SETTLED", -1)
    chance, raters = random.Random(0), [make_user() for _ in range(4)]
    for _ in range(2):
        round_ = make_round(campaign)
        for _ in range(8):
            task = add_task(round_, ("short", "- a longer\n- answer"), overlap=3)
            for rater in chance.sample(raters, 3):
                judge(task, rater, chance.choice([-2, -1, 1, 2]), active_ms=9000)
    quality.refresh(campaign)
    counting.catch_up()
    sign_in(page.context, campaign.created_by, live_server.url)
    page.emulate_media(reduced_motion="reduce")
    page.goto(f"{live_server.url}/campaigns/{campaign.slug}/")
    expect(page.locator('figure[data-plot="rater-pace"] canvas')).to_be_visible()
    stage = page.get_by_role("slider", name="Agreement by round")
    stage.focus()
    page.keyboard.press("End")
    readout = page.locator('figure[data-plot="agreement"] .readout')
    expect(readout).to_contain_text("Round 2: Pairs of verdicts that agree")
    page.keyboard.press("ArrowLeft")
    expect(readout).to_contain_text("Round 1: ")
    assert (stage.get_attribute("aria-valuetext") or "").startswith("Round 1: ")
    page.keyboard.press("Escape")
    expect(readout).to_be_empty()
    page.evaluate("for (const e of document.querySelectorAll('details')) e.open = true")
    assert [*axe(page), *large_text(page)] == []
