"""Uploads arrive whole or not at all, and only once."""

import gzip
import io
import json
import os
import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import AuditEvent, User
from labeling.imports import import_records
from labeling.models import Edit, Import, Judgment, Prompt, Response, Round, Slot, Task
from labeling.statements import OPEN_SLOTS
from models_app.models import ModelVersion
from tests.cast import make_campaign, make_policy

pytestmark = pytest.mark.django_db
TABLES = [Prompt, Response, Task, Slot, Judgment, Edit, Round, Import, User, ModelVersion, AuditEvent]


def _pair(number, *said, texts=("first", "second"), **more):
    return {
        "id": f"pair-{number}",
        "prompt": [{"role": "user", "content": f"Question {number}?"}],
        "responses": [{"text": text, "model": model} for text, model in zip(texts, "mn", strict=True)],
        "annotations": list(said),
        **more,
    }


def _said(annotator, choice, **meta):
    return {"annotator": annotator, "choice": choice, "meta": meta}


def _load(campaign, *rows, format="touchstone", **options):
    source = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
    return import_records(campaign, source, format=format, by=None, **options)


def _sizes():
    return {model.__name__: model._default_manager.count() for model in TABLES}


def _counted():
    return Judgment.objects.filter(extra=False, withdrawn=False, superseded_by=None)


def test_a_judged_pair_becomes_a_done_task():
    campaign = make_campaign(overlap=4)
    report = _load(
        campaign,
        _pair(
            1,
            _said("ann", 0, strength="slightly-better", shown_swapped=False, comment="short"),
            _said("bob", 1, shown_swapped=True, timestamp="2023-05-19"),
            _said("eve", "tie"),
            language="en",
            meta={"category": "science", "n": 1},
        ),
    )
    assert (report.prompts_added, report.responses_added, report.tasks_added) == (1, 2, 1)
    assert (report.judgments_added, report.raters_added, report.errors) == (3, 3, [])
    task = Task.objects.get()
    assert (task.status, task.overlap, task.counted, task.selection) == ("done", 3, 3, "imported")
    assert [r.text for r in task.responses.order_by("task_responses__position")] == ["first", "second"]
    ann, bob, eve = Judgment.objects.order_by("pk")
    assert (ann.verdict, ann.order_shown, ann.comment) == (-1, [0, 1], "short")
    # answer 1 stood left and won: better on the left is negative
    assert (bob.verdict, bob.order_shown, bob.meta["timestamp"]) == (-2, [1, 0], "2023-05-19")
    assert (eve.verdict, eve.meta) == (0, {"order_shown": "unknown"})
    assert {slot.status for slot in task.slots.all()} == {"done"}
    assert {slot.rater for slot in task.slots.all()} == {ann.rater, bob.rater, eve.rater}
    assert ann.imported
    assert ann.guideline is None
    rater = ann.rater
    assert (rater.role, rater.imported, rater.is_active, rater.has_usable_password()) == (
        "rater",
        True,
        False,
        False,
    )
    assert rater.first_name == "ann"
    assert rater.username == f"imported.{campaign.slug}.ann"
    prompt = Prompt.objects.get()
    assert (prompt.language, prompt.tags, prompt.meta) == ("en", ["science"], {"category": "science", "n": 1})
    model = ModelVersion.objects.get(name="m")
    assert (model.backend, model.family, model.status) == ("imported", campaign.model_family, "candidate")
    round_ = Round.objects.get()
    assert (round_.origin, round_.status, round_.number) == ("import", "closed", 1)
    assert Import.objects.get().report["judgments_added"] == 3


