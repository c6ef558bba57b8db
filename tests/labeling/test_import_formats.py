"""Each format's lines become records, and each fault gets its line and field."""

import gzip
import io
import json

import pytest

from labeling.import_fields import Annotation, ImportRecord, Rewrite
from labeling.import_formats import guess_format, read_records
from labeling.import_source import LineError

USER = [{"role": "user", "content": "Why is the sky blue?"}]
PAIR = {
    "id": "p1",
    "prompt": USER,
    "responses": [{"text": "Rayleigh.", "model": "a"}, {"text": "", "model": "b"}],
}


def _source(*rows):
    return io.BytesIO("".join(r if isinstance(r, str) else json.dumps(r) + "\n" for r in rows).encode())


def _read(format, *rows):
    return list(read_records(_source(*rows), format))


def _only(format, *rows):
    (record,) = _read(format, *rows)
    assert isinstance(record, ImportRecord), record
    return record


def _error(format, *rows):
    error = _read(format, *rows)[-1]
    assert isinstance(error, LineError), error
    return error.line, error.field, error.message


def test_touchstone_pair_with_judgments():
    said = [
        {"annotator": "ann", "choice": 1, "meta": {"strength": "slightly-better", "shown_swapped": True}},
        {"annotator": "bob", "choice": 0, "comment": "clear"},
        {"annotator": None, "choice": "tie"},
        {"annotator": "eve", "choice": "both_bad", "meta": {"reason": "neither"}},
        {"annotator": "dan", "verdict": 3},
    ]
    record = _only("touchstone", {**PAIR, "annotations": said, "meta": {"category": "physics", "n": 1}})
    assert record.responses == [("Rayleigh.", "a"), ("", "b")]
    assert record.tags == ["physics"]
    assert [(a.annotator, a.verdict, a.both_bad, a.swapped, a.comment) for a in record.annotations] == [
        ("ann", 1, False, True, ""),
        ("bob", -2, False, None, "clear"),
        (None, 0, False, None, ""),
        ("eve", 0, True, None, "neither"),
        ("dan", 3, False, None, ""),
    ]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"ranking": [0, 1]}, "ranking", "0 to 2 once"),
        ({"ranking": [0, 1, 1]}, "ranking", "0 to 2 once"),
        ({"ranking": [0, 1, [2, []]]}, "ranking", "0 to 2 once"),
        ({"ranking": [0, 1, "2"]}, "ranking", "0 to 2 once"),
        ({"ranking": [False, True, 2]}, "ranking", "0 to 2 once"),
        ({"ranking": "012"}, "ranking", "a list"),
        ({"annotations": [{"annotator": "ann", "choice": 0}]}, "annotations[0].ranking", "is missing"),
        ({"annotations": [{"ranking": [3, 1, 0]}]}, "annotations[0].ranking", "0 to 2"),
        ({"ranking": [0, 1], "responses": ["a", "b"]}, "ranking", "three answers or more"),
        ({"ranking": None, "responses": ["a"] * 10}, "ranking", "and here are 10"),
    ],
)
def test_a_wrong_ranking_is_named(change, field, message):
    row = {"prompt": "Q", "responses": ["a", "b", "c"], **change}
    _line, found, said = _error("touchstone", row)
    assert found == field
    assert message in said


def test_touchstone_edits():
    base = {"prompt": "Say hello.", "original": {"text": "Hi", "model": "m"}}
    edited = _only(
        "touchstone", {**base, "edited": {"text": "Hello.", "editor": "ed", "instruction": "formal"}}
    )
    assert edited.edit == Rewrite("Hello.", "ed", "formal")
    assert edited.responses == [("Hi", "m")]
    assert _only("touchstone", {**base, "edited": None}).edit == Rewrite(None)


@pytest.mark.parametrize(
    ("row", "prompt", "answers"),
    [
        ({"prompt": "Q", "chosen": "A", "rejected": "B"}, ["Q"], ["A", "B"]),
        (
            {
                "prompt": USER,
                "chosen": [{"role": "assistant", "content": "A"}],
                "rejected": [{"role": "assistant", "content": "B"}],
            },
            ["Why is the sky blue?"],
            ["A", "B"],
        ),
        (
            {
                "chosen": [*USER, {"role": "assistant", "content": "A"}],
                "rejected": [*USER, {"role": "assistant", "content": "B"}],
            },
            ["Why is the sky blue?"],
            ["A", "B"],
        ),
        (  # the layout of UltraFeedback: the prompt as text, whole conversations beside it
            {
                "prompt": "Why is the sky blue?",
                "chosen": [*USER, {"role": "assistant", "content": "A"}],
                "rejected": [*USER, {"role": "assistant", "content": "B"}],
            },
            ["Why is the sky blue?"],
            ["A", "B"],
        ),
        (
            {"chosen": "The sky is blue.", "rejected": "The sky is green."},
            ["The sky is"],
            ["blue.", "green."],
        ),
    ],
)
def test_trl_preferences(row, prompt, answers):
    record = _only("trl", {**row, "margin": 0.5})
    assert [m["content"] for m in record.messages] == prompt
    assert [text for text, _ in record.responses] == answers
    assert record.annotations == [Annotation(None, -2, meta={"margin": 0.5})]


