"""Targeted data, as pages and the conductor see it: a described failure, what mends it, and how it fares.

A target has a small campaign of its own, whose raters edit answers on the ordinary page. Nothing is trained
there: its edits are mixed into the runs of the campaign whose policy fails (training.mixes). The work itself
(training.targeting) brings NumPy and perhaps torch.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import regex  # type: ignore[import-untyped]
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from labeling import campaigns, members
from labeling.import_fields import ImportRecord
from labeling.import_formats import read_records
from labeling.imports import import_records
from labeling.models import Campaign, Prompt
from labeling.prompts import content_hash, split_of
from labeling.rounds import StateError
from models_app import registry
from models_app.models import ModelVersion
from preferences.types import Estimate
from training.loop import send
from training.mixes import lessons
from training.models import Run, Target, TargetCheck
from training.watch import estimate

PREPARE, CHECK = "training.tasks.prepare_target", "training.tasks.check_target"
HEAVIEST = 100.0
FEWEST_HELD_OUT = 2  # prompts, below which there is no interval
MOST_PROMPTS = 2000


@dataclass(frozen=True)
class Standing:
    """A policy on a target's held-out prompts: how often it fails, and by how much that differs."""

    check: TargetCheck
    rate: Estimate
    change: Estimate  # from the policy that it grew from


def create(
    campaign: Campaign,
    *,
    by: User,
    name: str,
    description: str,
    pattern: str,
    prompts: str,
    fails: str = Target.Fails.FOUND,
    weight: float = 1.0,
) -> Target:
    """Make a target with its small campaign: the same raters, the prompts, and the edits given with them.

    `prompts` are lines of text, or of JSON with prompt and perhaps original and edited. All of it or nothing:
    ValidationError names the field that is wrong, StateError says that no policy here can answer.
    """
    base = registry.champion(campaign.model_family, ModelVersion.Kind.POLICY)
    if base is None or base.backend == ModelVersion.Backend.IMPORTED:
        raise StateError(_("It takes a champion policy that can answer."))
    check_pattern(pattern)
    if not 0 <= weight <= HEAVIEST:
        raise ValidationError({"weight": _("Choose a weight from 0 to %(most)g.") % {"most": HEAVIEST}})
    if fails not in Target.Fails.values:
        raise ValidationError({"fails": _("Say whether the pattern shows the failure or its absence.")})
    upload = read_lines(prompts)
    with transaction.atomic():
        source = campaigns.create(name=name, by=by, guideline=description, description=description[:500])
        members.copy(campaign, source, by)
        report = import_records(source, io.BytesIO(upload), format="touchstone", by=by)
        if report.errors:
            raise ValidationError({"prompts": _told(report.errors[0])})
        target = Target.objects.create(
            campaign=campaign,
            source=source,
            description=description,
            pattern=pattern,
            fails=fails,
            weight=weight,
            base=base,
            created_by=by,
        )
        TargetCheck.objects.create(target=target, version=base)
        audit.record(by, "create target", campaign, name=name, weight=weight)
        send(PREPARE, target.pk)
    return target


def check_pattern(pattern: str) -> None:
    """Refuse what is no regular expression."""
    try:
        if not pattern.strip():
            raise regex.error("it is empty")
        regex.compile(pattern)
    except regex.error as error:
        sentence = _("This is no regular expression: %(error)s.") % {"error": error}
        raise ValidationError({"pattern": sentence}) from error


def read_lines(text: str) -> bytes:
    """Return prompts given as lines in the form of an import, after looking at their splits."""
    lines = text.replace("\r\n", "\n").split("\n")
    as_json = text.lstrip().startswith("{")
    upload = "\n".join(
        line if as_json or not line.strip() else json.dumps({"prompt": line.strip()}, ensure_ascii=False)
        for line in lines
    ).encode()
    records = list(read_records(io.BytesIO(upload), "touchstone"))
    wrong = next((record for record in records if not isinstance(record, ImportRecord)), None)
    if wrong is not None:
        raise ValidationError({"prompts": _told(wrong)})
    hashes = {content_hash(record.messages) for record in records if isinstance(record, ImportRecord)}
    splits = [split_of(hash_) for hash_ in hashes]
    learnt = splits.count(Prompt.Split.TRAIN)
    if not learnt or len(splits) - learnt < FEWEST_HELD_OUT or len(splits) > MOST_PROMPTS:
        sentence = _(
            "Of these %(all)s prompts %(learnt)s are learnt from and %(held)s held out, by their content. "
            "It takes at least one and two, and at most %(most)s in all; about forty are a good start."
        )
        numbers = {"all": len(splits), "learnt": learnt, "held": len(splits) - learnt, "most": MOST_PROMPTS}
        raise ValidationError({"prompts": sentence % numbers})
    return upload


def _told(error: Any) -> str:
    where = f"{error.field}: " if error.field else ""
    return _("Line %(line)s: %(what)s.") % {"line": error.line, "what": f"{where}{error.message}"}


def change(target: Target, by: User, *, weight: float, active: bool) -> None:
    """Change how heavily a target's edits are mixed in, and whether they are."""
    if not 0 <= weight <= HEAVIEST:
        raise ValidationError({"weight": _("Choose a weight from 0 to %(most)g.") % {"most": HEAVIEST}})
    with transaction.atomic():
        Target.objects.filter(pk=target.pk).update(weight=weight, active=active, error="")
        target.checks.filter(measured_at=None).update(error="")  # whatever failed is tried again
        audit.record(by, "change target", target.campaign, name=str(target), weight=weight, active=active)
    target.refresh_from_db()


def held_out(target: Target) -> list[Prompt]:
    """Return the prompts on which a target's policies are measured: those that nothing is learnt from."""
    return list(target.source.prompts.exclude(split=Prompt.Split.TRAIN).order_by("content_hash"))


def tend() -> None:
    """Have raters asked for edits, and each new policy measured, one after the other."""
    for target in Target.objects.filter(active=True, error="").select_related("campaign"):
        if target.asked_at is None:
            send(PREPARE, target.pk)
        made = Run.objects.filter(
            campaign=target.campaign,
            kind=Run.Kind.POLICY,
            produced__isnull=False,
            produced__created_at__gt=target.created_at,
        ).exclude(produced__in=target.checks.values("version"))
        for run in made.order_by("pk"):
            TargetCheck.objects.get_or_create(target=target, version_id=run.produced_id)
        # in their order, so that a change can be told from the policy before
        due = target.checks.filter(measured_at=None, error="").order_by("version")[:1]
        for check in due:
            send(CHECK, check.pk)


def listed(campaign: Campaign) -> list[Target]:
    """Return a campaign's targets, the newest first, each with its checks in order."""
    found = campaign.targets.select_related("source", "base", "created_by").order_by("-pk")
    return list(found.prefetch_related("checks__version"))


def standings(target: Target) -> list[Standing]:
    """Return how the policies fare on a target, the oldest first."""
    checks = sorted(target.checks.all(), key=lambda check: check.version_id)
    nothing = Estimate(None, None, 0, "it is not measured yet")
    return [
        Standing(
            check,
            estimate(check.rate["rate"]) if check.rate else nothing,
            estimate(check.rate["change"]) if check.rate else nothing,
        )
        for check in checks
    ]


def edited(targets: Sequence[Target]) -> dict[int, int]:
    """Count the edits of each target's small campaign that count and can be learnt from."""
    rows = lessons([target.source_id for target in targets]).values("task__campaign")
    return {row["task__campaign"]: row["n"] for row in rows.annotate(n=Count("pk")).order_by()}
