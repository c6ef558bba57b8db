"""What a round asks, who answers, and that nothing but its seed and its campaign decides it."""

from collections import Counter
from pathlib import Path

import pytest
from django.utils import timezone

from labeling import assignment, generation, planning, rounds, superseding
from labeling.models import Campaign, Prompt, Response, Round, Task
from labeling.prompts import content_hash, split_of
from models_app import demo, registry, sampling
from models_app.models import ModelVersion
from tests.cast import make_campaign, make_prompt, make_user

pytestmark = pytest.mark.django_db

POLICY = str(Path(demo.__path__[0]) / "policy")
SHORT = {"max_new_tokens": 4}


def campaign_of(prompts: int, champions: int = 1, **settings: object) -> Campaign:
    """Make a campaign with prompts whose champions replaced each other, each the parent of the next."""
    by = make_user("manager")
    settings = {"sampling": sampling.get_config(**SHORT), **settings}
    campaign = make_campaign(by=by, raters=(make_user(),), **settings)
    parent = None
    for number in range(champions):
        parent = promote(campaign, f"v{number}", parent)
    for number in range(prompts):
        make_prompt(campaign, f"How long do I boil {number} eggs?")
    return campaign


def promote(campaign: Campaign, name: str, parent: ModelVersion | None = None) -> ModelVersion:
    version = registry.register(campaign.model_family, "policy", name, "transformers", POLICY, parent=parent)
    registry.promote(version, by=campaign.created_by, reason="to test")
    return version


def keep_for(campaign: Campaign, purpose: str, text: str) -> Prompt:
    messages = [{"role": "user", "content": text}]
    digest = content_hash(messages)
    return Prompt.objects.create(
        campaign=campaign,
        messages=messages,
        content_hash=digest,
        split=split_of(digest, purpose),
        purpose=purpose,
    )


def begin(campaign: Campaign) -> Round:
    round_ = rounds.create_next(campaign)
    rounds.start_generating(round_)
    return round_


def names(round_: Round, selection: str) -> Counter[tuple[str, ...]]:
    """Count who answers in the places of tasks chosen in a way."""
    return Counter(
        tuple(task.task_responses.values_list("response__policy__name", flat=True))
        for task in round_.tasks.filter(selection=selection)
    )


def test_the_champion_meets_the_one_it_replaced_and_its_forebears() -> None:
    campaign = campaign_of(20, champions=3, tasks_per_round=20, champion_share=0.25, history_share=0.5)
    round_ = begin(campaign)
    asked = Counter(round_.tasks.values_list("selection", flat=True))
    assert asked == {"champion": 5, "history": 10, "random": 5}
    assert generation.generate(round_.pk)
    assert names(round_, "champion") == {("v2", "v1"): 5}
    assert names(round_, "random") == {("v2", "v2"): 5}
    history = names(round_, "history")
    assert set(history) <= {("v2", "v1"), ("v2", "v0")}
    assert sum(history.values()) == 10
    assert [version["name"] for version in round_.plan["history"]] == ["v1", "v0"]
    assert all(task.probability == 1 for task in round_.tasks.all())


def test_a_base_meets_nobody() -> None:
    campaign = campaign_of(4, tasks_per_round=4, champion_share=0.5, history_share=0.5)
    keep_for(campaign, "evaluation", "What is the capital of Peru?")
    assert Counter(begin(campaign).tasks.values_list("selection", flat=True)) == {"random": 4}


def test_the_evaluation_set_is_asked_in_every_round_and_the_other_sets_in_none() -> None:
    campaign = campaign_of(30, champions=2, tasks_per_round=10)
    fixed = {keep_for(campaign, "evaluation", f"What is {n} times 7?").pk for n in range(3)}
    kept = {keep_for(campaign, purpose, f"Kept for {purpose}").pk for purpose in ("safety", "capability")}
    withdrawn = make_prompt(campaign)
    Prompt.objects.filter(pk=withdrawn.pk).update(withdrawn=True)
    assert set(Prompt.objects.exclude(purpose="").values_list("split", flat=True)) == {"test"}
    for _ in range(3):
        round_ = begin(campaign)
        asked = set(round_.tasks.values_list("prompt", flat=True))
        assert set(round_.tasks.filter(selection="champion").values_list("prompt", flat=True)) == fixed
        assert len(asked) == 10
        assert not asked & {*kept, withdrawn.pk}
        rounds.cancel(round_)


def test_a_large_evaluation_set_leaves_half_of_the_round() -> None:
    campaign = campaign_of(10, champions=2, tasks_per_round=6, champion_share=1.0)
    for n in range(8):
        keep_for(campaign, "evaluation", f"What is {n} times 7?")
    first, second = begin(campaign), None
    asked = {r.prompt_id for r in first.tasks.filter(prompt__purpose="evaluation")}
    assert (len(asked), first.tasks.filter(selection="champion").count()) == (3, 6)
    rounds.cancel(first)
    second = begin(campaign)
    assert {r.prompt_id for r in second.tasks.filter(prompt__purpose="evaluation")} == asked


