"""Markdown as HTML that says nothing about the page: CommonMark, tables, task lists, formulas, coloured code.

Images stay as the link they were written as: raters see that there was one, and no server sees the rater.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.ruler import RuleOptionsType
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from labeling.markup import formulas
from labeling.markup.code import highlight
from labeling.markup.invisibles import show_invisibles

MAX_NESTING = 24
MAX_TOKENS = 25_000
# the formulas after these many characters of formulas stay as their source
MAX_FORMULAS_LENGTH = 20_000
MAX_FORMULA_LINES = 100
# and these many characters of code have colours
MAX_COLOURED_LENGTH = 12_000
FIRST_HEADING = 3

_FORMULA_ENDS = {"$$": "$$", r"\[": r"\]", r"\(": r"\)", "$": "$"}
_CONTAINERS = ("bullet_list", "ordered_list", "blockquote", "table")
_LEAVES = ("paragraph_open", "heading_open", "th_open", "td_open")
_LETTER = re.compile(r"[^\W\d_]")
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
_TASK = re.compile(r"\[([ xX])\][ \u00a0]")


class TooIntricateError(ValueError):
    """A text so nested, or of so many parts, that it is better shown as it was written."""


def to_html(text: str) -> str:
    """Return a text's HTML, not yet sanitised; raise TooIntricateError."""
    try:
        return str(_markdown.render(text))
    except RecursionError as error:
        raise TooIntricateError from error


# -- formulas -----------------------------------------------------------------------------------------


def _opening(text: str, place: int) -> str:
    return next((opening for opening in _FORMULA_ENDS if text.startswith(opening, place)), "")


def _find_formula(state: StateInline, silent: bool) -> bool:
    r"""Take `$…$`, `$$…$$`, `\(…\)` or `\[…\]` out of a line; "$5 and $10" is left alone."""
    text, start = state.src, state.pos
    opening = _opening(text, start)
    if not opening:
        return False
    begin = start + len(opening)
    closing = _FORMULA_ENDS[opening]
    end = text.find(closing, begin, begin + formulas.MAX_LENGTH)
    while end > 0 and opening == "$" and text[end - 1] == "\\":
        end = text.find(closing, end + 1, begin + formulas.MAX_LENGTH)
    source = text[begin:end]
    if end < 0 or not source.strip():
        return False
    after = end + len(closing)
    if opening == "$":
        beside = text[start - 1 : start] + text[after : after + 1]
        if (
            source != source.strip()
            or any(c.isalnum() or c == "$" for c in beside)
            or formulas.is_price(source)
        ):
            return False
    if not silent:
        token = state.push("formula", "", 0)
        token.content, token.markup = source, opening
    state.pos = after
    return True


