"""Have two policies answer the same questions now, to be looked at side by side."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from labeling import side_by_side
from labeling.models import Campaign, Prompt
from models_app import registry, samples
from models_app.backends import Conversation
from models_app.models import ModelVersion
from models_app.queries import QueryError

USUAL = 5  # prompts
TOKENS = 96  # of an answer, unless the campaign says how many


def usual(version: ModelVersion) -> ModelVersion | None:
    """Return whom a policy is compared with unless one is named: its parent, the champion, the newest."""
    if version.parent is not None:
        return version.parent
    champion = registry.champion(version.family, version.kind)
    if champion is not None and champion != version:
        return champion
    others = ModelVersion.objects.filter(family=version.family, kind=version.kind).exclude(pk=version.pk)
    return others.order_by("-pk").first()


def ask(
    by: User,
    versions: tuple[ModelVersion, ModelVersion],
    campaigns: Iterable[Campaign],
    send: Callable[[str], None],
    *,
    question: str = "",
    prompts: int = USUAL,
) -> samples.Sample:
    """Have both answer a question, or so many prompts: those that both answered before, else held-out ones.

    Raises QueryError and ModelError.
    """
    campaigns = list(campaigns)
    if question.strip():
        questions: list[Conversation] = [[{"role": "user", "content": question.strip()}]]
    else:
        if not 1 <= prompts <= samples.MOST:
            raise QueryError(
                "prompts", _("Ask at least one question and at most %(most)s.") % {"most": samples.MOST}
            )
        questions = _prompts(campaigns, versions, prompts)
        if not questions:
            raise QueryError(
                "prompts", _("There is no prompt to ask them yet: write a question of your own.")
            )
    config = next((campaign.sampling for campaign in campaigns if campaign.sampling), None)
    params: dict[str, Any] = {"max_new_tokens": TOKENS}
    if config is not None:
        length = min(config.max_new_tokens, samples.MOST_TOKENS)
        params = {"temperature": config.temperature, "top_p": config.top_p, "max_new_tokens": length}
    return samples.ask(by, [samples.spell(version) for version in versions], questions, params, send)


def _prompts(
    campaigns: list[Campaign], versions: tuple[ModelVersion, ModelVersion], count: int
) -> list[Conversation]:
    known = [pair.prompt for pair in side_by_side.pairs(campaigns, *versions)[:count]]
    if not known:
        held_out = Prompt.objects.filter(campaign__in=campaigns, withdrawn=False)
        known = list(held_out.exclude(split=Prompt.Split.TRAIN).order_by("content_hash")[:count])
    return [prompt.messages for prompt in known]
