"""The card of a reward model: on its page, for programs, and as a file; and who overrode the gate."""

import io
import json
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from models_app import registry
from tests import cast
from tests.training import cast as labels
from training import cards, plots, snapshots
from training.engine import evaluation, held_out, report
from training.engine.data import Pair
from training.engine.held_out import HeldOut
from training.models import Evaluation, Run

pytestmark = pytest.mark.django_db
HELLO = [{"role": "user", "content": "Hello?"}]
BLOCKED = {
    "name": "Beats chance",
    "passed": False,
    "figure": 0.5,
    "interval": [0.4, 0.6],
    "n": 100,
    "says": "It agrees with 50.0% of 100 held-out votes, which may be chance.",
}


def measured(n: int = 800) -> dict[str, Any]:
    """Measure, as the engine does, a model that is right three times out of four and boasts a little."""
    rng = np.random.default_rng(0)

    def part(split: str, size: int) -> HeldOut:
        margin = rng.normal(1.5, 2.2, size)
        pairs = [
            Pair(
                f"p{i % (size // 4)}", HELLO, "word " * rng.integers(5, 60), "word " * rng.integers(5, 60),
                float(rng.choice([0.5, 0.6, 0.8, 1.0])), 1.0, f"r{i % 25}", i * 6 // size + 1, split,
                HELLO, HELLO, verdict=int(rng.integers(1, 4)), skills=("arabic",) if i % 3 else (),
                rater_held_out=i % 25 == 3,
            )
            for i in range(size)
        ]  # fmt: skip
        return HeldOut(pairs, np.column_stack([margin, np.zeros(size)]))

    train, validation, test = part("train", 3 * n), part("validation", n // 4), part("test", n)
    everything = [*train.pairs, *validation.pairs, *test.pairs]
    points = [
        {"share": share, "votes": int(3 * n * share), "value": 0.6 + at / 30, "interval": [0.55, 0.7], "n": n}
        for at, share in enumerate((0.125, 0.25, 0.5, 1.0))
    ]
    reach = held_out.reach(test, everything)
    agreed = {"value": 0.72, "interval": [0.7, 0.74], "n": 300}
    ceiling = {"value": 0.83, "interval": [0.82, 0.85], "n": 300}
    return {
        "test": evaluation.accuracy(test.probability, test.margin, test.prompts.tolist()),
        "validation": evaluation.accuracy(
            validation.probability, validation.margin, validation.prompts.tolist()
        ),
        "report": {
            **held_out.by_group(test),
            **reach,
            "agreement": agreed,
            "ceiling": ceiling,
            "of_ceiling": {"value": 0.9, "interval": [0.84, 0.97], "n": test.accuracy().n},
            "newest_round": held_out.newest_round(test, everything),
            "calibration": report.calibration(validation, test),
            "length": held_out.length(train.pairs, test),
            "learning_curve": {"points": points},
            "invariance": {"greatest": 3.1e-6, "n": 64},
        },
    }


@pytest.fixture
def manager():
    return cast.make_user("manager", username="mara")


@pytest.fixture
def client(manager):
    client = Client()
    client.force_login(manager)
    return client


@pytest.fixture
def make_version(folders, manager):
    """Make versions of one campaign's reward model, each with a result and perhaps a gate that refused it."""
    campaign = cast.make_campaign(by=manager, name="Kitchen talk", slug="kitchen")
    labels.judge(labels.make_task(cast.make_round(campaign), ("yes", "no")), cast.make_user(), 1)

    def make(name: str, result: dict[str, Any], *, refused: bool = False):
        made = labels.make_model(campaign.model_family, "reward", name)
        run = Run.objects.create(
            campaign=campaign, kind="reward", snapshot=snapshots.cut(campaign), status="succeeded",
            parent=cast.make_policy(campaign.model_family), produced=made, result=result,
        )  # fmt: skip
        Evaluation.objects.create(run=run, passed=not refused, checks=[BLOCKED | {"passed": not refused}])
        return made

    return make


def test_the_page_shows_every_figure_and_a_plot_with_its_table(client, make_version):
    version = make_version("reward-1", measured())
    page = client.get(reverse("model", args=[version.pk])).text
    for key in ("strength", "round", "calibration", "length", "learning"):
        assert f'data-plot="{key}"' in page
    assert page.count('role="img"') == page.count("As a table") == 5
    assert "style=" not in page
    assert "Raters with the skill arabic" in page
    assert "64 answers were scored alone" in page
    assert "Reward and length, among ties" in page
    assert "None" not in page.replace("None yet", "")


def test_a_result_without_report_and_a_registered_model_say_so(client, make_version, manager):
    old = make_version("reward-1", {"test": {"n": 4, "accuracy": 0.5, "interval": None}})
    page = client.get(reverse("model", args=[old.pk])).text
    assert "it was not measured" in page
    assert "There are no votes to test on yet." in page
    registered = labels.make_model("kitchen", "reward", "bought")
    page = client.get(reverse("model", args=[registered.pk])).text
    assert "It was registered, not trained here" in page


def test_a_manager_overrides_the_gate_in_their_name(client, make_version, manager):
    version = make_version("reward-1", measured(), refused=True)
    page = client.get(reverse("model", args=[version.pk])).text
    assert "Making it the champion overrides, in your name:" in page
    client.post(reverse("promote", args=[version.pk]), {"reason": "raters like it"})
    (decision,) = cards.read(version).decisions
    assert (decision.overrode, decision.promotion.by) == (["Beats chance"], manager)
    page = client.get(reverse("model", args=[version.pk])).text
    assert "overridden" in page
    told = client.get(reverse("api_model_card", args=[version.pk])).json()
    (decision,) = told["decisions"]
    assert (decision["by"], decision["overrode"]) == ("mara", ["Beats chance"])
    assert decision["reason"] == "raters like it"
    # who promotes what the gate let pass overrides nothing
    good = make_version("reward-2", measured())
    registry.promote(good, by=manager, reason="newer")
    assert [d.overrode for d in cards.read(good).decisions] == [[]]


def test_programs_and_files_hold_the_same_card(client, make_version):
    result = measured()
    version = make_version("reward | 1", result)
    told = client.get(reverse("api_model_card", args=[version.pk])).json()
    assert told["result"] == json.loads(json.dumps(result))
    assert told["gate"]["checks"][0]["says"] == BLOCKED["says"]
    answer = client.get(reverse("model_card", args=[version.pk]))
    assert answer["Content-Type"].startswith("text/markdown")
    assert "attachment" in answer["Content-Disposition"]
    head, _, text = answer.text.removeprefix("---\n").partition("---\n")
    (index,) = json.loads(next(line for line in head.splitlines() if "model-index" in line).split(": ", 1)[1])
    assert index["results"][0]["metrics"][0]["value"] == result["test"]["accuracy"]
    assert "# reward | 1" in text
    for title in ("By strength of the verdict", "By round", "Would more votes help?", "Gate"):
        assert f"## {title}" in text
    assert "| strong | " in text
    policy = cast.make_policy("kitchen")
    assert client.get(reverse("model_card", args=[policy.pk])).status_code == 404
    assert client.get(reverse("api_model_card", args=[policy.pk])).status_code == 404


def test_a_plot_keeps_every_mark_and_whisker_within_it(make_version):
    shown = [section.plot for section in cards.read(make_version("r", measured())).sections if section.plot]
    assert len(shown) == 5
    for plot in shown:
        drawn = plots.draw(plot)
        for series in drawn["series"]:
            for x, y in series["places"]:
                assert drawn["left"] <= float(x) <= drawn["right"]
                assert 0 < float(y) <= drawn["base"]
            for _, low, high in series["whiskers"]:
                assert 0 < float(high) <= float(low) <= drawn["base"] + 0.1
        labels = [label for _, label in drawn["columns"]]
        assert 2 <= len(labels) <= 7
    many = [plots.Mark(n, str(n), shown[0].series[0].marks[0].estimate) for n in range(40)]
    drawn = plots.draw(plots.Plot("round", "Round", [plots.Series("a", many)]))
    assert len(drawn["columns"]) <= 7
    assert drawn["columns"][-1][1] == "39"


def test_commands_promote_and_roll_back_on_a_managers_behalf(make_version, manager):
    first, second = (
        make_version("reward-1", measured(40)),
        make_version("reward-2", measured(40), refused=True),
    )
    registry.promote(first, gate={"checks": []})
    said = io.StringIO()
    decide = {"by": "mara", "reason": "it is needed", "stdout": said}
    call_command("promote", "kitchen", "reward", "reward-2", **decide)
    assert said.getvalue() == "“reward-2” is the champion now, overriding: Beats chance.\n"
    assert registry.champion("kitchen", "reward") == second
    call_command("roll_back", "kitchen", "reward", **decide)
    assert registry.champion("kitchen", "reward") == first
    assert [d.promotion.reason for d in cards.read(second).decisions] == ["it is needed"] * 2
    rater = cast.make_user(username="rafi")
    for wrong, words in [
        (("kitchen", "reward", "reward-9"), "no reward model “reward-9”"),
        (("cellar", "reward", "reward-1"), "no campaign “cellar”"),
        (("kitchen", "reward", "reward-1"), "is the champion already"),
    ]:
        with pytest.raises(CommandError, match=words):
            call_command("promote", *wrong, **decide)
    with pytest.raises(CommandError, match="--by: “rafi” is no active manager"):
        call_command("roll_back", "kitchen", "reward", by=rater.username, reason="why not")
    with pytest.raises(CommandError, match="needs a named person and a reason"):
        call_command("promote", "kitchen", "reward", "reward-2", by="mara", reason=" ")
