"""Canonical rows: labels as plain data without primary keys, and the cards that describe them."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labeling.models import Campaign
from training import formats
from training.formats import Row

_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
COUNTS = (
    "tasks", "comparisons", "adjudicated", "identical_pairs", "judgments", "ties", "edits", "not_counted",
    "pairs", "training_pairs", "demonstrations", "training_demonstrations", "prompts",
)  # fmt: skip


def canonical_json(value: Any) -> str:
    """Write a value in the one way that its hash is taken over."""
    return _ENCODER.encode(value)


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
    folder: Path,
    campaigns: Sequence[Campaign],
    digest: str,
    filters: dict[str, Any],
    counts: dict[str, int],
) -> None:
    """Write manifest.json: what is in the folder, and the hash of each file."""
    files = sorted(file for file in folder.rglob("*.parquet"))
    told = [_told(campaign) for campaign in campaigns]
    manifest = {
        "schema_version": formats.SCHEMA_VERSION,
        "digest": digest,
        **(told[0] if len(told) == 1 else {"campaigns": told}),
        "filters": filters,
        "counts": counts,
        "files": {str(file.relative_to(folder)): _file_hash(file) for file in files},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _told(campaign: Campaign) -> dict[str, Any]:
    guidelines = campaign.guidelines.order_by("number")
    return {
        "campaign": campaign.slug,
        "scale": campaign.scale,
        "guidelines": [
            {"number": guideline.number, "sha256": hashlib.sha256(guideline.text.encode()).hexdigest()}
            for guideline in guidelines
        ],
    }


def _file_hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
