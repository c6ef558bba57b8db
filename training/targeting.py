"""Targets at work: raters are given answers to edit, and policies are measured on the held-out prompts."""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped]
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from labeling.imports import import_records
from labeling.models import Prompt, Task
from models_app import registry, sampling
from models_app.backends import BackendError, Conversation, SamplingParams
from models_app.models import ModelVersion
from models_app.registry import ModelError
from preferences.intervals import clustered_bootstrap, wilson
from preferences.types import Estimate
from training import targets
from training.models import Target, TargetCheck

SAMPLES = 4  # answers to each held-out prompt
SEED = 0x7A26
PATIENCE = 1.0  # seconds for a pattern to be looked for in one answer


def prepare(target_id: int) -> None:
    """Have the policy answer the prompts that came without an edit, and put the answers to raters; once."""
    target = Target.objects.select_related("source", "base", "campaign", "created_by").get(pk=target_id)
    if target.asked_at is not None:
        return
    told = Task.objects.filter(campaign=target.source, kind=Task.Kind.EDIT).values("prompt")
    bare = (
        target.source.prompts.filter(split=Prompt.Split.TRAIN).exclude(pk__in=told).order_by("content_hash")
    )
    prompts = list(bare)
    try:
        answers = draw(target, target.base, [prompt.messages for prompt in prompts])
    except (BackendError, ModelError) as error:
        Target.objects.filter(pk=target.pk).update(error=str(error))
        return
    records = [
        {
            "prompt": prompt.messages,
            "original": {"text": answer, "model": target.base.name},
            "edited": None,
        }
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    upload = io.BytesIO("\n".join(json.dumps(record) for record in records).encode())
    with transaction.atomic():
        mine = Target.objects.select_for_update().filter(pk=target.pk, asked_at=None)
        if mine.exists():
            if records:
                import_records(target.source, upload, format="touchstone", by=target.created_by)
            mine.update(asked_at=timezone.now(), error="")


def draw(target: Target, version: ModelVersion, asked: Sequence[Conversation]) -> list[str]:
    """Draw an answer of a policy to each conversation, as the campaign samples; always the same ones."""
    config = target.campaign.sampling or sampling.get_config()
    params = SamplingParams(config.temperature, config.top_p, config.max_new_tokens, SEED)
    texts = [""] * len(asked)
    if asked:
        for index, text in registry.policy(version).generate(asked, params):
            texts[index] = text
    return texts


def check(check_id: int) -> None:
    """Measure how often a policy fails on a target's held-out prompts, and against the one it grew from."""
    found = TargetCheck.objects.select_related("target__campaign", "version").get(pk=check_id)
    if found.measured_at is not None:
        return
    prompts = [prompt for prompt in targets.held_out(found.target) for _copy in range(SAMPLES)]
    try:
        texts = draw(found.target, found.version, [prompt.messages for prompt in prompts])
        failed = [fails(found.target, text) for text in texts]
    except (BackendError, ModelError) as error:
        TargetCheck.objects.filter(pk=found.pk).update(error=str(error))
        return
    answers = [
        [prompt.content_hash, text, fault] for prompt, text, fault in zip(prompts, texts, failed, strict=True)
    ]
    TargetCheck.objects.filter(pk=found.pk, measured_at=None).update(
        answers=answers, rate=rates(answers, before(found)), measured_at=timezone.now()
    )


def before(check: TargetCheck) -> list[Any]:
    """Return the answers of the policy that a checked one grew from, or else of the target's first."""
    others = TargetCheck.objects.filter(target=check.target).exclude(measured_at=None).exclude(pk=check.pk)
    parent = others.filter(version=check.version.parent_id) if check.version.parent_id else others.none()
    found = parent.first() or others.filter(version=check.target.base_id).first()
    return list(found.answers) if found is not None else []


def fails(target: Target, text: str) -> bool:
    """Say whether an answer shows the failure; BackendError for a pattern that takes too long."""
    try:
        seen = regex.search(target.pattern, text, timeout=PATIENCE) is not None
    except TimeoutError as error:
        raise BackendError(_("The pattern takes too long to look for; make it simpler.")) from error
    return seen == (target.fails == Target.Fails.FOUND)


def rates(answers: Sequence[Sequence[Any]], earlier: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """Estimate the share of failed answers, and its change; whole prompts are resampled.

    Where all fail or none, no resampling tells anything: the interval is Wilson's then, each prompt counted
    once.
    """
    prompts = [hash_ for hash_, _text, _failed in answers]
    now = np.array([failed for _hash, _text, failed in answers], np.float64)
    rate = clustered_bootstrap(now, prompts)
    n = len(set(prompts))
    if rate.value in (0.0, 1.0) and n:
        rate = Estimate(rate.value, wilson(rate.value * n, n), rate.n)
    change = Estimate(None, None, 0, "there is no policy before it")
    if earlier:
        mean = _by_prompt(earlier)
        change = clustered_bootstrap(now - np.array([mean.get(hash_, 0.0) for hash_ in prompts]), prompts)
    return {"rate": asdict(rate), "change": asdict(change)}


def _by_prompt(answers: Sequence[Sequence[Any]]) -> dict[str, float]:
    found: dict[str, list[bool]] = {}
    for hash_, _text, failed in answers:
        found.setdefault(hash_, []).append(failed)
    return {hash_: float(np.mean(failed)) for hash_, failed in found.items()}
