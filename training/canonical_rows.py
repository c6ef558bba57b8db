"""Canonical rows: labels as plain data without primary keys, and the cards that describe them."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from django.db.models import Prefetch, QuerySet

from labeling.models import Adjudication, Campaign, Edit, Judgment, Prompt, Response, Task, TaskResponse
from labeling.models.judgment import Submission
from models_app.models import SamplingConfig
from preferences.consensus import summarise_verdicts
from training import formats, standing
from training.filters import Filters
from training.formats import Row

COUNTS = (
    "tasks", "comparisons", "adjudicated", "identical_pairs", "judgments", "ties", "edits", "not_counted",
    "pairs", "training_pairs", "demonstrations", "training_demonstrations", "prompts",
)  # fmt: skip


def build(
    campaign: Campaign,
    prompts: Iterable[Prompt],
    tasks: QuerySet[Task],
    weights: Mapping[int, float],
    filters: Filters,
) -> Iterator[Row]:
    """Yield the rows of some prompts' tasks: in the prompts' order, then by round and content.

    `weights` say by rater what their votes count for; who isn't in it counts 1.
    """
    by_prompt: dict[int, list[Task]] = {prompt.pk: [] for prompt in prompts}
    for task in _with_everything(tasks.filter(prompt__in=by_prompt), filters):
        by_prompt[task.prompt_id].append(task)
    for prompt in prompts:
        rows = [
            row for task in by_prompt[prompt.pk] for row in _rows(campaign, prompt, task, weights, filters)
        ]
        yield from sorted(rows, key=lambda row: (row["round"], row["task"]["id"], canonical_json(row)))


def canonical_json(value: Any) -> str:
    """Write a value in the one way that its hash is taken over."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def count(row: Row) -> Counter[str]:
    """Count what one row adds to a snapshot."""
    judgments, edits = list(formats.counted(row["judgments"])), list(formats.counted(row["edits"]))
    compare = row["task"]["kind"] == "compare"
    # ties teach a reward model nothing alone
    pairs = sum(pair["probability"] != 0.5 for pair in formats.engine_pairs(row))
    demonstrations = sum(1 for _ in formats.engine_demonstrations(row))
    training = row["split"] == "train"
    return Counter(
        tasks=1,
        comparisons=int(compare),
        adjudicated=int(bool((row["consensus"] or {}).get("adjudicated"))),
        identical_pairs=int(compare and formats.is_identical(row)),
        judgments=len(judgments),
        ties=sum(judgment["verdict"] == 0 for judgment in judgments),
        edits=len(edits),
        not_counted=len(row["judgments"]) + len(row["edits"]) - len(judgments) - len(edits),
        pairs=pairs,
        training_pairs=pairs * training,
        demonstrations=demonstrations,
        training_demonstrations=demonstrations * training,
    )


