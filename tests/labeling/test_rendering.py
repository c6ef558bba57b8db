"""Untrusted text can't run, load or break anything; what people write in it is shown as they mean it."""

import re
import time
from html.parser import HTMLParser

import pytest
from django.core.cache import cache
from django.utils.safestring import SafeString
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as NoRedisError

from labeling import rendering
from labeling.markup import code, formulas
from labeling.rendering import render, render_many, render_plain
from tests.hostile import CASES

CLASSES = code.CLASSES | {"formula", "display", "wide", "code", "mark", "todo", "plain", "long"}
ATTRIBUTES = {"href", "rel", "target", "start", "dir", "tabindex", "class", *formulas.ATTRIBUTES}


class Reader(HTMLParser):
    """Holds every tag to the closed lists."""

    text = ""

    def handle_starttag(self, tag, attributes):
        assert tag in rendering.TAGS | formulas.ELEMENTS
        for name, value in attributes:
            assert name in ATTRIBUTES
            if name == "class":
                assert set(value.split()) <= CLASSES
            if name == "href":
                assert re.match(r"(https?|mailto):", value)

    def handle_data(self, data):
        self.text += data


def read(html):
    assert isinstance(html, SafeString)
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader.text


@pytest.fixture(autouse=True)
def nothing_kept():
    rendering._here.clear()


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CASES])
def test_hostile_text_becomes_the_allowed_tags_only_and_soon(text):
    began = time.thread_time()
    html = rendering._make(text)
    # not a measurement: what is quadratic in the text would take minutes
    assert time.thread_time() - began < 20
    read(html)


@given(st.text(max_size=300))
@settings(deadline=None)
def test_any_text_renders_to_the_allowed_tags_only(text):
    read(rendering._make(text))


@given(
    st.lists(
        st.sampled_from(
            [
                "$",
                "\\(",
                "\\)",
                "$$",
                "\n",
                "```",
                "`",
                "|",
                "-|-",
                "> ",
                "- ",
                "[",
                "](",
                "<",
                "*",
                "\\frac",
                "{",
                "}",
                "^",
                "\u202e",
                "\u2066",
                "\u200d",
                "a",
                " ",
                "&#x202e;",
                "#",
                "1. ",
            ]
        ),
        max_size=40,
    )
)
@settings(deadline=None)
def test_any_heap_of_signs_renders_to_the_allowed_tags_only(signs):
    read(rendering._make("".join(signs)))


def test_formatting_is_kept():
    html = render("- *a*\n- **b**\n\n| x | y |\n|---|---|\n| 1 | ~~2~~ |\n\n> q\n\n3. c\n\n---\n`d`")
    for tag in (
        "<li>",
        "<em>",
        "<strong>",
        '<table dir="ltr">',
        "<s>2</s>",
        "<blockquote",
        '<ol start="3"',
        "<hr>",
    ):
        assert tag in html


def test_headings_begin_below_the_page_and_skip_no_level():
    html = render("# a\n\n#### b\n\n## c\n\n#\n\n# d")
    assert re.findall(r"<(h\d)[^>]*>(\w)", html) == [("h3", "a"), ("h4", "b"), ("h4", "c"), ("h3", "d")]


def test_links_tell_nothing_open_elsewhere_and_always_show_something():
    html = render("[x](https://a.example) [](https://b.example) [y](/rate/)")
    assert '<a href="https://a.example" target="_blank" rel="nofollow noopener noreferrer">x</a>' in html
    assert ">https://b.example</a>" in html
    assert "/rate/" not in html


def test_single_line_breaks_stay():
    assert "<br>" in render("one\ntwo")


def test_task_lists_show_their_boxes_without_inputs():
    html = render("- [ ] open\n- [x] done\n- plain\n\n[ ] no item")
    assert '<li class="todo">☐ open' in html
    assert '<li class="todo">☑ done' in html
    assert "[ ] no item" in html


def test_code_is_coloured_under_its_name_and_never_guessed():
    html = render("```py\ndef f(): return 'a'  # why\n```")
    assert "<figcaption>Python</figcaption>" in html
    for part in ('"kw">def<', '"fn">f<', "\"str\">'a'<", '"com"># why<'):
        assert part in html
    assert "<span" not in render("```\ndef f(): pass\n```")
    assert "<figcaption>klingon</figcaption>" in render("```klingon\ndef f(): pass\n```")
    assert "<span" not in render("```klingon\ndef f(): pass\n```")
    assert "1 &lt; 2" in render("```\n1 < 2\n```")


@pytest.mark.parametrize(
    "written",
    ["$x^2$", r"\(x^2\)", "$$x^2$$", r"\[x^2\]", "$$\nx^2\n$$", "\\[\n- x^2\n\\]", "so\n$$\nx^2\n$$\nthen"],
)
def test_formulas_become_mathml(written):
    html = render(written)
    assert "<msup><mi>x</mi><mn>2</mn></msup>" in html
    assert ("display" in html.split("<mrow>")[0].replace('display="inline"', "")) == (
        "$$" in written or "[" in written
    )


@pytest.mark.parametrize(
    "text",
    [
        "$5 and $10",
        "US$5-$6",
        "$HOME/$PATH",
        "from $5 to 10$ a",
        "$5/month, or 60$",
        r"\$x\$",
        "$ x $",
        "`$x$`",
        "    $x$",
        "a $",
        "$$",
    ],
)
def test_prices_variables_and_code_are_no_formulas(text):
    html = render(text)
    assert "<math" not in html
    assert "$" in html


