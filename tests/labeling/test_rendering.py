"""Untrusted text can't run, load or break anything."""

import pytest
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from labeling.rendering import render

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/pixel.png)",
    "![x](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "<iframe src=//evil.example></iframe>",
    "<style>body{display:none}</style>",
    "</div></main><form action=//evil.example>",
    "<a href=x onclick=alert(1)>x</a>",
    "<svg><script>alert(1)</script></svg>",
    "[x](http://a.example 'title\" onmouseover=alert(1)')",
    '<http://a.example/"onmouseover=alert(1)>',
    "`</code></pre><script>alert(1)</script>`",
    '```"><script>\nx\n```',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    html = render(text)
    for sign in (
        "<script",
        "<img",
        "<iframe",
        "<style",
        "<svg",
        "<form",
        "<div",
        ' href="java',
        ' href="data',
    ):
        assert sign not in html
    assert "<a href=x onclick" not in html
    assert " onmouseover=alert(1)>" not in html.replace("&gt;", "")


@given(st.text(max_size=300))
def test_any_text_renders_to_the_allowed_tags_only(text):
    html = render(text)
    assert isinstance(html, SafeString)
    for sign in ("<script", "<img", "<iframe", "<style", "<div", "<form", "<input"):
        assert sign not in html


def test_formatting_is_kept():
    html = render(
        "# Hi\n\n- *a*\n- **b**\n\n| x | y |\n|---|---|\n| 1 | ~~2~~ |\n\n```python\nprint(1 < 2)\n```\n"
    )
    for tag in ("<h1>", "<li>", "<em>", "<strong>", "<table>", "<td>", "<s>", "<pre><code>", "1 &lt; 2"):
        assert tag in html


def test_links_tell_nothing_and_single_line_breaks_stay():
    assert 'rel="nofollow noopener noreferrer"' in render("[x](https://a.example)")
    assert "<br>" in render("one\ntwo")


def test_deep_nesting_ends():
    assert render(">" * 5000 + "x")
    assert render("[" * 5000)
    assert render("- " * 3000 + "x")
