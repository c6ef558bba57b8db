"""What a round asks: which prompts, in which kinds of task, and which policies answer how.

All of it follows from the round's number and seed, the campaign's settings and what its prompts were asked
before; no primary key and no clock enters. So a campaign that is planned again asks the same, and
`Round.plan` keeps who was to answer.
"""

import hashlib
import random
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet

from labeling.models import Campaign, Prompt, Round, Task
from models_app import registry
from models_app.models import ModelVersion

EVALUATED = 0.5  # of a round's tasks, at most, ask about the fixed evaluation set
REMEMBERED = 8  # earlier policies whose answers are mixed in, the latest of the line
COMPARED = (Task.Kind.COMPARE, Task.Selection.RANDOM)
Asked = tuple[Task.Kind, Task.Selection]

# How often a prompt was asked: not as a turn, a repeat, a gold task or for a watch, whose times are chance.
ASKED = Q(tasks__chat=None, tasks__repeats=None, tasks__gold=False) & ~Q(
    tasks__selection=Task.Selection.WATCH
)


class Chosen(NamedTuple):
    """A prompt by its key, and with which probability it was chosen."""

    prompt: int
    probability: float


def begin(campaign: Campaign, champion: ModelVersion) -> dict[str, Any]:
    """Return Round.plan of a round that begins with this champion: who answers, and what is made up for."""
    opponent = registry.replaced_by(champion)
    if opponent is not None and not can_answer(opponent):
        opponent = None
    before = campaign.rounds.filter(origin=Round.Origin.LOOP).order_by("-number").first()
    superseded = before.plan.get("superseded", {}) if before is not None else {}
    return {
        "champion": _name(champion),
        "opponent": opponent and _name(opponent),
        "history": [_name(version) for version in line(champion)] if campaign.history_share else [],
        "temperatures": campaign.temperatures,
        "again": superseded.get("prompts", []),
    }


def line(champion: ModelVersion) -> list[ModelVersion]:
    """Return the versions that a policy came from and that can still answer, the latest first."""
    found: list[ModelVersion] = []
    version = champion.parent
    while version is not None and len(found) < REMEMBERED:
        if can_answer(version):
            found.append(version)
        version = version.parent
    return found


def can_answer(version: ModelVersion) -> bool:
    """Say whether a version can be asked: no imported name, no checkpoint whose folder is gone."""
    if version.backend == ModelVersion.Backend.TRANSFORMERS and Path(version.location).is_absolute():
        return Path(version.location, "config.json").is_file()
    return version.backend != ModelVersion.Backend.IMPORTED


def plan(round_: Round) -> list[Task]:
    """Return a round's tasks, not stored yet, and complete Round.plan; none where no prompt can be asked.

    Where the champion replaced another policy, both answer the fixed evaluation set, whole or the same part
    of it in every round, and a share of the other comparisons. A prompt's probability goes with its task.
    """
    campaign = round_.campaign
    rng = random.Random(f"plan {campaign.slug} {round_.number} {round_.seed}")
    fixed = _evaluation_set(round_) if round_.plan.get("opponent") else []
    chosen = choose_prompts(round_, round_.task_target - len(fixed), rng)
    asked = share_kinds(campaign, len(chosen), round_.plan, len(fixed))
    rng.shuffle(asked)
    both = (Task.Kind.COMPARE, Task.Selection.CHAMPION)
    rows = [(Chosen(pk, 1.0), both) for pk in fixed] + list(zip(chosen, asked, strict=True))
    round_.plan |= _summary(round_, rows)
    return [
        Task(
            campaign=campaign,
            round=round_,
            prompt_id=prompt,
            kind=kind,
            selection=selection,
            overlap=campaign.overlap,
            probability=probability,
        )
        for (prompt, probability), (kind, selection) in rows
    ]


def askable(campaign: Campaign) -> QuerySet[Prompt]:
    """Return the prompts that rounds ask; what a live conversation came to is asked within it, never here."""
    return campaign.prompts.filter(opening=None, withdrawn=False, purpose=Prompt.Purpose.NONE)


