"""The pages and the API of judges, targets and verifiers say what was measured, and refuse by name."""

import csv
import io

import pytest
from django.test import Client
from django.urls import reverse

from labeling.models import Campaign
from preferences.types import Estimate, Interval
from tests import cast
from tests.training import cast as labels
from training import judges, snapshots
from training.models import JudgeTemplate, JudgeVerdict, Judging, Run, Target, TargetCheck

pytestmark = pytest.mark.django_db


def estimate(value: float, n: int = 40) -> dict[str, object]:
    return {"value": value, "interval": [value - 0.05, value + 0.05], "n": n, "why": ""}


@pytest.fixture
def campaign(folders) -> Campaign:
    return cast.make_campaign(by=cast.make_user("manager"), name="Kind answers")


@pytest.fixture
def manager(campaign: Campaign) -> Client:
    client = Client()
    assert campaign.created_by is not None
    client.force_login(campaign.created_by)
    return client


@pytest.fixture
def judging(campaign: Campaign) -> Judging:
    judge = labels.make_model(campaign.model_family, "policy", "judge")
    template = JudgeTemplate.objects.create(campaign=campaign, digest="ab" * 32, text=judges.FIRST_TEMPLATE)
    values = dict.fromkeys(judges.SHOWN, 0.7) | {"position": 0.62, "difference": -0.1}
    figures = {key: estimate(value) for key, value in values.items()} | {"tasks": 1, "unread": 1}
    found = Judging.objects.create(
        campaign=campaign, judge=judge, template=template, tasks=1, status="done", figures=figures, votes=2
    )
    task = labels.make_task(cast.make_round(campaign), ("one", "another"))
    labels.judge(task, cast.make_user(), -2)
    labels.judge(task, cast.make_user(), -2, order_shown=[1, 0])
    JudgeVerdict.objects.create(
        task=task, judge=judge, template=template, answers=["=A", "what?"], first=-1, second=None
    )
    return found


def test_the_page_of_judges_shows_them_beside_people(
    manager: Client, campaign: Campaign, judging: Judging
) -> None:
    page = manager.get(reverse("judges", args=[campaign.slug]))
    text = page.content.decode()
    assert "The judge agrees with people less often than they agree with each other." in text
    assert "It leans to the answer that is shown first." in text
    assert "1 of its 2 answers can&#x27;t be read as a verdict." in text
    assert "62.0 %" in text
    rows = list(csv.DictReader(io.StringIO(manager.get(
        reverse("judges_csv", args=[campaign.slug, judging.pk])
    ).content.decode())))  # fmt: skip
    [row] = rows
    assert (row["answer_first_order"], row["first_order"], row["second_order"]) == ("'=A", "-1", "")
    assert (row["people_first"], row["people_second"], row["people_tie"]) == ("1", "1", "0")
    [shown] = manager.get(f"/api/v1/campaigns/{campaign.slug}/judges/").json()["results"]
    assert shown["figures"]["position"]["value"] == 0.62
    assert shown["template"] == judges.FIRST_TEMPLATE


def test_a_judge_is_asked_by_name_and_in_whole_words(
    manager: Client, campaign: Campaign, judging: Judging
) -> None:
    address = reverse("judges", args=[campaign.slug])
    wrong = {"judge": judging.judge_id, "tasks": 5, "template": "{conversation} {a}"}
    assert "The template lacks {b}." in manager.post(address, wrong).content.decode()
    given = {**wrong, "template": "{conversation} {a} {b}"}
    assert manager.post(address, given).status_code == 302
    started = campaign.judgings.order_by("-pk")[0]
    assert (started.tasks, started.template and started.template.text) == (5, "{conversation} {a} {b}")
    api = f"/api/v1/campaigns/{campaign.slug}/judges/"
    again = manager.post(api, {"judge": judging.judge_id, "tasks": 5}, content_type="application/json")
    assert again.status_code == 409
    refused = manager.post(
        api, {"judge": judging.judge_id, "tasks": 5, "template": "x"}, content_type="application/json"
    )
    assert (refused.status_code, refused.json()["detail"]) == (400, ["The template lacks {conversation}."])


