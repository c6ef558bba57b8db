"""Rankings in uploads."""

import io
import json

import pytest

from labeling.imports import import_records
from labeling.models import Judgment, Task
from tests.cast import make_campaign

pytestmark = pytest.mark.django_db


def _load(campaign, *rows):
    source = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
    return import_records(campaign, source, format="touchstone", by=None)


def _ranked(number, *said, texts=("one", "two", "three", "four"), **more):
    responses = [{"text": text, "model": f"m{k}"} for k, text in enumerate(texts)]
    return {
        "id": f"rank-{number}",
        "prompt": f"Ask {number}",
        "responses": responses,
        "annotations": said,
        **more,
    }


def test_a_ranked_record_becomes_a_done_ranking():
    campaign = make_campaign(overlap=4)
    ann = {"annotator": "ann", "ranking": [2, [1, 0], 3], "comment": "The third is short."}
    rows = [_ranked(1, ann, {"annotator": "bob", "ranking": [[3], [2], [1], [0]]})]
    report = _load(campaign, *rows)
    assert (report.tasks_added, report.judgments_added, report.raters_added) == (1, 2, 2)
    task = Task.objects.get()
    assert (task.kind, task.status, task.overlap, task.counted) == ("rank", "done", 2, 2)
    first, second = Judgment.objects.order_by("pk")
    assert (first.ranking, first.verdict, first.order_shown) == ([[2], [0, 1], [3]], None, [0, 1, 2, 3])
    assert (first.comment, first.meta) == ("The third is short.", {"order_shown": "unknown"})
    assert second.ranking == [[3], [2], [1], [0]]
    assert _load(campaign, *rows).judgments_added == 0


def test_a_record_may_hold_its_ranking_or_ask_raters_for_one():
    campaign = make_campaign(overlap=2)
    said = _ranked(1, ranking=[0, 1, 2, 3], annotator="ann")
    same = _ranked(3, ranking=None, texts=("same",) * 3)
    report = _load(campaign, said, _ranked(2, ranking=None), same, _ranked(4))
    assert (report.tasks_added, report.judgments_added) == (2, 1)
    assert Judgment.objects.get().rater.first_name == "ann"
    asked = Task.objects.get(external_id="rank-2")
    assert (asked.kind, asked.status, asked.slots.count()) == ("rank", "open", 2)
