"""Work that people did in other tools: Label Studio, Argilla, lists with scores, thumbs, and hub folders."""

import io
import json
from typing import Any

import pytest

from labeling import hub
from labeling.import_formats import guess_format, guess_mapping, read_records
from labeling.imports import import_records
from labeling.models import Edit, Judgment
from tests.cast import make_campaign
from tests.labeling.test_import_mapping import lines_of, parquet_of


def pairwise(selected, by, **more):
    result = {
        "id": "r",
        "from_name": "pw",
        "to_name": "txt-1,txt-2",
        "type": "pairwise",
        "value": {"selected": selected},
    }
    return {"id": 5, "completed_by": by, "result": [result], "was_cancelled": False, "lead_time": 4.3, **more}


TASK = {
    "id": 1,
    "data": {"prompt": "Why is the sky blue?", "text1": "Rayleigh scattering.", "text2": "The sea."},
    "annotations": [
        pairwise("left", 10),
        pairwise("right", {"id": 11, "email": "bo@example.org"}),
        pairwise("left", 12, was_cancelled=True),
    ],
    "predictions": [],
    "project": 3,
}
MIN = {
    "id": 2, "prompt": "Why?", "text1": "So.", "text2": "Thus.", "pw": [{"selected": "right"}],
    "annotator": 4, "annotation_id": 9, "lead_time": 2.5,
    "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z",
}  # fmt: skip
NESTED = {
    "id": "r1", "fields": {"instruction": "Name a fruit.", "response_1": "Apple", "response_2": "Stone"},
    "metadata": {"source": "x"}, "suggestions": {}, "vectors": {}, "_server_id": "s1",
    "responses": {
        "preference": [{"value": ["response_1", "response_2"], "user_id": "u1"},
                       {"value": ["response_2", "response_1"], "user_id": "u2"}],
        "why": [{"value": "It is one.", "user_id": "u1"}],
    },
}  # fmt: skip
FLAT: dict[str, Any] = {"id": "r2", "instruction": "Name a fruit."}
for number, (fruit, rating) in enumerate((("Apple", 5), ("Stone", 1), ("Plum", 5)), start=1):
    FLAT[f"response_{number}"] = fruit
    FLAT[f"rating_{number}.responses"] = [rating, 1]
    FLAT[f"rating_{number}.responses.users"] = ["u1", "u2"]
    FLAT[f"rating_{number}.responses.status"] = ["submitted", "discarded"]
FIRST_VERSION = {
    "prompt": "Name a fruit.", "response-1": "Apple", "response-2": "Stone",
    "preference": [{"user_id": "u1", "status": "submitted",
                    "value": [{"rank": 1, "value": "response-2"}, {"rank": 2, "value": "response-1"}]}],
}  # fmt: skip


def the_record(row, format):
    for source in (lines_of(row), io.BytesIO(json.dumps([row]).encode())):
        assert guess_format(source) == format
        records = list(read_records(source, format))
        assert len(records) == 1
    return records[0]


def test_label_studio_tasks_come_with_what_each_annotator_selected():
    record = the_record(TASK, "label-studio")
    assert guess_mapping(lines_of(TASK), "label-studio") == {
        "prompt": "data.prompt", "response_a": "data.text1", "response_b": "data.text2",
    }  # fmt: skip
    assert (record.external_id, record.messages[0]["content"]) == ("label-studio-1", "Why is the sky blue?")
    assert [(a.annotator, a.verdict, a.swapped) for a in record.annotations] == [
        ("10", -2, False), ("bo@example.org", 2, False),
    ]  # fmt: skip
    assert record.annotations[0].meta == {"lead_time": 4.3}
    unseen = TASK | {"data": {"prompt": "Q", "summary_x": "one", "summary_y": "two"}, "annotations": []}
    assert [text for text, _model in the_record(unseen, "label-studio").responses] == ["one", "two"]
    (error,) = read_records(lines_of(TASK | {"annotations": [pairwise("up", 1)]}), "label-studio")
    assert (error.field, "left or right" in error.message) == ("annotations[0].result.value.selected", True)


@pytest.mark.parametrize("value", [[{"selected": "right"}], {"selected": "right"}, "right"])
def test_label_studios_short_form(value):
    record = the_record(MIN | {"pw": value}, "label-studio")
    assert [text for text, _model in record.responses] == ["So.", "Thus."]
    said = record.annotations[0]
    assert (said.annotator, said.verdict, said.meta["lead_time"]) == ("4", 2, 2.5)


def test_argillas_rankings_ratings_and_texts():
    record = the_record(NESTED, "argilla")
    assert [(a.annotator, a.verdict, a.comment) for a in record.annotations] == [
        ("u1", -2, "It is one."), ("u2", 2, ""),
    ]  # fmt: skip
    assert (record.external_id, record.meta) == ("r1", {"metadata": {"source": "x"}})
    flat = the_record(FLAT, "argilla")
    assert [(a.annotator, a.ranking) for a in flat.annotations] == [("u1", [[0, 2], [1]])]
    (packed,) = read_records(parquet_of([FLAT]), "argilla")
    assert packed.annotations == flat.annotations
    old = the_record(FIRST_VERSION, "argilla")
    assert [(a.annotator, a.verdict) for a in old.annotations] == [("u1", 2)]
    (error,) = read_records(
        lines_of(NESTED | {"responses": {"p": [{"value": ["x"], "user_id": "u1"}]}}), "argilla"
    )
    assert (error.field, "response_1, response_2" in error.message) == ("p", True)