def test_hh_transcripts():
    start = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: And now?\n\nAssistant:"
    record = _only("hh-rlhf", {"chosen": start + " Wait.", "rejected": start})
    assert [(m["role"], m["content"]) for m in record.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "And now?"),
    ]
    assert record.responses == [("Wait.", None), ("", None)]


def test_prompts_and_turns():
    assert _only("prompts", {"prompt": "Q", "tags": ["x"], "language": "en"}).tags == ["x"]
    assert _only("prompts", {"messages": USER}).messages == USER
    turns = _only("prompts", {"id": 81, "category": "writing", "turns": ["First.", "Second."]})
    assert (turns.external_id, turns.messages[0]["content"]) == ("81", "First.")
    assert (turns.tags, turns.meta) == (["writing"], {"turns": ["First.", "Second."]})


def test_csv_tables():
    table = (
        "\ufeffid;Prompt;response_a;response_b;model_a;choice;annotator;topic\n"
        '1;"Two\nlines";yes;no;m;b;ann;x\n'
        "\n"
        "2;Alone;;;;;;y\n"
    )
    pair, alone = _read("csv", table)
    assert (pair.line, pair.external_id, pair.messages[0]["content"]) == (2, "1", "Two\nlines")
    assert pair.responses == [("yes", "m"), ("no", None)]
    assert pair.annotations == [Annotation("ann", 2)]
    assert pair.meta == {"topic": "x"}
    assert (alone.line, alone.responses) == (5, [])
    verdict = _only("csv", "prompt,system,response_a,response_b,verdict\nQ,Be kind.,A,B,-3\n")
    assert [m["role"] for m in verdict.messages] == ["system", "user"]
    assert verdict.annotations[0].verdict == -3
    assert _only("csv", 'prompt,response,model,tags\nQ,A,m,"x, y"\n').tags == ["x", "y"]


@pytest.mark.parametrize(
    ("rows", "format"),
    [
        ([PAIR], "touchstone"),
        ([{"prompt": "Q", "original": "A"}], "touchstone"),
        ([{"prompt": "Q", "chosen": "A", "rejected": "B"}], "trl"),
        ([{"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "\n\nHuman: Q\n\nAssistant: B"}], "hh-rlhf"),
        ([{"chosen": USER, "rejected": USER}], "trl"),
        ([{"turns": ["Q"]}], "prompts"),
        (["prompt,response_a\n"], "csv"),
        ([{"prompt": "x" * 100_000}], "prompts"),
        ([], "csv"),
    ],
)
def test_formats_are_guessed_also_through_gzip(rows, format):
    source = _source(*rows)
    assert guess_format(source) == format
    packed = gzip.compress(source.getvalue())
    assert guess_format(io.BytesIO(packed)) == format
    assert guess_format(io.BytesIO(packed[: len(packed) - 9])) == format
    assert guess_format(io.BytesIO(b"\x1f\x8b broken")) == "csv"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"prompt": None}, "prompt", "is missing"),
        ({"prompt": [{"role": "robot", "content": "Q"}]}, "prompt[0].role", "system, user or assistant"),
        ({"prompt": [{"role": "user", "content": 3}]}, "prompt[0].content", "must be text, not a number"),
        ({"prompt": [*USER, {"role": "assistant", "content": "A"}]}, "prompt", "come from the user"),
        ({"prompt": "  "}, "prompt", "empty"),
        ({"prompt": []}, "prompt", "last message"),
        ({"responses": "A"}, "responses", "a list of answers, not text"),
        ({"responses": ["A", 7]}, "responses[1]", "not a number"),
        ({"responses": [{"text": True}, "B"]}, "responses[0].text", "must be text, not true or false"),
        ({"responses": [{"text": 1.5}, "B"]}, "responses[0].text", "must be text, not a number"),
        ({"responses": [{"model": "m"}, "B"]}, "responses[0].text", "is missing"),
        ({"responses": [{"text": "A", "model": "m" * 201}, "B"]}, "responses[0].model", "200"),
        ({"responses": ["A"]}, "annotations", "two answers, and here are 1"),
        (
            {"annotations": [{"choice": 2}]},
            "annotations[0].choice",
            "points at answer 3, and there are only two",
        ),
        ({"annotations": [{"choice": -1}]}, "annotations[0].choice", "0, 1, “tie”"),
        ({"annotations": [{"choice": True}]}, "annotations[0].choice", "not true"),
        ({"annotations": [{"choice": "left"}]}, "annotations[0].choice", "“tie”"),
        ({"annotations": [{}]}, "annotations[0].choice", "not null"),
        ({"annotations": [{"verdict": 4}]}, "annotations[0].verdict", "−3 to 3, not 4"),
        ({"annotations": [{"verdict": 1.5}]}, "annotations[0].verdict", "whole number"),
        ({"annotations": [{"verdict": 1, "both_bad": True}]}, "annotations[0].both_bad", "verdict"),
        (
            {"annotations": [{"choice": 0, "meta": {"strength": "huge"}}]},
            "annotations[0].meta.strength",
            "slightly",
        ),
        (
            {"annotations": [{"choice": 0, "meta": {"shown_swapped": 1}}]},
            "annotations[0].meta.shown_swapped",
            "true",
        ),
        ({"annotations": [{"choice": 0, "annotator": 5}]}, "annotations[0].annotator", "text"),
        ({"annotations": ["a"]}, "annotations[0]", "an object"),
        ({"id": 1.5}, "id", "text or a whole number"),
        ({"id": "x" * 201}, "id", "200"),
        ({"meta": []}, "meta", "an object, not a list"),
        ({"tags": "a"}, "tags", "a list of texts"),
        ({"tags": ["t" * 61]}, "tags", "60"),
        ({"language": "x" * 17}, "language", "short code"),
        ({"meta": {"a": ["\x00"]}}, "meta.a[0]", "NUL"),
        ({"meta": {"a": "\ud83d"}}, "meta.a", "surrogate"),
    ],
)
def test_a_wrong_field_is_named(change, field, message):
    row = {**PAIR, "annotations": [{"annotator": "ann", "choice": 0}], **change}
    line, found, said = _error("touchstone", PAIR, row)
    assert (line, found) == (2, field)
    assert message in said