def test_an_unjudged_pair_is_put_to_raters_and_an_identical_one_is_not():
    campaign = make_campaign(overlap=2)
    judged_twins = _pair(3, _said("ann", "tie"), texts=("same", "same"))
    report = _load(
        campaign, _pair(1), _pair(2, texts=("same", "same")), judged_twins, _pair(4, texts=("", " "))
    )
    assert (report.tasks_added, report.identical_pairs, report.empty_responses) == (3, 2, 2)
    assert report.responses_added == 8
    tasks = {task.external_id: task for task in Task.objects.all()}
    assert {key: task.status for key, task in tasks.items()} == {
        "pair-1": "open",
        "pair-3": "done",
        "pair-4": "open",
    }
    assert [slot.status for slot in tasks["pair-1"].slots.all()] == ["open", "open"]
    assert tasks["pair-1"].round.status == "open"
    assert Response.objects.filter(text="").count() == 1


def test_the_same_import_twice_adds_nothing():
    campaign = make_campaign()
    rows = [
        _pair(1, _said("ann", 0), _said("ann", 1), _said(None, 0), _said(None, 1)),
        _pair(2),
        _pair(3, texts=("same", "same")),
        {"prompt": "No id", "responses": ["x", "x"], "annotations": [_said("ann", "tie")]},
        {"prompt": "Mend", "original": "Helo", "edited": {"text": "Hello", "editor": "ed"}},
        {"prompt": "Alone"},
    ]
    first = _load(campaign, *rows)
    assert (first.prompts_added, first.tasks_added, first.judgments_added, first.edits_added) == (6, 4, 5, 1)
    sizes = _sizes()
    second = _load(campaign, *rows)
    assert (second.prompts_known, second.raters_added) == (6, 0)
    added = [
        getattr(second, f"{what}_added") for what in ("prompts", "responses", "tasks", "judgments", "edits")
    ]
    assert added == [0] * 5
    assert _sizes() == sizes | {"Import": 2, "AuditEvent": sizes["AuditEvent"] + 1}


def test_more_voices_join_a_known_task():
    campaign = make_campaign(overlap=2)
    _load(campaign, _pair(1), _pair(2, _said("ann", 0)))
    again = _load(campaign, _pair(1, _said("ann", 0)), _pair(2, _said("ann", 0), _said("bob", 1)))
    assert (again.tasks_added, again.judgments_added, again.raters_added) == (0, 2, 1)
    tasks = {task.external_id: task for task in Task.objects.all()}
    assert (tasks["pair-1"].overlap, tasks["pair-1"].counted, tasks["pair-1"].status) == (3, 1, "open")
    assert tasks["pair-1"].slots.filter(status="open").count() == 2
    assert (tasks["pair-2"].overlap, tasks["pair-2"].counted, tasks["pair-2"].status) == (2, 2, "done")


def test_the_later_word_of_the_same_rater_supersedes():
    report = _load(
        make_campaign(), _pair(1, _said("ann", 0), _said("bob", 0), _said("ann", 1), _said("ann", "tie"))
    )
    assert report.judgments_added == 4
    assert {j.rater.first_name: j.verdict for j in _counted()} == {"ann": 0, "bob": -2}
    task = Task.objects.get()
    assert (task.overlap, task.counted) == (2, 2)
    assert sorted(task.slots.values_list("status", flat=True)) == ["cancelled", "cancelled", "done", "done"]


def test_judgments_of_one_pair_may_stand_on_many_lines(monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 2)
    table = "prompt,response_a,response_b,annotator,choice\n" + "".join(
        f"Q,A,B,{name},{choice}\n"
        for name, choice in [("ann", "a"), ("bob", "b"), ("ann", "b"), ("eve", "tie")]
    )
    campaign = make_campaign()
    for _ in range(2):
        import_records(campaign, io.BytesIO(table.encode()), format="csv", by=None)
    assert Task.objects.count() == 1
    assert Judgment.objects.count() == 4
    assert {j.rater.first_name: j.verdict for j in _counted()} == {"ann": 2, "bob": 2, "eve": 0}
    assert (Task.objects.get().overlap, Task.objects.get().counted) == (3, 3)