@pytest.mark.parametrize(
    "source",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\unknown{x}",
        r"\frac",
        r"\rule{9em}{9em}",
        r"\style{color:red}{x}",
        r"\class{bar}{x}",
        r"\def\a{\a\a}\a",
        "x_1_2",
        r"\left( x",
        r"\phantom{a long hidden sentence}",
        "{" * 500 + "}" * 500,
        "x\u202ey",
    ],
)
def test_a_formula_beyond_the_closed_set_stays_as_its_source(source):
    html = render(f"${source}$")
    assert "<math" not in html
    assert '<code dir="ltr">$' in html


def test_formulas_move_nothing_out_of_its_place():
    html = render(r"$\hspace{-99em}a \kern 99em b \raise 99em c \color{white}d$ $a\,b \quad c$")
    assert "99" not in html
    assert "white" not in html
    assert '<mspace width="1em">' in html


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "U+202E"),
        ("a&#x202e;b", "U+202E"),
        ("`a\u202db`", "U+202D"),
        ("```python\n# \u2066\n```", "U+2066"),
        ("```\u202e\nx\n```", "U+202E"),
        ("\u2069 x", "U+2069"),
        ("A\u200b\u200b\u200bB", "U+200B ×3"),
        ("x\u200dy", "U+200D"),
        ("\ufeffx", "U+FEFF"),
        ("x\U000e0041", "U+E0041"),
        ("\x1b[31m", "U+001B"),
        ("a" + "\u0301" * 100, "U+0301 ×96"),
        ("a\ufe0f\ufe0e\ufe0f", "U+FE0F"),
    ],
)
def test_invisible_characters_are_shown(text, shown):
    for html in (render(text), render_plain(text.replace("&#x202e;", "\u202e"))):
        assert f'<bdi class="mark">{shown}' in html
    assert "\u202e" not in render(text)


@pytest.mark.parametrize(
    "text",
    [
        "\u2066paired\u2069",
        "می\u200cخواهم",
        "क्\u200dष",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "ภาษา\u200bไทย",
        "שלום\u200f!",
        "e\u0301",
        "葛\U000e0100",
        "\u05e9\u05b8\u05c1",
    ],
)
def test_what_scripts_and_emoji_need_stays(text):
    assert text in render(text)
    assert text in render_plain(text)


def test_lists_quotes_and_tables_run_as_their_letters_do():
    assert '<ul dir="rtl">' in render("- פריט\n- item")
    assert '<ul dir="ltr">' in render("- item\n- פריט")
    assert '<table dir="rtl">' in render("| א | b |\n|---|---|\n| 1 | 2 |")
    assert '<p dir="auto">' in render("שלום")
    assert '<pre dir="ltr"' in render("שלום\n\n```\nx = 'א'\n```")


@pytest.mark.parametrize(
    "text", ["x" * 64_001, "> " * 30 + "x", "- " * 20 + "x", "*" * 500 + "a" + "*" * 500, "- a\n" * 9000]
)
def test_texts_too_long_or_too_intricate_are_shown_as_they_were_written(text):
    html = render(text)
    assert html.startswith('<pre class="plain')
    assert read(html) == text


def test_invisible_characters_by_the_thousand_make_no_page_heavy():
    text = "a\u200b" * 400_000
    assert len(render(text)) <= len(text) + 70


def test_half_characters_are_replaced():
    assert read(render("a\ud800b")).strip() == "a?b"


# -- the cache ----------------------------------------------------------------------------------------


def test_a_pages_texts_take_one_look_into_the_cache_and_are_made_once(monkeypatch):
    texts = [f"*text {n}*" for n in range(5)] + ["*text 0*"]
    made, looks = [], []
    make = rendering._make
    monkeypatch.setattr(rendering, "_make", lambda text: made.append(text) or make(text))
    monkeypatch.setattr(
        type(cache._connections[cache._alias]), "get_many", lambda self, keys: looks.append(keys) or {}
    )
    first = render_many(texts)
    assert len(looks) == 1
    monkeypatch.undo()
    rendering._here.clear()
    assert render_many(texts) == first
    assert sorted(made) == sorted(set(texts))


def test_without_redis_texts_are_rendered_all_the_same(monkeypatch):
    def down(*args, **kwargs):
        raise NoRedisError

    backend = type(cache._connections[cache._alias])
    monkeypatch.setattr(backend, "get_many", down)
    monkeypatch.setattr(backend, "set_many", down)
    assert "<em>unique</em>" in render("*unique* text without a cache")


def test_the_cache_is_left_behind_when_the_rules_change(monkeypatch):
    before = rendering._key("x")
    rendering._renderer.cache_clear()
    monkeypatch.setattr(rendering, "version", lambda library: "99")
    assert rendering._key("x") != before
    rendering._renderer.cache_clear()


def test_a_megabyte_is_not_kept(monkeypatch):
    monkeypatch.setattr(rendering._here, "keep", lambda made: pytest.fail("kept") if made else None)
    render("z" * 1_000_000)


def test_a_process_keeps_what_was_asked_for_last():
    recent = rendering.Recent(100)
    recent.keep({name: rendering.SafeString(name * 40) for name in "ab"})
    assert set(recent.recall({"a"})) == {"a"}
    recent.keep({"c": rendering.SafeString("c" * 40)})
    assert set(recent.recall({"a", "b", "c"})) == {"a", "c"}
    recent.clear()
    assert recent.recall({"a", "c"}) == {}
