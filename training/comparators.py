"""What else the labels of a rehearsal could have bought, each way in a campaign of its own.

With all labels at once on the base's answers: direct preference optimisation alone, and best-of-n at
inference, where the base answers n times and the reward model of those labels picks one. And the same rounds
with raters who flip coins, from whom nothing can be learnt.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from labeling import campaigns, cloning, states
from labeling.models import Campaign
from models_app import sampling, scoring
from models_app.models import ModelVersion
from training import contest, loop, rehearsal
from training.contest import Contest
from training.models import Run
from training.reconnecting import insist
from training.rehearsal import Plan, Progress, RehearsalError, RoundReport, rehearse, staged

BEST_OF = 16  # answers, of which the reward model picks one: 1.8 nats from the base
SEED = 0xB0F
COPIED = (
    "scale", "allow_ties", "overlap", "rank_share", "rank_size", "sampling", "stages", "hyper",
    "champion_share", "history_share", "repeat_prompts", "temperatures",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What a number of labels came to in one way; `name` says which."""

    name: str
    labels: int
    contest: Contest


def compare(plan: Plan, progress: Progress) -> Iterator[Outcome]:
    """Yield what each other way makes of as many labels as a plan has; the workers must run.

    Raises RehearsalError when a loop pauses or stands still.
    """
    yield from one_big_round(plan, progress)
    yield from coin_flips(plan, progress)


def one_big_round(plan: Plan, progress: Progress) -> Iterator[Outcome]:
    """Ask for all labels at once, and yield what DPO, and what best-of-n makes of them.

    Neither model has to pass its gate: what it is worth is the question.
    """
    labels = plan.rounds * plan.judgments
    campaign = twin(plan.campaign, "one-round")
    big = replace(plan, campaign=campaign, rounds=1, judgments=labels, stages=("dpo",))
    play(big, progress)
    round_ = loop.last_round(campaign)
    assert round_ is not None
    made = {kind: loop.last_run(round_, kind) for kind in (Run.Kind.REWARD, Run.Kind.POLICY)}
    reward, policy = (run.produced if run else None for run in made.values())
    if reward is None or policy is None:
        raise RehearsalError("The one big round made no reward model, or no policy.")

    def show(done: int, total: int) -> None:
        progress("one big round: comparing with the base", done, total)

    yield Outcome("dpo", labels, contest.hold(campaign, policy, plan.taste, show))
    yield Outcome("best-of-n", labels, best_of(plan, campaign, reward, show))


def best_of(
    plan: Plan, campaign: Campaign, reward: ModelVersion, show: Callable[[int, int], None]
) -> Contest:
    """Let the base answer held-out prompts BEST_OF times each, and the reward model pick."""
    prompts = insist(lambda: contest.held_out(campaign))
    base = insist(lambda: contest.first_of(contest.champion(campaign)))
    config = campaign.sampling or insist(sampling.get_config)
    theirs = contest.answers(base, prompts, config, 0, show)
    asked = [prompt.messages for prompt in prompts for _ in range(BEST_OF)]
    texts = [""] * len(asked)
    for done, (index, text) in enumerate(sampling.draw(base, asked, config, offset=SEED), start=1):
        texts[index] = text
        show(done, len(asked))
    talks = [[*ask, {"role": "assistant", "content": text}] for ask, text in zip(asked, texts, strict=True)]
    best = np.array(scoring.score(reward, talks)).reshape(len(prompts), BEST_OF).argmax(axis=1)
    picked = {prompt.pk: texts[i * BEST_OF + best[i]] for i, prompt in enumerate(prompts)}
    return contest.compare(prompts, picked, theirs, plan.taste)


def coin_flips(plan: Plan, progress: Progress) -> Iterator[Outcome]:
    """Rehearse as many rounds with raters who flip coins; yield the policy in use after each."""
    campaign = twin(plan.campaign, "coin-flips")
    labels = 0
    for report in play(replace(plan, campaign=campaign, coin_flips=True), progress):
        labels += report.judgments
    policy = contest.champion(campaign)
    yield Outcome("coin-flips", labels, contest.hold(campaign, policy, plan.taste, lambda n, of: None))


def play(plan: Plan, progress: Progress) -> list[RoundReport]:
    """Rehearse in a campaign that nobody else uses, and leave it paused."""
    start = rehearsal.begin(plan)
    with staged(plan, start) as raters:
        reports = list(rehearse(plan, start, raters, progress))
        by = rehearsal.manager_of(plan.campaign)
        insist(lambda: states.change(plan.campaign, Campaign.Status.PAUSED, by))
    return reports


def twin(campaign: Campaign, name: str) -> Campaign:
    """Copy a campaign's prompts, settings and base into a campaign with models of its own."""
    base = insist(lambda: contest.first_of(contest.champion(campaign)))
    like = f"{campaign.slug}-{name}"
    number = Campaign.objects.filter(slug__startswith=like).count()
    copy = campaigns.create(
        name=f"{campaign.name}: {name.replace('-', ' ')}",
        slug=f"{like}-{number + 1}" if number else like,
        status=Campaign.Status.PAUSED,  # until it is staged
        by=rehearsal.manager_of(campaign),
        base_policy={
            "name": base.name,
            "backend": base.backend,
            "location": base.location,
            "options": base.options,
        },
        **{field: getattr(campaign, field) for field in COPIED},
    )
    cloning.copy_prompts(campaign, copy)
    return copy