@pytest.mark.parametrize(
    ("format", "row", "field", "message"),
    [
        ("trl", {"prompt": "Q", "chosen": "A"}, "rejected", "the column “rejected” is missing"),
        (
            "trl",
            {"prompt": "Q", "chosen": "A", "rejected": False},
            "rejected",
            "must be text, not true or false",
        ),
        ("trl", {"prompt": USER, "chosen": USER, "rejected": USER}, "chosen", "one last assistant message"),
        ("trl", {"chosen": "A", "rejected": "B"}, "prompt", "no common beginning"),
        ("hh-rlhf", {"chosen": "Hi", "rejected": "Ho"}, "chosen", "Human:"),
        ("hh-rlhf", {"chosen": "\n\nHuman: Q"}, "rejected", "is missing"),
        ("prompts", {"text": "Q"}, "prompt", "the column “prompt” is missing"),
        ("prompts", {"turns": []}, "turns", "at least one"),
        ("touchstone", {"prompt": "Q", "edited": {"text": "A"}}, "original", "is missing"),
        (
            "touchstone",
            {"prompt": "Q", "original": "A", "edited": {"text": 1}},
            "edited.text",
            "not a number",
        ),
        ("touchstone", "[1]\n", "", "must be a JSON object, not a number"),
        ("touchstone", '{"prompt": "Q"\n', "", "not valid JSON: Expecting"),
        ("touchstone", '{"prompt": "Q", "meta": {"x": NaN}}\n', "", "NaN is no JSON number"),
        ("touchstone", '{"a":' * 100_000 + "\n", "", "not valid JSON"),
        (
            "csv",
            "question,answer\nQ,A\n",
            "prompt",
            "the column “prompt” is missing; the header has: question",
        ),
        ("csv", "prompt,response_a\nQ,A\n", "response_b", "is missing"),
        ("csv", "prompt,choice\nQ,a\n", "response_a", "is missing"),
        ("csv", "prompt,prompt\nQ,A\n", "prompt", "twice"),
        ("csv", "prompt,tags\nQ\n", "", "this row has 1 fields, the header 2"),
        ("csv", 'prompt\n"Q\n', "", "not valid CSV"),
        ("csv", "prompt\n\x00\n", "prompt", "NUL"),
        ("csv", "prompt,response_a,response_b,verdict\nQ,A,B,x\n", "verdict", "whole number"),
        ("csv", "prompt,response_a,response_b,verdict\nQ,A,B,9\n", "verdict", "−3 to 3, not 9"),
        ("csv", "prompt,response_a,response_b,choice\nQ,A,B,c\n", "choice", "“tie”"),
    ],
)
def test_a_wrong_line_is_named(format, row, field, message):
    line, found, said = _error(format, row)
    assert line == (2 if format == "csv" and "missing" not in said and "twice" not in said else 1)
    assert found == field
    assert message in said