def test_a_share_of_the_prompts_was_asked_before() -> None:
    campaign = campaign_of(30, tasks_per_round=10, repeat_prompts=0.3)
    before = set(begin(campaign).tasks.values_list("prompt", flat=True))
    rounds.cancel(campaign.rounds.get())
    second = begin(campaign).tasks.values_list("prompt", "probability")
    repeated = {prompt: chance for prompt, chance in second if prompt in before}
    assert (len(second), len(repeated), set(repeated.values())) == (10, 3, {3 / 10})
    assert {chance for prompt, chance in second if prompt not in before} == {7 / 20}


def test_answers_are_drawn_at_several_temperatures() -> None:
    campaign = campaign_of(6, tasks_per_round=6, temperatures=[0.5, 1.0, 1.5])
    round_ = begin(campaign)
    assert generation.generate(round_.pk)
    used = Counter(round_.responses.values_list("sampling__temperature", flat=True))
    assert set(used) == {0.5, 1.0, 1.5}
    for task in round_.tasks.filter(status="open"):
        assert len(set(task.responses.values_list("sampling__temperature", flat=True))) == 2


def test_the_same_campaign_planned_and_drawn_elsewhere_asks_and_answers_the_same() -> None:
    settings = {"tasks_per_round": 6, "champion_share": 0.5, "rank_share": 0.3, "temperatures": [0.8, 1.2]}
    said = []
    for tries in range(2):
        campaign = campaign_of(8, champions=2, **settings)
        Campaign.objects.filter(pk=campaign.pk).update(slug=f"old-{tries}" if tries else "same")
        campaign.slug = "same"
        round_ = begin(campaign)
        said.append((round_.plan["digest"], drawn(round_)))
        Campaign.objects.filter(pk=campaign.pk).update(slug=f"old-{tries}")
    assert said[0] == said[1]


def drawn(round_: Round) -> list[tuple[str, int, str]]:
    assert generation.generate(round_.pk)
    rows = round_.responses.order_by("prompt__content_hash", "copy")
    return list(rows.values_list("prompt__content_hash", "copy", "text"))


def test_a_kill_at_any_time_changes_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "CHUNK", 4)
    monkeypatch.setattr(generation, "BATCH", 1)
    round_ = begin(campaign_of(6, tasks_per_round=6, rank_share=0.5))
    whole = drawn(round_)
    assert {r.pk: r.text for r, _ in generation.redraw(round_)} == {
        r.pk: t for r, t in generation.redraw(round_)
    }
    for killed in (1, 6, len(whole) - 1):
        Task.objects.filter(round=round_).update(status="open")
        round_.tasks.all().delete()
        Response.objects.filter(round=round_).delete()
        Round.objects.filter(pk=round_.pk).update(status="generating", generation_lease_until=None)
        again = Round.objects.get(pk=round_.pk)
        Task.objects.bulk_create(planning.plan(again))
        stop_after(monkeypatch, round_, killed)
        Round.objects.filter(pk=round_.pk).update(generation_lease_until=timezone.now())
        assert drawn(round_) == whole


def stop_after(monkeypatch: pytest.MonkeyPatch, round_: Round, answers: int) -> None:
    """Begin to draw, and break off as a killed worker does."""

    class Killed(BaseException):
        """Nothing in the code catches it."""

    def stop(done: int, total: int) -> None:
        if done >= answers:
            raise Killed

    with pytest.raises(Killed):
        generation.generate(round_.pk, progress=stop)


def test_a_promotion_takes_back_what_nobody_has_begun_and_the_next_round_makes_up_for_it() -> None:
    campaign = campaign_of(30, champions=2, tasks_per_round=6, champion_share=0.34)
    round_ = begin(campaign)
    assert generation.generate(round_.pk)
    assert superseding.expire(campaign) == 0
    slot = assignment.claim(campaign.memberships.get().user, campaign)
    assert slot is not None
    left = set(round_.tasks.filter(status="open").exclude(pk=slot.task_id).values_list("prompt", flat=True))
    promote(campaign, "v2", registry.champion(campaign.model_family, "policy"))
    assert superseding.expire(campaign) == len(left)
    assert superseding.expire(campaign) == 0
    assert list(round_.tasks.filter(status="open").values_list("pk", flat=True)) == [slot.task_id]
    round_.refresh_from_db()
    assert superseding.explain(round_) == round_.events.order_by("-pk")[0].reason
    assert "“v2” replaced" in superseding.explain(round_)
    rounds.close(round_)
    asked = begin(campaign).tasks
    assert left <= set(asked.values_list("prompt", flat=True))


def test_a_roll_back_keeps_the_comparisons_with_the_policy_that_is_back() -> None:
    campaign = campaign_of(30, champions=2, tasks_per_round=6, champion_share=0.5)
    round_ = begin(campaign)
    assert generation.generate(round_.pk)
    registry.roll_back(campaign.model_family, "policy", by=make_user("manager"), reason="worse")
    assert superseding.expire(campaign) == 3
    assert set(round_.tasks.filter(status="open").values_list("selection", flat=True)) == {"champion"}
