"""Hold a campaign's champion policy against the base it came from, by a known taste."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from labeling import generation
from labeling.models import Campaign, Prompt, Response
from models_app import registry, sampling
from models_app.models import ModelVersion, SamplingConfig
from preferences.intervals import clustered_bootstrap
from preferences.simulation import Taste
from preferences.types import Estimate
from training.engine.evaluation import distinct_share, words
from training.reconnecting import insist

PROMPTS = 240  # held-out prompts, at most
SEED = 0xBA5E


@dataclass(frozen=True)
class Contest:
    """How often the champion's answers beat the base's (a tie counts ½), and what they are like."""

    win_rate: Estimate
    distinct: float | None
    mean_words: float | None


def hold(campaign: Campaign, taste: Taste, progress: Callable[[int, int], None]) -> Contest:
    """Sample both policies on the campaign's test prompts and compare answer by answer.

    The answers are kept as responses without a round; those that are there already are not drawn again.
    """
    champion = insist(lambda: registry.champion(campaign.model_family, ModelVersion.Kind.POLICY))
    if champion is None:
        return Contest(Estimate(None, None, 0, "there is no champion policy"), None, None)
    base = insist(lambda: first_of(champion))
    config = campaign.sampling or insist(sampling.get_config)
    prompts = insist(
        lambda: list(campaign.prompts.filter(split=Prompt.Split.TEST).order_by("content_hash")[:PROMPTS])
    )
    theirs = answers(base, prompts, config, 0, progress)
    # a base that is still the champion plays against another draw of itself
    ours = answers(champion, prompts, config, 1, progress)
    wins = [
        taste.prefer(prompt.messages[-1]["content"], ours[prompt.pk], theirs[prompt.pk]) for prompt in prompts
    ]
    texts = [ours[prompt.pk] for prompt in prompts]
    return Contest(
        clustered_bootstrap(wins, [prompt.pk for prompt in prompts]),
        distinct_share(texts),
        float(words(texts).mean()) if texts else None,
    )


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
    progress: Callable[[int, int], None],
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