def test_conversations_become_answers_with_turns_once():
    campaign, turns = make_campaign(), []
    for last in ("A lord.", "No idea."):
        turns.append(
            [
                {"role": role, "content": text}
                for role, text in (("assistant", "Rayleigh."), ("user", "Who?"), ("assistant", last))
            ]
        )
    opening = [{"role": "user", "content": "Why is the sky blue?"}]
    battle = {"conversation_a": opening + turns[0], "conversation_b": opening + turns[1], "winner": "model_a"}
    same_end = {"prompt": opening, "responses": [{"turns": turns[0]}, "A lord."]}
    assert _load(campaign, battle, format="arena").tasks_added == 1
    assert _load(campaign, same_end).identical_pairs == 0
    sizes = _sizes()
    again = _load(campaign, battle, format="arena")
    assert (again.tasks_added, again.responses_added, again.judgments_added) == (0, 0, 0)
    assert _sizes() | {"Import": 0, "AuditEvent": 0} == sizes | {"Import": 0, "AuditEvent": 0}
    first, second = Task.objects.get(status="done").task_responses.order_by("position")
    assert (first.response.text, first.response.turns) == ("A lord.", turns[0])
    assert second.response.turns == turns[1]
    assert Judgment.objects.get().verdict == -2


def test_prompts_with_a_purpose_are_held_out_and_an_unknown_purpose_is_named():
    campaign = make_campaign()
    rows = [{"prompt": f"Question {n}?", "purpose": "evaluation"} for n in range(6)]
    assert not _load(campaign, *rows, format="prompts").errors
    assert set(Prompt.objects.values_list("split", "purpose")) == {("test", "evaluation")}
    (error,) = _load(campaign, {"prompt": "Another?", "purpose": "training"}, format="prompts").errors
    assert (error.field, Prompt.objects.count()) == ("purpose", 6)
    table = io.BytesIO(b"prompt,purpose\nIs this safe?,safety\nAnd this?,\n")
    import_records(campaign, table, format="csv", by=None)
    assert sorted(Prompt.objects.values_list("purpose", flat=True)) == ["", *["evaluation"] * 6, "safety"]


def test_edits_arrive_with_their_texts():
    base = {"prompt": "Greet.", "original": {"text": "helo there", "model": "m"}, "meta": {"source": "x"}}
    report = _load(
        make_campaign(overlap=2),
        {"id": 1, **base, "edited": {"text": "hello there", "editor": "ed", "instruction": "spelling"}},
        {"id": 2, **base, "edited": {"text": "helo there", "editor": "ed"}},
        {"id": 3, **base, "edited": {"text": " ", "editor": "ed"}},
        {"id": 4, **base, "edited": None},
    )
    assert (report.edits_added, report.empty_edits, report.tasks_added) == (2, 1, 3)
    changed, good = Edit.objects.order_by("pk")
    assert changed.edited is not None
    assert (changed.edited.text, changed.distance, changed.instruction) == ("hello there", 1, "spelling")
    assert (changed.edited.origin, changed.edited.parent, changed.edited.author) == (
        "edited",
        changed.original,
        changed.rater,
    )
    assert good.edited is None
    assert Task.objects.get(external_id="1").status == "done"
    assert Task.objects.get(external_id="4").slots.filter(status="open").count() == 2


def test_an_answer_of_a_known_policy_is_credited_to_it():
    campaign = make_campaign()
    policy = make_policy(campaign.model_family, "m")
    _load(campaign, _pair(1))
    assert Response.objects.get(text="first").policy == policy


def test_odd_names_and_equal_names_in_two_campaigns_stay_apart():
    name = "expert (26 language experts, not identified)"
    for campaign in (make_campaign(), make_campaign()):
        _load(campaign, _pair(1, _said(name, 0), _said("expert-26-language-experts-not-identified", 0)))
    assert User.objects.filter(imported=True).count() == 4
    assert User.objects.filter(first_name=name).count() == 2


