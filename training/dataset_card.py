"""What lies beside an export's data: the hub's dataset card, the datasheet, the manifest and the plots.

In English whoever downloads it, so that the same export has the same bytes. `edition` changes when what they
say does, although the rows are the same.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.utils import translation

from training import datasheet, snapshots
from training.canonical_rows import canonical_json
from training.dataset_plots import plots
from training.datasheet import Sheet
from training.export_formats import FORMATS, NUMBER, TEXT, TRUTH, WHOLE, Format
from training.figure_tables import line
from training.models import Snapshot, Statement
from training.plot_files import as_svg
from training.snapshots import SPLITS

# a licence that the hub doesn't know is "other", by its name
LICENCES = (
    "apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0",
    "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "odc-by", "odbl", "pddl", "cdla-permissive-1.0",
    "cdla-permissive-2.0", "cdla-sharing-1.0", "gpl-3.0", "bsd-3-clause",
)  # fmt: skip
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"),
         (10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"))  # fmt: skip
DTYPES = {TEXT: "string", NUMBER: "float64", WHOLE: "int64", TRUTH: "bool"}


def write(folder: Path, snapshot: Snapshot, manifest: dict[str, Any]) -> None:
    """Write README.md, DATASHEET.md, manifest.json, plots/*.svg and what the format's readers want.

    `manifest` is the snapshot's with the export's `format`, `file`, `rows` and `left_out` (by split).
    """
    kind = FORMATS[manifest["format"]]
    written = {
        split: f"data/{split}.{manifest['file']}" for split in SPLITS if manifest["rows"].get(split, 0)
    }
    with translation.override(settings.LANGUAGE_CODE):
        sheet = datasheet.read(snapshot)
        manifest = {**manifest, "withdrawn": sheet.withdrawn, "licence": sheet.statement.licence}
        texts = {
            "README.md": card(sheet, manifest),
            "DATASHEET.md": datasheet.as_markdown(sheet, "plots"),
            "manifest.json": _json(manifest),
        }
        slugs = "_".join(campaign.slug for campaign in snapshots.sources(snapshot))
        beside = kind.beside(f"touchstone_{slugs}", written)
        texts |= {name: _json(content) for name, content in beside.items()}
        texts |= {f"plots/{s.key}.svg": as_svg(s.plot, s.title) for s in plots(sheet.statistics)}
    (folder / "plots").mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text)


def edition(snapshot: Snapshot) -> str:
    """Return 8 hex digits that change with what is stated and withdrawn of a snapshot's data."""
    stated = Statement.objects.filter(campaign__in=snapshots.sources(snapshot))
    gone = snapshot.withdrawals.order_by("pk").values_list("pk", flat=True)
    said = canonical_json([*(row.updated_at.isoformat() for row in stated.order_by("campaign__slug")), *gone])
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def card(sheet: Sheet, manifest: dict[str, Any]) -> str:
    """Return the dataset card of an export, its YAML head first."""
    kind = FORMATS[manifest["format"]]
    campaign = snapshots.title(sheet.snapshot)
    source = f"{'campaigns' if 'campaigns' in manifest else 'campaign'} “{campaign}”"
    head = yaml.safe_dump(
        metadata(sheet, manifest), sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    left_out = sum(manifest["left_out"].values())
    rows = [("split", "rows"), ("---", "---")]
    rows += [(split, f"{manifest['rows'][split]:,}") for split in SPLITS if manifest["rows"][split]]
    parts = [
        f"---\n{head}---",
        f"# {campaign}: {kind.title}",
        *(f"> **{said}**" for said in sheet.withdrawn),
        f"Cut by Touchstone from the {source}. Cite it by the digest of its rows: "
        f"`{manifest['digest']}`. Filters: `{json.dumps(manifest['filters'], ensure_ascii=False)}`.",
        "\n".join(line(row) for row in rows),
        "Splits are by prompt: no prompt is in two of them, in this or any other snapshot."
        + (f" Left out, since this format cannot say them: {left_out:,}." if left_out else ""),
        "Judgments marked as extra, withdrawn or superseded are in the canonical rows only, and pairs of "
        "identical answers are never preferences. `manifest.json` has the counts and the hashes, "
        "`DATASHEET.md` the datasheet.",
        *datasheet.sections_as_markdown(sheet.sections, "plots"),
    ]
    for guideline in sheet.guidelines:
        of = f" of {guideline.campaign.name}" if "campaigns" in manifest else ""
        parts += [f"## Guideline{of}, version {guideline.number}", quoted(guideline.text)]
    return "\n\n".join(parts) + "\n"


def quoted(text: str) -> str:
    """Return a text as a quotation in Markdown, whatever stands in it."""
    return "\n".join(f"> {line}" if line else ">" for line in text.strip().splitlines())


def metadata(sheet: Sheet, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the card's head as the hub reads it: configurations, splits, features, licence, size, tags."""
    kind = FORMATS[manifest["format"]]
    splits = {split: manifest["rows"][split] for split in SPLITS if manifest["rows"][split]}
    licence = sheet.statement.licence.strip().lower()
    known = {"license": licence} if licence in LICENCES else {"license": "other", "license_name": licence}
    found: dict[str, Any] = {
        "pretty_name": f"{snapshots.title(sheet.snapshot)} ({kind.title})",
        **(known if licence else {"license": "unknown"}),
        "language": _languages(sheet.statistics.get("languages", {})),
        "task_categories": ["text-generation"],
        "size_categories": [_size(sum(splits.values()))],
        "tags": ["preference", "rlhf", "human-feedback", manifest["format"]],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": split, "path": f"data/{split}.{manifest['file']}"} for split in splits
                ],
            }
        ],
        "dataset_info": {
            "config_name": "default",
            "features": _features(kind),
            "splits": [{"name": split, "num_examples": n} for split, n in splits.items()],
        },
    }
    return {name: value for name, value in found.items() if value}


def _languages(counts: dict[str, int]) -> list[str]:
    """Return what prompts are in as the hub spells it, two or three letters."""
    codes = {name.split("-")[0].lower() for name in counts}
    return sorted(code for code in codes if code.isalpha() and len(code) in (2, 3))


def _size(rows: int) -> str:
    return next((name for below, name in SIZES if rows < below), "100M<n<1B")


def _features(kind: Format) -> list[dict[str, Any]]:
    """Spell the columns of an export as `datasets` does in a card."""
    if kind.columns is None:
        from training import parquet

        return [{"name": column.name, **_of_arrow(column.type)} for column in parquet.ROWS]
    return [{"name": name, **_feature(spelt)} for name, spelt in kind.columns.items()]


def _feature(spelt: Any) -> dict[str, Any]:
    if isinstance(spelt, list):
        return {"list": _bare(_feature(spelt[0]))}
    if isinstance(spelt, dict):
        return {"struct": [{"name": name, **_feature(part)} for name, part in spelt.items()]}
    return {"dtype": DTYPES[spelt]}


def _of_arrow(kind: Any) -> dict[str, Any]:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return {"list": _bare(_of_arrow(kind.value_type))}
    if pa.types.is_struct(kind):
        return {"struct": [{"name": part.name, **_of_arrow(part.type)} for part in kind]}
    return {"dtype": "float64" if pa.types.is_floating(kind) else str(kind)}


def _bare(of: dict[str, Any]) -> Any:
    """Return what a list holds without the word for it where it is a struct or a plain value."""
    return of.get("struct") or of.get("dtype") or of


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=1, sort_keys=True) + "\n"
