"""Real files, imported and exported: what docs/data-formats.md says is kept is there, word for word."""

from __future__ import annotations

import gzip
import io
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from accounts.models import User
from labeling.imports import import_records
from tests import cast
from training import exports, snapshots
from training.formats import in_task_order

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.real_data]

DATA = os.environ.get("TOUCHSTONE_REAL_DATA", "")
HEAD = int(os.environ.get("TOUCHSTONE_REAL_ROWS", "60"))  # records of each file; 0 takes all
VOTES = ("pandalm_testset", "tulu_human_eval", "ukp_convarg1_train", "oasst1_en_val_pairs")
STRENGTHS = {"slightly": 1, "slightly-better": 1, "better": 2, "clearly": 2, "clearly-better": 2,
             "much": 3, "much-better": 3}  # fmt: skip


@pytest.fixture(autouse=True)
def real(folders):
    if not DATA:
        pytest.skip("TOUCHSTONE_REAL_DATA names no folder")


def records_of(name: str) -> list[dict[str, Any]]:
    with gzip.open(Path(DATA) / f"{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in islice(lines, HEAD or None)]


def take_in(campaign: Any, records: list[dict[str, Any]], format: str = "touchstone") -> None:
    lines = "".join(json.dumps(record) + "\n" for record in records)
    report = import_records(campaign, io.BytesIO(lines.encode()), format=format, by=None)
    assert (report.lines, report.errors_total) == (len(records), 0)


def exported(campaign: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Return the rows of the canonical export by the records' own ids."""
    exports.write(snapshots.cut(campaign), "canonical-jsonl", folder, "jsonl.gz")
    found = {}
    for file in (folder / "data").iterdir():
        with gzip.open(file, "rt") as lines:
            for row in map(json.loads, lines):
                assert row["task"]["external_id"] not in found
                found[row["task"]["external_id"]] = row
    return found


def verdict_of(said: dict[str, Any]) -> int:
    """Return what an annotation comes to between the answers as listed (docs/data-formats.md)."""
    if said["choice"] in ("tie", "both_bad"):
        return 0
    return (STRENGTHS.get(said.get("meta", {}).get("strength", ""), 2)) * (1 if said["choice"] else -1)


@pytest.mark.parametrize("name", VOTES)
def test_every_vote_comes_out_as_it_went_in(name, tmp_path):
    records = records_of(name)
    campaign = cast.make_campaign(slug=name.replace("_", "-"))
    take_in(campaign, records)
    rows = exported(campaign, tmp_path / "out")
    assert set(rows) == {record["id"] for record in records if record["annotations"]}
    named: dict[str, str] = {}
    for record in records:
        if not record["annotations"]:
            continue
        row = rows[record["id"]]
        assert row["prompt"] == record["prompt"]
        assert [answer["text"] for answer in row["responses"]] == [a["text"] for a in record["responses"]]
        assert [answer["policy"] for answer in row["responses"]] == [
            a.get("model") for a in record["responses"]
        ]
        pseudonyms = {
            user.pseudonym: user.first_name
            for user in User.objects.filter(pseudonym__in=[said["rater"] for said in row["judgments"]])
        }
        out = sorted(voiced(said, pseudonyms[said["rater"]]) for said in row["judgments"])
        given = sorted(heard(said, number) for number, said in enumerate(record["annotations"]))
        assert without_names(out) == without_names(given)
        for said in row["judgments"]:
            who = pseudonyms[said["rater"]]
            assert named.setdefault(who, said["rater"]) == said["rater"]  # one name, one pseudonym
        known = {said["annotator"] for said in record["annotations"] if said.get("annotator")}
        assert known <= set(pseudonyms.values())
    assert sum(len(row["judgments"]) for row in rows.values()) == sum(len(r["annotations"]) for r in records)


def voiced(said: dict[str, Any], who: str) -> tuple[Any, ...]:
    swapped = said["order_shown"] == [1, 0]
    return (in_task_order(said), said["both_bad"], said["comment"], swapped, who)


def heard(said: dict[str, Any], number: int) -> tuple[Any, ...]:
    meta = said.get("meta") or {}
    comment = said.get("comment") or meta.get("comment") or meta.get("reason") or ""
    both_bad = said["choice"] == "both_bad" or bool(said.get("both_bad"))
    return (verdict_of(said), both_bad, comment, bool(meta.get("shown_swapped")), said.get("annotator") or "")


def without_names(said: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(each[:-1] for each in said)


def test_every_rewrite_and_every_prompt_comes_out_as_it_went_in(tmp_path):
    records, prompts = records_of("edits_coachlm"), records_of("prompts_mt_bench")
    campaign = cast.make_campaign(slug="rewrites")
    take_in(campaign, records)
    take_in(campaign, prompts, "prompts")
    rows = exported(campaign, tmp_path / "out")
    whole = [record for record in records if record["edited"] and record["edited"]["text"]]
    assert set(rows) == {record["id"] for record in whole}
    for record in whole:
        row = rows[record["id"]]
        (edit,) = row["edits"]
        (original,) = row["responses"]
        assert row["prompt"] == record["prompt"]
        assert (original["text"], original["policy"]) == (
            record["original"]["text"],
            record["original"]["model"],
        )
        assert edit["original"] == original["id"]
        text = record["edited"]["text"]
        assert (edit["edited"] or original)["text"] == text
        assert edit["instruction"] == (record["edited"].get("instruction") or "")
    exports.write(campaign.snapshots.get(), "trl-prompt", tmp_path / "prompts")
    asked = [
        json.loads(line)["prompt"]
        for file in (tmp_path / "prompts" / "data").iterdir()
        for line in file.read_text().splitlines()
    ]
    for prompt in prompts:
        assert [{"role": "user", "content": prompt["turns"][0]}] in asked
    exports.write(campaign.snapshots.get(), "helpsteer3-edit", tmp_path / "edits")
    changed = [record for record in whole if record["edited"]["text"] != record["original"]["text"]]
    lines = [f.read_text().splitlines() for f in (tmp_path / "edits" / "data").iterdir()]
    assert sum(map(len, lines)) == len(changed)
