"""Columns of any name, in CSV, JSON and Parquet: guessed, shown, corrected, and read."""

import gzip
import io
import json

import pytest

from labeling import import_mapping, import_preview
from labeling.import_fields import FieldError
from labeling.import_formats import guess_format, guess_mapping, read_records
from labeling.import_rows import read_rows
from labeling.import_source import FileError, LineError

TABLE = "Question;Answer 1;Answer 2;Winner;Worker ID;Batch\nWhy?;Because.;No idea.;left;w7;9\n"
NESTED = {"data": {"question": "Why?"}, "out": [{"text": "Because."}, {"text": "No idea."}], "n": 3}


def parquet_of(rows):
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), out)
    out.seek(0)
    return out


def lines_of(*rows):
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def test_a_tables_columns_are_guessed_by_their_names():
    source = io.BytesIO(TABLE.encode())
    assert guess_format(source) == "columns"
    assert guess_mapping(source, "columns") == {
        "prompt": "question",
        "response_a": "answer 1",
        "response_b": "answer 2",
        "choice": "winner",
        "annotator": "worker id",
    }
    (record,) = read_records(source, "columns")
    assert record.messages == [{"role": "user", "content": "Why?"}]
    assert [text for text, _model in record.responses] == ["Because.", "No idea."]
    assert (record.annotations[0].annotator, record.annotations[0].verdict) == ("w7", -2)
    assert record.meta == {"batch": "9"}


@pytest.mark.parametrize("pack", [lines_of, lambda row: io.BytesIO(json.dumps([row]).encode()),
                                  lambda row: parquet_of([row])])  # fmt: skip
def test_keys_within_json_and_parquet_can_be_named(pack):
    source = pack(NESTED)
    mapping = {"prompt": "data.question", "response_a": "out.0.text", "response_b": "out.1.text"}
    (record,) = read_records(source, "columns", mapping)
    assert [text for text, _model in record.responses] == ["Because.", "No idea."]
    assert (record.messages[0]["content"], record.meta) == ("Why?", {"n": 3})
    seen = import_preview.look(source, "columns", mapping)
    assert [column.path for column in seen.columns] == ["data.question", "out.0.text", "out.1.text", "n"]
    assert [column.field for column in seen.columns] == ["prompt", "response_a", "response_b", ""]
    assert seen.records[0].answers == ("Because.", "No idea.")


@pytest.mark.parametrize(
    ("row", "format", "mapping"),
    [
        ({"question": "Q", "preferred": "A", "dispreferred": "B"}, "columns",
         {"prompt": "question", "chosen": "preferred", "rejected": "dispreferred"}),
        ({"prompt": "Q", "output_a": "A", "output_b": "B", "label": 0.5}, "columns",
         {"prompt": "prompt", "response_a": "output_a", "response_b": "output_b"}),
        ({"instruction": "Q", "output": "A", "category": "x"}, "columns",
         {"prompt": "instruction", "response": "output", "tags": "category"}),
        ({"prompt": "Q", "source": "x"}, "prompts", {}),
        ({"instruction": "Q", "completions": [{"text": "A", "score": 4}, {"text": "B", "score": 1}]},
         "scored", {}),
        ({"prompt": "Q", "completion": "A", "label": True}, "kto", {}),
    ],
)  # fmt: skip
def test_the_format_and_what_is_what_are_guessed(row, format, mapping):
    for source in (lines_of(row), parquet_of([row])):
        assert guess_format(source) == format
        assert guess_mapping(source, format) == mapping


def test_a_mapping_names_known_fields_and_columns_that_are_there():
    assert import_mapping.check({"prompt": "a.b"}) == {"prompt": "a.b"}
    for wrong, says in (
        ({"ask": "a"}, "none of our fields"),
        ({"prompt": ""}, "name a column"),
        ([], "object"),
    ):
        with pytest.raises(FieldError, match=says):
            import_mapping.check(wrong)
    (lacking,) = read_records(io.BytesIO(TABLE.encode()), "columns", {"prompt": "frage"})
    assert isinstance(lacking, FileError)
    assert "the column “frage” is missing" in lacking.message
    (lacking,) = read_records(lines_of({"a": 1}), "columns", {"prompt": "frage"})
    assert (lacking.line, lacking.field) == (1, "prompt")


