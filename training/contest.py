"""Hold a campaign's policy against the base it came from, by a known taste, and by what is right."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from labeling import generation
from labeling.models import Campaign, Prompt, Response
from models_app import registry, sampling
from models_app.demo import evaluation as task
from models_app.models import ModelVersion, SamplingConfig
from models_app.registry import ModelError
from preferences.intervals import clustered_bootstrap, paired_difference
from preferences.simulation import Taste
from preferences.types import Estimate
from training.engine.evaluation import distinct_share, words
from training.reconnecting import insist

PROMPTS = 240  # held-out prompts, at most
SEED = 0xBA5E

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Correctness:
    """Shares of a policy's answers to the demo's questions, and how many more than of the base's are right.

    An answer that states no fact, or some that are not asked for, is evasive.
    """

    right: float
    wrong: float
    evasive: float
    gain: Estimate


@dataclass(frozen=True)
class Contest:
    """How often a policy's answers beat the base's (a tie counts ½), and what they are like."""

    win_rate: Estimate
    distinct: float | None
    mean_words: float | None
    base_words: float | None
    correctness: Correctness | None  # None where no prompt is a question of the demo's


def hold(campaign: Campaign, policy: ModelVersion, taste: Taste, progress: Progress) -> Contest:
    """Sample a policy and its base on the campaign's test prompts and compare answer by answer.

    The answers are kept as responses without a round; those that are there already are not drawn again.
    """
    said = both(campaign, policy, progress)
    return compare(insist(lambda: held_out(campaign)), said["policy"], said["base"], taste)


def both(campaign: Campaign, policy: ModelVersion, progress: Progress) -> dict[str, dict[int, str]]:
    """Return what a policy and its base say to the held-out prompts, by the prompt's key."""
    prompts = insist(lambda: held_out(campaign))
    config = campaign.sampling or insist(sampling.get_config)
    base = insist(lambda: first_of(policy))
    # a base that is still the champion plays against another draw of itself
    return {
        "base": answers(base, prompts, config, 0, progress),
        "policy": answers(policy, prompts, config, 1, progress),
    }


def champion(campaign: Campaign) -> ModelVersion:
    """Return the policy in use; raises ModelError where there is none."""
    found = insist(lambda: registry.champion(campaign.model_family, ModelVersion.Kind.POLICY))
    if found is None:
        raise ModelError("The campaign has no champion policy.")
    return found


def held_out(campaign: Campaign) -> list[Prompt]:
    """Return the prompts that policies are compared on: the same ones wherever the same ones are."""
    asked = campaign.prompts.filter(split=Prompt.Split.TEST, purpose=Prompt.Purpose.NONE)
    return list(asked.order_by("content_hash")[:PROMPTS])


def compare(prompts: Sequence[Prompt], ours: dict[int, str], theirs: dict[int, str], taste: Taste) -> Contest:
    """Compare two answers to each prompt, given by the prompt's key."""
    asked = [prompt.messages[-1]["content"] for prompt in prompts]
    mine, base = [ours[prompt.pk] for prompt in prompts], [theirs[prompt.pk] for prompt in prompts]
    wins = [taste.prefer(*texts) for texts in zip(asked, mine, base, strict=True)]
    return Contest(
        clustered_bootstrap(wins, range(len(prompts))),
        distinct_share(mine),
        float(words(mine).mean()) if mine else None,
        float(words(base).mean()) if base else None,
        _correctness(asked, mine, base),
    )


def _correctness(asked: list[str], mine: list[str], base: list[str]) -> Correctness | None:
    known = [i for i, question in enumerate(asked) if task.parse(question) is not None]
    if not known:
        return None
    shares = task.summarise([(asked[i], mine[i]) for i in known])
    right = np.array(
        [[task.check(asked[i], text[i]) is True for text in (mine, base)] for i in known], np.float64
    )
    gain = paired_difference(right[:, 0], right[:, 1], known)
    return Correctness(shares["right"], shares["wrong"], shares["evasive"], gain)


def first_of(version: ModelVersion) -> ModelVersion:
    """Return the first version of a line."""
    while version.parent is not None:
        version = version.parent
    return version


def answers(
    policy: ModelVersion,
    prompts: list[Prompt],
    config: SamplingConfig,
    copy: int,
    progress: Progress,
) -> dict[int, str]:
    """Return one answer per prompt (by its key), drawing and storing those that are missing."""
    kept = Response.objects.filter(
        policy=policy,
        sampling=config,
        round=None,
        copy=copy,
        prompt__in=prompts,
        origin=Response.Origin.SAMPLED,
    )
    found: dict[int, str] = dict(insist(lambda: list(kept.values_list("prompt_id", "text"))))
    missing = [prompt for prompt in prompts if prompt.pk not in found]
    drawn: list[Response] = []
    asked = [prompt.messages for prompt in missing]
    for index, text in sampling.draw(policy, asked, config, offset=SEED + copy) if missing else ():
        prompt = missing[index]
        found[prompt.pk] = text
        drawn.append(generation.sampled(prompt, text, policy, config, copy))
        progress(len(drawn), len(missing))

    def store() -> None:
        with transaction.atomic():
            Response.objects.bulk_create(drawn, ignore_conflicts=True, batch_size=1000)

    insist(store)
    return found
