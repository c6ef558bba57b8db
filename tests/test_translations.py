"""Every string that a person reads is marked for translation, and the Arabic catalogue holds them all."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.template import Engine
from django.template.base import Lexer, TokenType
from django.templatetags.i18n import BlockTranslateNode, TranslateNode

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
APPS = ["accounts", "labeling", "models_app", "training", "config"]
SOURCES = sorted(path for app in APPS for path in (ROOT / app).rglob("*.py"))
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]
PLURAL_FORMS = {"ar": 6}

# what stands in pages as it is: a name, and what is printed on keys
SAME_EVERYWHERE = {"CSV", "Touchstone", "· Touchstone", "Ctrl", "Ctrl ↵", "Esc", "Enter"}


class Entry(NamedTuple):
    """One message of a catalogue; `plural` is empty for most."""

    msgid: str
    plural: str
    translated: list[str]
    flags: str


# -- what the program says ---------------------------------------------------------------------------


def said_by_template(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (msgid, plural) of a template, as makemessages would find them."""
    nodes: Any = Engine.get_default().get_template(str(path.relative_to(ROOT / "templates"))).nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        if (
            literal := node.filter_expression.var.literal
        ):  # a variable's values are marked where they are made
            yield literal.replace("%", "%%"), ""
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        plural = node.render_token_list(node.plural)[0] if node.plural else ""
        yield node.render_token_list(node.singular)[0], plural
    for _quote, text in re.findall(r"""[|:= ]_\((["'])(.*?)\1\)""", path.read_text()):
        yield text, ""


def said_by_source(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (msgid, plural) of a module's gettext calls; their arguments are literals."""
    tree = ast.parse(path.read_text())
    names = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.utils.translation"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = names.get(node.func.id, "") if isinstance(node.func, ast.Name) else ""
        if "gettext" in function:
            texts = [ast.literal_eval(text) for text in node.args[: 2 if function.startswith("n") else 1]]
            yield texts[0], "".join(texts[1:])


@pytest.fixture(scope="module")
def said() -> set[tuple[str, str]]:
    return {
        *(pair for path in TEMPLATES for pair in said_by_template(path)),
        *(pair for path in SOURCES for pair in said_by_source(path)),
    }


# -- what the catalogue holds ------------------------------------------------------------------------


def read_catalogue(language: str) -> list[Entry]:
    """Read locale/…/django.po without its header."""
    text = (ROOT / "locale" / language / "LC_MESSAGES" / "django.po").read_text()
    entries = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        name = flags = ""
        for line in block.splitlines():
            if line.startswith("#"):
                flags += line if line.startswith("#,") else ""
                continue
            if not line.startswith('"'):
                name, _, line = line.partition(" ")
            fields[name] = fields.get(name, "") + ast.literal_eval(line)
        translated = [text for name, text in fields.items() if name.startswith("msgstr")]
        if fields.get("msgid"):
            entries.append(Entry(fields["msgid"], fields.get("msgid_plural", ""), translated, flags))
    return entries


def placeholders(text: str) -> list[str]:
    return sorted({*re.findall(r"%\(\w+\)[sd]|\{\w+\}", text), *re.findall(r"</?\w+", text)})


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_what_is_said_and_nothing_else(language, said):
    held = {(entry.msgid, entry.plural) for entry in read_catalogue(language)}
    assert sorted(said - held) == []
    assert sorted(held - said) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_in_every_plural_and_nothing_fuzzy(language):
    bad = [
        entry.msgid
        for entry in read_catalogue(language)
        if not all(entry.translated)
        or "fuzzy" in entry.flags
        or len(entry.translated) != (PLURAL_FORMS[language] if entry.plural else 1)
    ]
    assert bad == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_and_markup_survive_the_translation(language):
    wrong = []
    for entry in read_catalogue(language):
        wanted = placeholders(entry.msgid) if not entry.plural else placeholders(entry.plural)
        # "one" and "two" may say the number in a word
        for number, text in enumerate(entry.translated):
            loose = entry.plural and number < 3
            if not (set(placeholders(text)) <= set(wanted) if loose else placeholders(text) == wanted):
                wrong.append(text)
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_compiled_catalogue_is_the_source(language):
    with (ROOT / "locale" / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)._catalog
    expected = {
        ((entry.msgid, number) if entry.plural else entry.msgid): text
        for entry in read_catalogue(language)
        for number, text in enumerate(entry.translated)
    }
    assert {key: text for key, text in compiled.items() if key} == expected


# -- what is not marked ------------------------------------------------------------------------------


def bare_text(path: Path) -> list[str]:
    """List the words of a template that stand outside of translate tags."""
    text, inside = "", 0
    for token in Lexer(path.read_text()).tokenize():
        name = token.contents.split()[0] if token.token_type == TokenType.BLOCK else ""
        if name == "block":
            inside += token.contents.split()[1].endswith("_class")
        elif name == "endblock":
            inside = 0
        inside += name in {"blocktranslate", "comment"}
        inside -= name in {"endblocktranslate", "endcomment"}
        text += token.contents if token.token_type == TokenType.TEXT and not inside else "\0"
    told = re.findall(r'\b(?:title|aria-label|placeholder|alt)="([^"\0]*)"', text)
    shown = re.sub(r"<[^>]*>|&\w+;", "\0", text)
    pieces = [piece.strip() for piece in re.split(r"[\0\n]", shown)] + told
    return [piece for piece in pieces if re.search(r"[^\W\d_]{2}", piece) and piece not in SAME_EVERYWHERE]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda p: p.stem)
def test_a_template_says_nothing_that_is_not_translated(path):
    assert bare_text(path) == []


# what only programs, logs and tables of an upload's lines say
NOT_FOR_RATERS = ("import_", "imports", "hub", "openid", "chat_answers", "demo", "tokens")


def bare_refusals(path: Path) -> list[str]:
    """List the sentences with which a module refuses something, and which are not marked."""
    raised = [node.exc for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise)]
    arguments = [argument for call in raised if isinstance(call, ast.Call) for argument in call.args]
    values = [value for argument in arguments if isinstance(argument, ast.Dict) for value in argument.values]
    return [
        ast.unparse(said)
        for said in [*arguments, *values]
        if (isinstance(said, ast.Constant) and " " in str(said.value)) or isinstance(said, ast.JoinedStr)
    ]


@pytest.mark.parametrize("app", ["accounts", "labeling"])
def test_what_is_refused_is_said_in_the_readers_language(app):
    paths = [*(ROOT / app).glob("*.py"), *(ROOT / app / "views").glob("*.py")]
    found = {path.name: bare_refusals(path) for path in paths if not path.name.startswith(NOT_FOR_RATERS)}
    assert {name: said for name, said in found.items() if said} == {}