def test_a_choice_may_name_an_answers_column():
    row = {"q": "Q", "gpt": "A", "llama": "B", "best": "llama"}
    mapping = {"prompt": "q", "response_a": "gpt", "response_b": "llama", "choice": "best"}
    (record,) = read_records(lines_of(row), "columns", mapping)
    assert record.annotations[0].verdict == 2
    (wrong,) = read_records(lines_of(row | {"best": "nobody"}), "columns", mapping)
    assert (wrong.field, isinstance(wrong, LineError)) == ("choice", True)


def test_a_json_list_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr("labeling.import_source.HEAD_BYTES", 64)
    rows = [{"prompt": f"Grüße {n} [}},"} for n in range(40)]
    text = json.dumps(rows, ensure_ascii=False, indent=1).encode()
    for source in (io.BytesIO(text), io.BytesIO(gzip.compress(text))):
        assert [row for _number, row in read_rows(source)] == rows
    *good, broken = read_rows(io.BytesIO(text[:-30]))
    assert (len(good), type(broken), broken.line) == (39, FileError, 40)
    (number,) = [item for item in read_rows(io.BytesIO(b'[{"a": 1}, 2]')) if isinstance(item, LineError)]
    assert (number.line, "not a number" in number.message) == (2, True)


SOUP = "How long does soup keep?", "Three days in the fridge.", "It depends on many things."


@pytest.mark.parametrize(
    ("table", "mapping"),
    [
        ("no.,what they asked,bot one,bot two\n1,{},{},{}\n",
         {"prompt": "what they asked", "response_a": "bot one", "response_b": "bot two"}),
        ("\ufefffrage\tclaude\tllama\tid\r\n{}\t{}\t{}\tx7\r\n",
         {"prompt": "frage", "response_a": "claude", "response_b": "llama", "id": "id"}),
        ("date;ticket;our reply\n2024-05-01;{};{}{}\n", {"prompt": "ticket", "response": "our reply"}),
        ("frage,prompt_id\n{}{}{},5\n", {"prompt": "frage"}),
        ("Question,chosen,rejected\n{},{},{}\n",
         {"prompt": "question", "chosen": "chosen", "rejected": "rejected"}),
        ("instruction;output_1;output_2;rating\n{};{};{};4\n",
         {"prompt": "instruction", "response_a": "output_1", "response_b": "output_2"}),
        ("prompt,output_a,output_b\n{},{},{}\n",
         {"prompt": "prompt", "response_a": "output_a", "response_b": "output_b"}),
    ],
)  # fmt: skip
def test_a_table_with_any_header_opens_as_columns_told_apart_by_what_stands_in_them(table, mapping):
    seen = import_preview.look(io.BytesIO(table.format(*SOUP).encode()))
    assert (seen.format, seen.mapping) == ("columns", mapping)
    (record,) = seen.records
    assert (record.error, record.prompt[: len(SOUP[0])]) == ("", SOUP[0])
    assert len(record.answers) == len(mapping.keys() & set(import_mapping.ANSWERS))


def test_what_columns_only_look_like_is_not_imported_by_unseen():
    source = io.BytesIO("asked,bot\n{},{}{}\n".format(*SOUP).encode())
    (refused,) = read_records(source, guess_format(source))
    assert isinstance(refused, FileError)
    assert refused.message == "the column “prompt” is missing; the header has: asked, bot"


@pytest.mark.parametrize(("first", "headless"), [("How long does soup keep?", True), ("asked", False)])
def test_a_first_line_of_sentences_may_be_no_header(first, headless):
    assert import_preview.look(io.BytesIO(f"{first}\nWhy not?\n".encode())).is_headless is headless