def test_a_dry_run_counts_and_keeps_nothing():
    campaign = make_campaign()
    sizes = _sizes()
    seen = []
    rows = [_pair(k, _said("ann", 0)) for k in range(5)]
    report = _load(campaign, *rows, dry_run=True, progress=lambda done, total: seen.append((done, total)))
    assert (report.prompts_added, report.tasks_added, report.judgments_added) == (5, 5, 5)
    assert seen[-1][0] == seen[-1][1] > 0
    assert _sizes() == sizes


def _broken(kind):
    rows = [_pair(k, _said("ann", 0)) for k in range(1200)]
    lines = [json.dumps(row) for row in rows]
    wrong = {
        "invalid JSON": lines[699][:-5],
        "number": json.dumps(_pair(699) | {"responses": [{"text": 7}, {"text": "b"}]}),
        "boolean": json.dumps(_pair(699) | {"responses": ["a", True]}),
        "role": json.dumps(_pair(699) | {"prompt": [{"role": "tool", "content": "Q"}]}),
        "third": json.dumps(_pair(699, _said("ann", 2))),
        "verdict": json.dumps(_pair(699, {"annotator": "ann", "verdict": -4})),
        "other answers": json.dumps(_pair(5, texts=("x", "y"))),
        "other kind": json.dumps({"id": "pair-5", "prompt": "Q", "original": "a", "edited": None}),
    }
    lines[699] = wrong.get(kind, lines[699])
    text = ("\n".join(lines) + "\n").encode()
    return gzip.compress(text)[:-500] if kind == "truncated" else text


@pytest.mark.parametrize(
    ("kind", "field", "message"),
    [
        ("truncated", "", "truncated"),
        ("invalid JSON", "", "not valid JSON"),
        ("number", "responses[0].text", "must be text, not a number"),
        ("boolean", "responses[1]", "must be text, or an object with text and model, not true or false"),
        ("role", "prompt[0].role", 'must be system, user or assistant, not "tool"'),
        ("third", "annotations[0].choice", "points at answer 3, and there are only two"),
        ("verdict", "annotations[0].verdict", "−3 to 3, not -4"),
        ("other answers", "id", "already stands for another prompt or other answers"),
        ("other kind", "id", "already stands for another prompt or other answers"),
    ],
)
def test_one_bad_line_changes_nothing(kind, field, message, monkeypatch):
    monkeypatch.setattr("labeling.imports.BATCH", 300)
    campaign = make_campaign()
    sizes = _sizes()
    report = import_records(campaign, io.BytesIO(_broken(kind)), format="touchstone", by=None)
    (error,) = report.errors
    assert error.field == field
    assert message in error.message
    assert error.line == 700 if kind != "truncated" else error.line > 300
    assert (report.prompts_added, report.tasks_added, report.errors_total) == (0, 0, 1)
    assert _sizes() == sizes


def test_a_missing_column_an_empty_file_and_many_errors():
    campaign = make_campaign()
    sizes = _sizes()
    missing = import_records(campaign, io.BytesIO(b"question,b\nQ,x\n"), format="csv", by=None)
    assert [(e.line, e.field) for e in missing.errors] == [(1, "prompt")]
    assert "nothing in this file" in _load(campaign).errors[0].message
    many = _load(campaign, *[{"prompt": k} for k in range(250)], {"prompt": "fine"})
    assert (len(many.errors), many.errors_total, many.errors[99].line) == (100, 250, 100)
    assert _sizes() == sizes


