"""Code in the colours of its language: Pygments' tokens in a handful of classes; no guessed language."""

from functools import lru_cache
from html import escape
from itertools import groupby

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Literal,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)
from pygments.util import ClassNotFound

from labeling.markup.invisibles import show_invisibles

# a block with a longer line stays without colours: some lexers take a time that grows with a line's square
MAX_LINE = 300
# and so does a longer block of these, whose lexers take a time that grows with its square
MAX_LENGTH_OF = {"Java": 4_000}
MAX_NAME = 30

# those of Pygments' languages whose lexers were held against hostile code
LANGUAGES = frozenset(
    """
    bash c clojure cmake cpp csharp css dart diff docker elixir erlang fortran go graphql groovy haskell html
    ini java javascript json julia kotlin latex lua make matlab nginx objective-c ocaml perl php powershell
    protobuf python r ruby rust scala scheme scss sql swift toml typescript xml yaml
    """.split()  # noqa: SIM905  a list of fifty strings reads worse
)
_CLASSES: dict[_TokenType, str] = {
    Comment: "com",
    Comment.Preproc: "kw",
    Keyword: "kw",
    Keyword.Constant: "num",
    Keyword.Type: "type",
    Operator.Word: "kw",
    String: "str",
    String.Doc: "com",
    Number: "num",
    Literal: "num",
    Name.Builtin: "type",
    Name.Class: "type",
    Name.Exception: "type",
    Name.Function: "fn",
    Name.Decorator: "fn",
    Name.Tag: "kw",
    Name.Attribute: "fn",
    Generic.Deleted: "del",
    Generic.Inserted: "ins",
    Generic.Heading: "kw",
    Generic.Subheading: "type",
}
CLASSES = frozenset(_CLASSES.values())


def highlight(code: str, info: str, *, coloured: bool = True) -> str:
    """Return a block of code as HTML, under the name of its language where `info` says one."""
    written = info.split()[0].strip("{}.")[:MAX_NAME] if info.split() else ""
    lexer = _lexer(written.lower()) if written else None
    name = lexer.name if lexer else written
    caption = f"<figcaption>{show_invisibles(escape(name))}</figcaption>" if name else ""
    short = max(map(len, code.split("\n"))) <= MAX_LINE and len(code) <= MAX_LENGTH_OF.get(name, len(code))
    body = _coloured(code, lexer) if lexer and coloured and short else show_invisibles(escape(code))
    return f'<figure class="code">{caption}<pre dir="ltr" tabindex="0"><code>{body}</code></pre></figure>\n'


@lru_cache(maxsize=256)
def _lexer(alias: str) -> Lexer | None:
    """Return the lexer of a language that is known by this name, or None."""
    try:
        lexer = get_lexer_by_name(alias, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return lexer if LANGUAGES.intersection(lexer.aliases) else None


def _coloured(code: str, lexer: Lexer) -> str:
    parts = []
    for name, group in groupby(lexer.get_tokens(code), key=lambda token: _class_of(token[0])):
        text = show_invisibles(escape("".join(value for _, value in group)))
        parts.append(f'<span class="{name}">{text}</span>' if name else text)
    return "".join(parts)


@lru_cache(maxsize=1024)
def _class_of(token: _TokenType) -> str:
    """Return the class of a token's type, or of the nearest type above it."""
    while token.parent is not None:
        if token in _CLASSES:
            return _CLASSES[token]
        token = token.parent
    return ""