@pytest.fixture
def target(campaign: Campaign) -> Target:
    base = labels.make_model(campaign.model_family, "policy", "base", status="champion")
    better = labels.make_model(campaign.model_family, "policy", "better", parent=base)
    made = Target.objects.create(
        campaign=campaign, source=cast.make_campaign(name="Emails"), description="It claims to have sent it.",
        pattern=r"\bsent\b", base=base, created_by=campaign.created_by,
    )  # fmt: skip
    nothing = {"value": None, "interval": None, "n": 0, "why": "there is no policy before it"}
    for version, rate, change in ((base, 0.8, nothing), (better, 0.2, estimate(-0.6))):
        TargetCheck.objects.create(
            target=made, version=version, rate={"rate": estimate(rate), "change": change},
            answers=[["ab", "I sent it.", True]], measured_at=made.created_at,
        )  # fmt: skip
    return made


def test_the_page_of_targets_shows_how_failures_fade(
    manager: Client, campaign: Campaign, target: Target, django_assert_max_num_queries
) -> None:
    with django_assert_max_num_queries(16):
        text = manager.get(reverse("targets", args=[campaign.slug])).content.decode()
    assert "80.0 %" in text
    assert "−60.0 %" in text
    assert 'data-plot="target-' in text
    address = reverse("change_target", args=[campaign.slug, target.pk])
    manager.post(address, {"weight": "2.5"})
    target.refresh_from_db()
    assert (target.weight, target.active) == (2.5, False)
    manager.post(address, {"weight": "many", "active": "on"})
    target.refresh_from_db()
    assert (target.weight, target.active) == (2.5, False)
    given = manager.get(reverse("target_csv", args=[campaign.slug, target.pk])).content.decode()
    assert "base,ab,1,I sent it." in given
    api = f"/api/v1/campaigns/{campaign.slug}/targets/"
    [shown] = manager.get(api).json()["results"]
    assert [check["rate"]["value"] for check in shown["checks"]] == [0.8, 0.2]
    changed = manager.patch(f"{api}{target.pk}/", {"active": True}, content_type="application/json").json()
    assert (changed["weight"], changed["active"]) == (2.5, True)


def test_a_target_is_refused_by_its_field(manager: Client, campaign: Campaign, target: Target) -> None:
    given = {
        "name": "Emails too", "description": "Claims.", "pattern": "(", "fails": "found", "weight": 1,
        "prompts": "Send it.",
    }  # fmt: skip
    address = reverse("targets", args=[campaign.slug])
    assert "no regular expression" in manager.post(address, given).content.decode()
    given["pattern"] = "sent"
    assert "Of these 1 prompts" in manager.post(address, given).content.decode()
    assert "give a number" not in manager.get(address).content.decode()
    answer = manager.post(
        f"/api/v1/campaigns/{campaign.slug}/targets/", given, content_type="application/json"
    )
    assert list(answer.json()) == ["prompts"]
    assert Target.objects.count() == 1


def test_the_page_of_a_run_says_what_its_verifier_is_worth(manager: Client, campaign: Campaign) -> None:
    task = labels.make_task(cast.make_round(campaign), ("one", "another"))
    labels.judge(task, cast.make_user(), -2)
    found = Estimate(0.71, Interval(0.6, 0.8), 90)
    figure = {"value": found.value, "interval": list(found.interval or ()), "n": found.n}
    bins = [{"low": 0.5, "high": 0.6, "n": 9, "claimed": 0.55, "found": 0.5, "interval": [0.3, 0.7]}]
    calibration = {
        "temperature": 1.4, "n": 60, "before": {**figure, "bins": bins}, "after": {**figure, "bins": bins}
    }  # fmt: skip
    run = Run.objects.create(
        campaign=campaign, kind="policy", snapshot=snapshots.cut(campaign), status="failed",
        parent=labels.make_model(campaign.model_family, "policy", "base"),
        result={"stages": [{"name": "verify", "steps": 3, "verifier": {
            "accuracy": figure, "reward_accuracy": figure, "against_reward": figure,
            "calibration": calibration,
        }}]},
    )  # fmt: skip
    text = manager.get(reverse("run", args=[run.pk])).content.decode()
    assert "The policy as its own verifier" in text
    assert "71.0 %" in text
    assert 'data-plot="calibration"' in text
    assert "verify · steps" in text