def _find_formula_block(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    r"""Take lines from `$$` or `\[` to the line that closes it."""
    if state.is_code_block(first):
        return False
    start = state.bMarks[first] + state.tShift[first]
    opening = state.src[start : start + 2]
    if opening not in ("$$", r"\["):
        return False
    closing = _FORMULA_ENDS[opening]
    taken: list[str] = []
    for line in range(first, min(end, first + MAX_FORMULA_LINES)):
        begin = start + 2 if line == first else state.bMarks[line] + state.tShift[line]
        text = state.src[begin : state.eMarks[line]].rstrip()
        closes = text.endswith(closing)
        inner = text[: -2 if closes else None]
        if closing in inner or opening in inner or (not text and line > first):
            return False
        taken.append(inner)
        if closes:
            break
    else:
        return False
    if not silent:
        token = state.push("formula_block", "", 0)
        token.content, token.markup, token.map = "\n".join(taken), opening, [first, line + 1]
    state.line = line + 1
    return True


# -- what the tokens become ---------------------------------------------------------------------------


def _stop_at_depth(state: StateBlock, first: int, end: int, silent: bool) -> bool:
    # the parser would silently leave out what is deeper
    if state.level >= MAX_NESTING - 2:
        raise TooIntricateError
    return False


def _arrange(state: StateCore) -> None:
    """Give blocks their direction, headings their level below the page's, and links something to press."""
    if len(state.tokens) > MAX_TOKENS:
        raise TooIntricateError
    _set_headings(state)
    containers: list[Token] = []
    for place, token in enumerate(state.tokens):
        if token.type in _LEAVES:
            token.attrSet("dir", "auto")
        elif token.type.removesuffix("_open") in _CONTAINERS and token.nesting == 1:
            containers.append(token)
        elif token.type.removesuffix("_close") in _CONTAINERS:
            containers.pop()
        elif token.type == "inline":
            _arrange_inline(token)
            before = state.tokens[place - 1]
            if before.type == "th_open" and not token.content:
                before.tag = state.tokens[place + 1].tag = "td"
            if place > 1 and state.tokens[place - 2].type == "list_item_open":
                _mark_task(state.tokens[place - 2], token)
            _set_direction(containers, token)


def _set_headings(state: StateCore) -> None:
    """Make headings begin below the page's own and go down one at a time; leave out empty ones."""
    above: list[tuple[str, int]] = []
    kept: list[Token] = []
    skip = 0
    for place, token in enumerate(state.tokens):
        if skip:
            skip -= 1
            continue
        if token.type == "heading_open":
            if not state.tokens[place + 1].content:
                skip = 2
                continue
            while above and above[-1][0] >= token.tag:
                above.pop()
            level = min(above[-1][1] + 1 if above else FIRST_HEADING, 6)
            above.append((token.tag, level))
            token.tag = state.tokens[place + 2].tag = f"h{level}"
        kept.append(token)
    state.tokens = kept


def _arrange_inline(token: Token) -> None:
    """Let a link that shows nothing show its address."""
    depth, link, shows = 0, None, False
    arranged: list[Token] = []
    for child in token.children or []:
        depth += child.nesting
        if depth > 4 * MAX_NESTING:
            raise TooIntricateError
        if child.type == "link_open":
            link, shows = child, False
        elif child.type == "link_close":
            if link and not shows:
                arranged.append(Token("text", "", 0, content=str(link.attrGet("href") or "🔗")))
        elif child.content.strip():
            shows = True
        arranged.append(child)
    token.children = arranged


def _mark_task(item: Token, token: Token) -> None:
    """Turn `[x]` at the beginning of a list's item into a ticked box."""
    first = token.children[0] if token.children else None
    if first and first.type == "text" and (box := _TASK.match(first.content)):
        first.content = ("☐ " if box.group(1) == " " else "☑ ") + first.content[box.end() :]
        item.attrSet("class", "todo")


def _set_direction(containers: list[Token], token: Token) -> None:
    """Give the open containers that have none yet the direction of the first letter in them."""
    waiting = [c for c in containers if c.attrGet("dir") is None]
    if not waiting:
        return
    written = "".join(child.content for child in token.children or [] if child.type == "text")
    if letter := _LETTER.search(written):
        for container in waiting:
            container.attrSet("dir", "rtl" if _RIGHT_TO_LEFT.match(letter.group()) else "ltr")


# -- what the tokens are written as -------------------------------------------------------------------


def _write_text(tokens: Sequence[Token], place: int, options: object, env: object) -> str:
    return show_invisibles(escapeHtml(tokens[place].content))


def _write_code(tokens: Sequence[Token], place: int, options: object, env: object) -> str:
    return f'<code dir="ltr">{show_invisibles(escapeHtml(tokens[place].content))}</code>'


def _write_code_block(tokens: Sequence[Token], place: int, options: object, env: dict[str, int]) -> str:
    token = tokens[place]
    env["code"] = env.get("code", 0) + len(token.content)
    return highlight(token.content, token.info, coloured=env["code"] <= MAX_COLOURED_LENGTH)


def _write_formula(tokens: Sequence[Token], place: int, options: object, env: dict[str, int]) -> str:
    token = tokens[place]
    written = token.markup + token.content + _FORMULA_ENDS[token.markup]
    env["formulas"] = env.get("formulas", 0) + len(token.content)
    if env["formulas"] > MAX_FORMULAS_LENGTH:
        return f'<code dir="ltr">{show_invisibles(escapeHtml(written))}</code>'
    html = formulas.show_formula(token.content, written, display=token.markup in ("$$", r"\["))
    return f"<p>{html}</p>\n" if token.type == "formula_block" else html


def _open_table(tokens: Sequence[Token], place: int, options: object, env: object) -> str:
    return f'<div class="wide" tabindex="0"><table dir="{tokens[place].attrGet("dir") or "ltr"}">\n'


def _close_table(tokens: Sequence[Token], place: int, options: object, env: object) -> str:
    return "</table></div>\n"


def _make() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": MAX_NESTING})
    markdown.enable(["table", "strikethrough"]).disable("image")
    interrupts: RuleOptionsType = {"alt": ["paragraph", "reference", "blockquote", "list"]}
    markdown.block.ruler.before("table", "depth", _stop_at_depth)
    markdown.block.ruler.before("fence", "formula_block", _find_formula_block, interrupts)
    markdown.inline.ruler.before("escape", "formula", _find_formula)
    markdown.core.ruler.push("arrange", _arrange)
    written = {
        "text": _write_text,
        "code_inline": _write_code,
        "code_block": _write_code_block,
        "fence": _write_code_block,
        "formula": _write_formula,
        "formula_block": _write_formula,
        "table_open": _open_table,
        "table_close": _close_table,
    }
    # plain functions, because add_render_rule would bind them to the renderer
    markdown.renderer.rules.update(written)  # type: ignore[attr-defined]
    return markdown


_markdown = _make()
