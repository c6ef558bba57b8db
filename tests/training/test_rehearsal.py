"""A small rehearsal with real workers, the real demo policy, and nothing to learn: it must learn nothing."""

import json
import shutil
from dataclasses import replace
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User
from config import stack
from labeling import campaigns, demo, judgments, rounds
from labeling.models import Judgment, Prompt, Skip
from labeling.prompts import content_hash, split_of
from models_app import sampling
from models_app.demo import corpus
from preferences.simulation import TASTES, SimulatedRater
from preferences.types import Estimate, Interval
from tests import cast
from training import comparators, contest, loop, rehearsal_plot, replay, simulated_raters, snapshots
from training.comparators import Outcome
from training.contest import first_of
from training.models import Run
from training.rehearsal import Plan, RehearsalError, RoundReport, begin, rehearse, staged

PROMPTS = 400


@pytest.fixture
def workers():
    """Run one worker per queue, and beat, on the test's database."""
    # a run of an earlier database may have had the same key
    for folder in (settings.RUNS_DIR, settings.MODELS_DIR):
        shutil.rmtree(folder, ignore_errors=True)
    found = connection.settings_dict
    url = f"postgresql://{found['USER']}@/{found['NAME']}?host={quote(str(found['HOST']), safe='')}"
    with stack.workers(environment={"DATABASE_URL": url, "CONDUCTOR_SECONDS": "1", "OMP_NUM_THREADS": "1"}):
        yield


@pytest.fixture
def campaign(db):
    by = cast.make_user("manager")
    campaign = cast.make_campaign(
        by=by,
        slug="little",
        base_policy={"name": "base", "backend": "transformers", "location": str(demo.POLICY)},
        sampling=sampling.get_config(max_new_tokens=64),
        hyper={"policy": {"best_of_prompts": 48, "best_of_samples": 4, "evaluation_prompts": 40}},
        tasks_per_round=7,
        edit_share=0.5,
    )
    for prompt in corpus.prompts(PROMPTS, seed=2):
        digest = content_hash(prompt["messages"])
        campaign.prompts.create(messages=prompt["messages"], content_hash=digest, split=split_of(digest))
    return campaign


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(900)
def test_coin_flips_teach_nothing(campaign, workers, tmp_path, capsys):
    files = {name: tmp_path / name for name in ("json", "samples", "plot")}
    call_command(
        "rehearse",
        campaign="little",
        rounds=1,
        judgments=60,
        coin_flips=True,
        **files,
    )
    figures = json.loads(files["json"].read_text())
    assert figures["taste"] == "coin-flips"
    (turn,) = figures["rounds"]
    assert set(turn) == {
        "round", "judgments", "reward_accuracy", "reward_accuracy_interval", "win_rate", "win_rate_interval",
        "distinct", "mean_words", "base_words", "right", "wrong", "evasive", "right_gain",
        "right_gain_interval", "snapshot", "weights", "seconds",
    }  # fmt: skip
    low, high = turn["win_rate_interval"]
    assert low <= 0.5 <= high
    assert turn["distinct"] > 0.9
    assert turn["judgments"] == 60
    assert "1 rounds in" in capsys.readouterr().out
    told = json.loads(files["samples"].read_text())["samples"]
    assert len(told) == 10
    assert all(sample.keys() == {"prompt", "base", "policy"} for sample in told)
    assert {"60", "rounds of 60 labels"} <= set(ElementTree.parse(files["plot"]).getroot().itertext())
    # everything went the way that it goes with people, and is there to be looked at
    assert Judgment.objects.filter(task__campaign=campaign, slot__isnull=False).count() == 60
    assert User.objects.filter(simulated=True).count() == 10
    run = Run.objects.get(campaign=campaign, kind="reward")
    assert run.status == "succeeded"
    assert run.evaluation.checks
    campaign.refresh_from_db()
    assert (campaign.tasks_per_round, campaign.edit_share, campaign.max_rounds) == (7, 0.5, None)
    replays_alike(run, tmp_path / "replay.json")


def replays_alike(run, file):
    """Run a rehearsed round again: everything comes out the same; then not the answer that was changed."""
    number = run.round.number
    call_command("replay", "little", number, json=file)
    findings = {finding["what"]: finding for finding in json.loads(file.read_text())["findings"]}
    assert {"answers", "labels", "reward job", "reward model", "reward figures"} <= findings.keys()
    assert all(finding["same"] for finding in findings.values()), findings
    total = run.round.responses.count()
    assert findings["answers"]["says"] == f"{total} of {total} answers came out the same."
    answer = run.round.responses.first()
    answer.text += " And more."
    answer.save()
    found = replay.draw_again(run.round, lambda stage, done, total: None)
    assert (found.same, found.says) == (False, f"{total - 1} of {total} answers came out the same.")
    stored = snapshots.path(run.snapshot) / "prompts.parquet"
    stored.write_bytes(stored.read_bytes() + b"x")
    found = replay.check_labels(run.snapshot)
    assert not found.same
    assert "prompts.parquet" in found.says


@pytest.mark.django_db
def test_a_rehearsal_that_cannot_be_is_refused_in_words():
    for arguments, sentence in (
        ({"campaign": "nowhere"}, "no campaign “nowhere”"),
        ({"rounds": 0}, "at least 1"),
        ({"noise": 1.5}, "between 0 and 1"),
    ):
        with pytest.raises(CommandError, match=sentence):
            call_command("rehearse", **arguments)