def write_cards(
    folder: Path, campaign: Campaign, digest: str, filters: dict[str, Any], counts: dict[str, int]
) -> None:
    """Write manifest.json (what is in the folder, and the hash of each file) and README.md."""
    files = sorted(file for file in folder.rglob("*.parquet"))
    manifest = {
        "schema_version": formats.SCHEMA_VERSION,
        "digest": digest,
        "campaign": campaign.slug,
        "filters": filters,
        "scale": campaign.scale,
        "counts": counts,
        "guidelines": [
            {"number": guideline.number, "sha256": hashlib.sha256(guideline.text.encode()).hexdigest()}
            for guideline in campaign.guidelines.order_by("number")
        ],
        "files": {str(file.relative_to(folder)): _file_hash(file) for file in files},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _with_everything(tasks: QuerySet[Task], filters: Filters) -> QuerySet[Task]:
    places = TaskResponse.objects.order_by("position").select_related(
        "response__policy", "response__sampling", "response__round", "response__author", "response__prompt"
    )
    said = ("rater", "guideline", "superseded_by")
    judgments = Judgment.objects.filter(filters.said(Judgment)).select_related(*said)
    edits = Edit.objects.filter(filters.said(Edit)).select_related(
        *said,
        *(
            f"{answer}__{field}"
            for answer in ("original", "edited")
            for field in ("policy", "sampling", "round", "author", "prompt")
        ),
    )
    # the last one counts: it may be decided anew
    final = Adjudication.objects.filter(standing.decided(), decided_at__isnull=False, verdict__isnull=False)
    final = final.select_related("reviewer").order_by("decided_at")
    return tasks.select_related("round").prefetch_related(
        Prefetch("task_responses", places),
        Prefetch("judgments", judgments),
        Prefetch("edits", edits),
        Prefetch("adjudications", final),
    )


def _rows(
    campaign: Campaign, prompt: Prompt, task: Task, weights: Mapping[int, float], filters: Filters
) -> Iterator[Row]:
    """Yield what was said on a task that the filters take: a row, or one for each judgment."""
    responses = [_response(place.response) for place in task.task_responses.all()]
    judgments = sorted(
        filter(filters.keeps, (_judgment(j, weights.get(j.rater_id)) for j in task.judgments.all())),
        key=canonical_json,
    )
    edits = sorted((_edit(e) for e in task.edits.all()), key=canonical_json)
    if not judgments and not edits:
        return

    def consensus(of: list[Row]) -> Row | None:
        return _consensus(task, of, filters.consensus)

    key = [campaign.slug, task.round.number, task.kind, task.external_id, [r["id"] for r in responses]]
    row = {
        "task": {
            "id": _digest(key),
            "kind": task.kind,
            "selection": task.selection,
            "probability": task.probability,
            "overlap": task.overlap,
            "external_id": task.external_id or None,
        },
        "prompt_id": prompt.content_hash,
        "prompt": [{"role": m["role"], "content": m["content"]} for m in prompt.messages],
        "responses": responses,
        "judgments": judgments,
        "consensus": consensus(judgments),
        "edits": edits,
        "campaign": campaign.slug,
        "round": task.round.number,
        "split": prompt.split,
        "language": prompt.language,
        "tags": sorted(prompt.tags),
    }
    yield from filters.rows(row, consensus)


def _consensus(task: Task, judgments: list[Row], by: str) -> Row | None:
    """Return what a comparison's votes say together, or the reviewer who had the final word.

    The votes weigh what their raters do, or are all alike; each alone, they have no final word over them.
    """
    votes = [j for j in formats.counted(judgments) if j["ranking"] is None]
    verdicts = [formats.in_task_order(j) for j in votes]
    found = summarise_verdicts(verdicts, None if by == "majority" else [formats.worth(j) for j in votes])
    final = [] if by == "each" else list(task.adjudications.all())
    if found is None and not final:
        return None
    said = vars(found) if found else {"agreement": None, "votes": 0, "majority": 0, "weight": 0.0}
    consensus = {**said, "adjudicated": None}
    for adjudication in final:
        verdict, reviewer = adjudication.verdict, adjudication.reviewer
        assert verdict is not None
        assert reviewer is not None
        label = (verdict > 0) - (verdict < 0)
        consensus |= {"label": label, "probability": (1 - label) / 2, "margin": -float(verdict)}
        consensus["adjudicated"] = reviewer.pseudonym
    return consensus


def _response(response: Response) -> Row:
    named = {
        "text": response.text,
        "turns": [{"role": m["role"], "content": m["content"]} for m in response.turns],
        "origin": response.origin,
        "policy": response.policy.name if response.policy else None,
        "round": response.round.number if response.round else None,
        "sampling": _sampling(response.sampling),
        "author": response.author.pseudonym if response.author else None,
    }
    # equal texts of one policy are still two answers
    return {"id": _digest([response.prompt.content_hash, named, response.copy]), **named}


def _sampling(config: SamplingConfig | None) -> Row | None:
    if config is None:
        return None
    return {name: getattr(config, name) for name in ("temperature", "top_p", "max_new_tokens", "seed")}


def _submission(said: Submission) -> Row:
    superseded = hasattr(said, "superseded_by")
    source = "imported" if said.imported else "simulated" if said.rater.simulated else "person"
    return {
        "rater": said.rater.pseudonym,
        "source": source,
        "guideline": said.guideline.number if said.guideline else None,
        "active_ms": said.active_ms,
        "attention": said.attention or None,
        "flags": said.flags,
        "counted": not (said.extra or said.withdrawn or superseded),
        "extra": said.extra,
        "withdrawn": said.withdrawn,
        "superseded": superseded,
    }


def _judgment(judgment: Judgment, reliability: float | None) -> Row:
    return {
        **_submission(judgment),
        "verdict": judgment.verdict,
        "ranking": judgment.ranking,
        "order_shown": judgment.order_shown,
        "both_bad": judgment.both_bad,
        "criteria": [
            {"key": key, "grades": grades} for key, grades in sorted((judgment.criteria or {}).items())
        ],
        "reasons": judgment.reasons,
        "comment": judgment.comment,
        "display_rate": judgment.display_rate,
        "reliability": reliability,
    }


def _edit(edit: Edit) -> Row:
    return {
        **_submission(edit),
        "original": _response(edit.original)["id"],
        "edited": _response(edit.edited) if edit.edited else None,
        "instruction": edit.instruction,
        "distance": edit.distance,
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:24]


def _file_hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