def choose_prompts(round_: Round, n: int, rng: random.Random) -> list[Chosen]:
    """Choose n prompts: what was left unasked, a share of repeats, then those asked least so far.

    Among equals chance decides, and a prompt's probability is its share of the group that only partly fits.
    When the campaign has fewer prompts than tasks, all are asked again.
    """
    asked = askable(round_.campaign).annotate(asked=Count("tasks", filter=ASKED)).order_by("content_hash")
    prompts = [
        (many, rng.random(), pk, hash_)
        for hash_, pk, many in asked.values_list("content_hash", "pk", "asked")
    ]
    if not prompts:
        return []
    whole, rest = divmod(n, len(prompts))
    chosen = [Chosen(pk, 1.0) for _ in range(whole) for _, _, pk, _ in sorted(prompts)]
    again = set(round_.plan.get("again", []))
    first = [pk for _, _, pk, hash_ in prompts if hash_ in again][:rest]
    known = sorted(p[1:3] for p in prompts if p[0] and p[2] not in first)
    repeated = known[: min(round(round_.campaign.repeat_prompts * rest), rest - len(first))]
    taken = {*first, *(pk for _, pk in repeated)}
    others = sorted(p[:3] for p in prompts if p[2] not in taken)
    equals = Counter(many for many, _, _ in others)
    fitting = others[: rest - len(taken)]
    fits = Counter(many for many, _, _ in fitting)
    chosen += [Chosen(pk, 1.0) for pk in first]
    chosen += [Chosen(pk, len(repeated) / len(known)) for _, pk in repeated]
    return chosen + [Chosen(pk, fits[many] / equals[many]) for many, _, pk in fitting]


def _evaluation_set(round_: Round) -> list[int]:
    fixed = round_.campaign.prompts.filter(purpose=Prompt.Purpose.EVALUATION, opening=None, withdrawn=False)
    most = int(EVALUATED * round_.task_target)
    return list(fixed.order_by("content_hash").values_list("pk", flat=True)[:most])


def share_kinds(campaign: Campaign, tasks: int, plan: dict[str, Any], fixed: int = 0) -> list[Asked]:
    """Return what a number of tasks ask by the campaign's shares; the rest are comparisons of the policies.

    `fixed` comparisons of the champion with the one it replaced are there already.
    """
    shares = {
        Task.Kind.EDIT: campaign.edit_share,
        Task.Kind.RANK: campaign.rank_share,
        Task.Kind.CHAT: campaign.chat_share,
    }
    kinds: list[Asked] = []
    so_far = 0.0
    for kind, share in shares.items():
        so_far += share
        # rounding the sums, not the shares: shares of 1 in all must not ask for one task too many
        kinds += [(kind, Task.Selection.RANDOM)] * (round(so_far * tasks) - len(kinds))
    left = tasks - len(kinds)
    both = round(campaign.champion_share * (left + fixed)) - fixed if plan.get("opponent") else 0
    both = max(0, min(both, left))
    older = min(round(campaign.history_share * (left + fixed)), left - both) if plan.get("history") else 0
    kinds += [(Task.Kind.COMPARE, Task.Selection.CHAMPION)] * both
    kinds += [(Task.Kind.COMPARE, Task.Selection.HISTORY)] * older
    return kinds + [COMPARED] * (tasks - len(kinds))


def _summary(round_: Round, rows: list[tuple[Chosen, Asked]]) -> dict[str, Any]:
    """Say what was planned: how many of what, and a digest by which two plans are told apart."""
    hashes = dict(
        round_.campaign.prompts.filter(pk__in={c.prompt for c, _ in rows}).values_list("pk", "content_hash")
    )
    told = "\n".join(f"{hashes[c.prompt]} {kind.value} {how.value}" for c, (kind, how) in rows)
    counted = Counter(f"{kind.value} {how.value}" for _, (kind, how) in rows)
    return {
        "number": round_.number,
        "seed": round_.seed,
        "rank_size": round_.campaign.rank_size,
        "tasks": dict(sorted(counted.items())),
        "digest": hashlib.sha256(told.encode()).hexdigest(),
    }


def _name(version: ModelVersion) -> dict[str, Any]:
    return {"id": version.pk, "name": version.name}