@pytest.mark.django_db
def test_a_pause_ends_the_rehearsal_with_its_reason(campaign):
    plan = Plan(campaign, rounds=1, judgments=5)
    start = begin(plan)
    with staged(plan, start) as raters:
        assert len(raters) == 10
        campaigns.pause_loop(campaign, "The disk is full.")
        with pytest.raises(RehearsalError, match=r"The loop has paused: The disk is full\."):
            next(rehearse(plan, start, raters, lambda stage, done, total: None))
    campaign.refresh_from_db()
    assert campaign.tasks_per_round == 7


@pytest.mark.django_db
def test_what_stands_beside_a_rehearsal_has_the_same_prompts_and_models_of_its_own(campaign):
    copies = [comparators.twin(campaign, "one-round") for _ in range(2)]
    assert [copy.slug for copy in copies] == ["little-one-round", "little-one-round-2"]
    for copy in copies:
        assert copy.status == "paused"
        assert copy.hyper == campaign.hyper
        hashes = [set(c.prompts.values_list("content_hash", "split")) for c in (copy, campaign)]
        assert hashes[0] == hashes[1]
        base = contest.champion(copy)
        assert base.location == str(demo.POLICY)
        assert base != contest.champion(campaign)


@pytest.mark.django_db
def test_a_plot_shows_the_rounds_and_what_stands_beside_them(campaign):
    rounds = [RoundReport(**dict.fromkeys(RoundReport.__annotations__)) for _ in range(2)]
    rounds = [replace(r, judgments=400, win_rate=0.7, win_rate_interval=[0.6, 0.8]) for r in rounds]
    beside = contest.Contest(Estimate(0.6, Interval(0.5, 0.7), 240), 1.0, 20.0, 30.0, None)
    others = [Outcome(name, 800, beside) for name in ("dpo", "best-of-n", "coin-flips")]
    drawn = ElementTree.fromstring(rehearsal_plot.plot(rounds, others))
    words = list(drawn.itertext())
    assert {"400", "800", "DPO on all labels at once", "the base itself"} <= set(words)
    assert words.count("800") == 1


@pytest.mark.django_db
def test_faulty_raters_are_among_the_others(campaign):
    plan = Plan(campaign, faulty=True)
    with staged(plan, begin(plan)) as raters:
        weak, random, one_sided, length_only, *others = (rater for _, rater in raters)
    assert len(others) == 6
    assert random.ability < weak.ability == pytest.approx(0.45 * 4)
    assert abs(one_sided.side_bias) * one_sided.ability == pytest.approx(2.5)
    assert length_only.length_taste * length_only.ability > 2


@pytest.mark.django_db
def test_the_base_is_the_first_of_its_line(campaign):
    base = loop.registry.champion("little", "policy")
    child = cast.make_policy("little", "child")
    child.parent = base
    grandchild = cast.make_policy("little", "grandchild")
    grandchild.parent = child
    assert first_of(grandchild) == base


@pytest.mark.django_db
def test_simulated_raters_rank_by_their_taste_and_pass_rewrites_over():
    rater = cast.make_user(simulated=True)
    campaign = cast.make_campaign(raters=(rater,))
    round_ = cast.make_round(campaign)
    cast.add_task(round_, ("word " * 2, "word " * 40, "word " * 9, "word " * 2))
    cast.add_task(round_, ("to mend",))
    rounds.open_(round_)
    eyes, taste = SimulatedRater("sharp", noise=0.0), TASTES["length"]
    allowed = judgments.verdicts(campaign)
    made = [simulated_raters.work(rater, eyes, campaign, taste, allowed, seed=0) for _ in range(3)]
    assert sorted(made) == [False, False, True]
    assert Judgment.objects.get().ranking == [[1], [2], [0, 3]]
    assert Skip.objects.get().task.kind == "edit"


def labelled(places, *, seed=0):
    """Rehearse the judging of a round of some comparisons; return who said what of which texts, in order."""
    raters = [cast.make_user(simulated=True) for _ in range(3)]
    campaign = cast.make_campaign(raters=raters)
    round_ = cast.make_round(campaign)
    for place in places:
        task = cast.add_task(round_, (f"short {place}", f"a longer answer {place}"))
        messages = [{"role": "user", "content": f"question {place}"}]
        hash_ = content_hash(messages)
        Prompt.objects.filter(pk=task.prompt_id).update(messages=messages, content_hash=hash_)
    rounds.open_(round_)
    those = [(user, SimulatedRater(f"eyes-{n}", ability=1.0)) for n, user in enumerate(raters)]
    names = {user.pk: rater.name for user, rater in those}
    waiting = simulated_raters.deal(round_, those, 7, seed)
    assert waiting.total() == 7
    for turn in range(7):
        # some are killed in between: what is dealt stays dealt
        waiting = simulated_raters.deal(round_, those, 7, seed)
        assert waiting.total() == 7 - turn
        user, rater = next(pair for pair in those if waiting[pair[0].pk])
        allowed = judgments.verdicts(campaign)
        assert simulated_raters.work(user, rater, campaign, TASTES["length"], allowed, seed)
    assert not +simulated_raters.deal(round_, those, 7, seed)
    said = Judgment.objects.filter(task__round=round_).select_related("task__prompt")
    return {
        (j.task.prompt.messages[-1]["content"], names[j.rater_id], tuple(j.order_shown), j.verdict)
        for j in said
    }


@pytest.mark.django_db
def test_labels_depend_on_the_seed_and_on_texts_alone():
    first = labelled(range(9))
    assert len(first) == 7
    assert labelled([5, 3, 8, 0, 1, 7, 2, 6, 4]) == first
    other = labelled(range(9), seed=1)
    assert other != first
    assert {order for _, _, order, _ in first | other} == {(0, 1), (1, 0)}