def _last(data, format):
    *good, error = read_records(io.BytesIO(data), format)
    assert isinstance(error, LineError)
    return len(good), error.line, error.message


def test_what_cannot_be_read_says_so():
    lines = b"".join(json.dumps({"prompt": f"Question {k}?"}).encode() + b"\n" for k in range(3000))
    packed = gzip.compress(lines)
    good, line, message = _last(packed[: len(packed) // 2], "prompts")
    assert good == line > 100
    assert "truncated" in message
    damaged = packed[:2000] + bytes([packed[2000] ^ 0xFF]) + packed[2001:]
    assert "damaged" in _last(damaged, "prompts")[2]
    good, line, message = _last('{"prompt": "Grüße"}\n'.encode("latin-1"), "prompts")
    assert (good, line) == (0, 1)
    assert "UTF-8" in message
    assert "Excel" in _last(b"PK\x03\x04 and so on", "csv")[2]


def test_reading_is_the_same_through_gzip():
    plain = _source(PAIR, PAIR).getvalue()
    packed = io.BytesIO(gzip.compress(plain))
    assert list(read_records(packed, "touchstone")) == list(read_records(io.BytesIO(plain), "touchstone"))


TALK = [
    {"role": "assistant", "content": "Rayleigh."},
    {"role": "user", "content": "Who?"},
    {"role": "assistant", "content": "A lord."},
]
OTHER = [*TALK[:2], {"role": "assistant", "content": "No idea."}]


def test_answers_may_be_whole_conversations():
    record = _only(
        "touchstone", {"prompt": USER, "responses": [{"turns": TALK, "model": "a"}, {"turns": OTHER}]}
    )
    assert record.responses == [("A lord.", "a"), ("No idea.", None)]
    assert record.turns == [TALK, OTHER]
    plain = _only("touchstone", {"prompt": USER, "responses": [{"turns": TALK[:1]}, "Dust."]})
    assert (plain.responses, plain.turns) == ([("Rayleigh.", None), ("Dust.", None)], [])


@pytest.mark.parametrize(
    ("winner", "said"),
    [
        ("model_a", [Annotation("judge_7", -2)]),
        ("model_b", [Annotation("judge_7", 2)]),
        ("tie", [Annotation("judge_7", 0)]),
        ("tie (bothbad)", [Annotation("judge_7", 0, both_bad=True)]),
        (None, []),
    ],
)
def test_arena_battles(winner, said):
    row = {
        "question_id": "q1", "model_a": "a", "model_b": "b", "winner": winner, "judge": "judge_7",
        "conversation_a": [*USER, *TALK], "conversation_b": [*USER, *OTHER], "turn": 2, "language": "English",
    }  # fmt: skip
    assert guess_format(_source(row)) == "arena"
    record = _only("arena", row)
    assert (record.external_id, record.messages, record.annotations) == ("q1", USER, said)
    assert record.responses == [("A lord.", "a"), ("No idea.", "b")]
    assert (record.turns, record.meta) == ([TALK, OTHER], {"turn": 2, "language": "English"})
    single = {**row, "conversation_a": [*USER, TALK[0]], "conversation_b": [*USER, TALK[2]]}
    assert _only("arena", single).turns == []


@pytest.mark.parametrize(
    ("format", "change", "field", "says"),
    [
        ("arena", {"conversation_b": [*TALK[1:2], *TALK]}, "conversation_b", "same question"),
        ("arena", {"conversation_a": TALK}, "conversation_b", "same question"),
        ("arena", {"conversation_a": [*USER, *TALK[:2]]}, "conversation_a", "end with an answer"),
        ("arena", {"conversation_a": "Hello"}, "conversation_a", "list of messages"),
        ("arena", {"winner": "nobody"}, "winner", "one of"),
        ("arena", {"winner": 3}, "winner", "one of"),
        ("touchstone", {"responses": [{"turns": []}]}, "responses[0].turns", "end with an answer"),
        ("touchstone", {"responses": [{"turns": TALK[1:]}]}, "responses[0].turns", "begin and end"),
        ("touchstone", {"responses": [{"turns": TALK, "text": "x"}]}, "responses[0].text", "leave it out"),
    ],
)  # fmt: skip
def test_conversations_that_are_none(format, change, field, says):
    row = {
        "prompt": USER,
        "conversation_a": [*USER, *TALK],
        "conversation_b": [*USER, *OTHER],
        "winner": "tie",
    }
    line, named, message = _error(format, row | change)
    assert (line, named) == (1, field)
    assert says in message