@pytest.mark.django_db
def test_they_come_in_as_imported_raters_and_only_once():
    campaign = make_campaign()
    rewritten = {
        "id": "r9", "fields": {"instruction": "Greet.", "response": "Helo"}, "suggestions": {},
        "responses": {"better": [{"value": "Hello", "user_id": "u1"}, {"value": "Helo", "user_id": "u2"}]},
    }  # fmt: skip
    for added in (True, False):
        for source, format in (
            (io.BytesIO(json.dumps([TASK]).encode()), "label-studio"),
            (lines_of(MIN), "label-studio"),
            (lines_of(NESTED), "argilla"),
            (lines_of(rewritten), "argilla"),
        ):
            assert guess_format(source) == format
            report = import_records(campaign, source, format=format, by=None)
            assert (report.errors, bool(report.judgments_added + report.edits_added)) == ([], added)
    assert Judgment.objects.filter(imported=True, rater__imported=True, rater__is_active=False).count() == 5
    edits = {edit.rater.first_name: edit.edited and edit.edited.text for edit in Edit.objects.all()}
    assert edits == {"u1": "Hello", "u2": None}


def test_scores_become_an_order():
    row = {
        "instruction": "Name a fruit.",
        "completions": [{"model": "m1", "response": "Stone", "overall_score": 1.0},
                        {"model": "m2", "response": "Apple", "overall_score": "9"},
                        {"model": "m3", "response": "Plum", "overall_score": 9}],
    }  # fmt: skip
    record = the_record(row, "scored")
    assert record.annotations[0].ranking == [[1, 2], [0]]
    assert (record.responses[1], record.meta["scores"]) == (("Apple", "m2"), [1.0, 9.0, 9.0])
    beside = {"prompt": "Q", "generations": ["x", "y"], "ratings": [2, 5]}
    assert the_record(beside, "scored").annotations[0].verdict == 2
    (error,) = read_records(lines_of(row | {"completions": [{"response": "x", "score": 1}]}), "scored")
    assert error.field == "completions"


def test_wanted_and_unwanted_neighbours_make_pairs():
    talk = [{"role": "user", "content": "Q"}]
    rows = [
        {"prompt": talk, "completion": [{"role": "assistant", "content": text}], "label": label}
        for text, label in (("bad", False), ("good", True), ("fine", True))
    ]
    rows += [
        {"prompt": "Alone", "completion": "yes", "label": False},
        {"prompt": "P", "completion": "x", "label": 1},
    ]
    found = sorted(read_records(lines_of(*rows), "kto"), key=lambda r: r.line)
    records = {record.line: record for record in found}
    assert [text for text, _model in records[2].responses] == ["good", "bad"]
    assert records[2].annotations[0].verdict == -2
    assert (records[3].responses, records[3].annotations, records[3].meta) == (
        [("fine", None)],
        [],
        {"label": True},
    )
    assert records[4].meta == {"label": False}
    assert (records[5].field, records[5].message.startswith("must be true or false")) == ("label", True)


CHOSEN = {
    "prompt": "Q",
    "chosen": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}],
    "rejected": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "B"}],
}


def test_a_datasets_folder_is_one_source(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_text("# Card")
    (tmp_path / "dataset_info.json").write_text("{}")
    (tmp_path / "data/train-00000-of-00001.parquet").write_bytes(parquet_of([CHOSEN]).getvalue())
    (tmp_path / "data/test-00000-of-00001.parquet").write_bytes(parquet_of([CHOSEN, CHOSEN]).getvalue())
    for split, rows in (("", 1), ("test", 2)):
        out = io.BytesIO()
        hub.gather(tmp_path, split, out)
        assert guess_format(out) == "trl"
        records = list(read_records(out, "trl"))
        assert [[text for text, _model in r.responses] for r in records] == [["A", "B"]] * rows
    with pytest.raises(hub.HubError, match="no split “valid”"):
        hub.gather(tmp_path, "valid", io.BytesIO())
    with pytest.raises(hub.HubError, match="no data file"):
        hub.data_files(["README.md", ".argilla/settings.json"])
    assert hub.data_files(["records.json", ".argilla/dataset.json"]) == ["records.json"]


def test_a_folder_saved_to_disk_is_read(tmp_path):
    import pyarrow

    folder = tmp_path / "train"
    folder.mkdir()
    table = pyarrow.Table.from_pylist([CHOSEN])
    path = str(folder / "data-00000-of-00001.arrow")
    with pyarrow.OSFile(path, "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as out:
        out.write_table(table)
    (folder / "state.json").write_text("{}")
    found = io.BytesIO()
    hub.gather(tmp_path, "", found)
    assert json.loads(found.getvalue()) == CHOSEN


def test_without_a_network_the_hub_says_what_to_do(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(hub.HubError, match="give its folder to the command"):
        hub.fetch("nobody/nothing", "", io.BytesIO())
    for wrong in ("../etc", "a/b/c", "", "a b"):
        with pytest.raises(hub.HubError, match="no dataset's id"):
            hub.check_id(wrong)