def test_the_command_imports_and_complains(tmp_path, capsys):
    campaign = make_campaign()
    file = tmp_path / "pairs.jsonl.gz"
    file.write_bytes(gzip.compress((json.dumps(_pair(1, _said("ann", 0))) + "\n").encode()))
    call_command("import_prompts", campaign.slug, str(file), dry_run=True)
    assert "Would add 1 prompts" in capsys.readouterr().out
    call_command("import_prompts", campaign.slug, str(file), by=User.objects.latest("pk").username)
    assert "Added 1 prompts (0 known), 2 answers, 1 tasks, 1 judgments" in capsys.readouterr().out
    assert Import.objects.get().filename == "pairs.jsonl.gz"
    file.write_bytes(b'{"prompt": 1}\n')
    with pytest.raises(CommandError, match=r"line 1: prompt: must be text"):
        call_command("import_prompts", campaign.slug, str(file))
    for arguments, message in [
        (["nowhere", str(file)], "no campaign “nowhere”"),
        ([campaign.slug, str(tmp_path / "none")], "can't be read"),
        ([campaign.slug, str(file), "--by", "nobody"], "no user “nobody”"),
    ]:
        with pytest.raises(CommandError, match=message):
            call_command("import_prompts", *arguments)


@pytest.mark.django_db(transaction=True)
def test_two_imports_of_the_same_file_at_once_add_it_once():
    campaign = make_campaign()
    rows = [_pair(k, _said("ann", 0), _said("bob", 1)) for k in range(300)]
    reports = []

    def load():
        reports.append(_load(campaign, *rows))
        connection.close()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.tasks_added for report in reports) == [0, 0, 300]
    assert sorted(report.judgments_added for report in reports) == [0, 0, 600]
    assert (Task.objects.count(), Judgment.objects.count()) == (300, 600)


def _real(name):
    folder = os.environ.get("TOUCHSTONE_REAL_DATA")
    if not folder:
        pytest.skip("TOUCHSTONE_REAL_DATA is not set")
    return Path(folder) / name


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "figures", "counted", "ties"),
    [
        (
            "pandalm_testset",
            {
                "prompts_added": 170, "responses_added": 800, "tasks_added": 999, "raters_added": 3,
                "judgments_added": 2997, "empty_responses": 54, "identical_pairs": 0,
            },
            2997,
            326,
        ),
        (
            "tulu_human_eval",
            {
                "prompts_added": 332, "responses_added": 1328, "tasks_added": 996, "raters_added": 16,
                "judgments_added": 1150, "empty_responses": 0, "identical_pairs": 35,
            },
            1141,
            376,
        ),
        ("oasst1_en_val_pairs", {"prompts_added": 418, "judgments_added": 1026}, 1026, 0),
        ("edits_coachlm", {"prompts_added": 2301, "edits_added": 2300, "empty_edits": 1}, 0, 0),
        ("prompts_mt_bench", {"prompts_added": 80, "tasks_added": 0, "responses_added": 0}, 0, 0),
    ],
)  # fmt: skip
def test_real_files_import_with_what_people_said(name, figures, counted, ties):
    campaign = make_campaign()
    format = "prompts" if name == "prompts_mt_bench" else "touchstone"
    for attempt in range(2):
        with _real(f"{name}.jsonl.gz").open("rb") as source:
            report = import_records(campaign, source, format=format, by=None)
        assert report.errors == []
        if attempt == 0:
            assert {key: getattr(report, key) for key in figures} == figures
        else:
            assert (report.tasks_added, report.judgments_added, report.edits_added) == (0, 0, 0)
    assert _counted().count() == counted
    assert Judgment.objects.filter(verdict=0).count() == ties
    assert not Slot.objects.exclude(status__in=["done", "cancelled"]).exists()


def test_slots_that_come_with_tasks_are_those_that_a_round_would_make():
    def slots():
        rows = Slot.objects.order_by("task", "pk").values()
        return [{k: v for k, v in row.items() if k not in ("id", "order_key")} for row in rows]

    _load(make_campaign(overlap=3), _pair(1), _pair(2))
    imported = slots()
    Slot.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(OPEN_SLOTS, {"round": Round.objects.get().pk})
    assert (len(imported), slots()) == (6, imported)
