"""Characters that nobody sees but that change what everybody sees: shown, where they carry no meaning.

Bidi overrides and embeddings can reorder what stands around them, zero-width characters and tags can hide
words from raters that a model reads, and stacked accents paint over the lines above. What scripts and emoji
need stays.
"""

import re
import unicodedata
from itertools import islice

# the most marks that one text may show one by one, before each becomes a plain replacement character
MAX_MARKS = 2000
ACCENTS_KEPT = 4

_JOINERS = "\u200c\u200d"
_ZERO_WIDTH_SPACE = "\u200b"
_ISOLATES = "\u2066\u2067\u2068"
_POP_ISOLATE = "\u2069"
_SELECTORS = "\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ACCENTS = (
    "\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe20-\ufe2f"
)
_ALWAYS = (
    "\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u034f\u115f\u1160\u17b4\u17b5\u180e\u2028\u2029"
    "\u202a-\u202e\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
# England, Scotland and Wales are a black flag followed by tags
_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,8}\U000e007f"
_MARKED = re.compile(
    f"(?P<flag>{_FLAG})"
    f"|(?P<accents>(?<=[{_ACCENTS}]{{{ACCENTS_KEPT}}})[{_ACCENTS}]+)"
    f"|(?P<always>[{_ALWAYS}]+)"
    f"|(?P<isolate>[{_ISOLATES}{_POP_ISOLATE}])"
    f"|(?P<needed>[{_JOINERS}{_ZERO_WIDTH_SPACE}{_SELECTORS}]+)"
)
_INVISIBLE = re.compile(f"[{_ALWAYS}{_ISOLATES}{_POP_ISOLATE}{_JOINERS}{_ZERO_WIDTH_SPACE}{_SELECTORS}]+")
_SCRIPTS_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_SELECTABLE_ASCII = frozenset("0123456789#*")


def show_invisibles(html: str) -> str:
    """Return escaped text with its meaningless invisible characters as `<bdi class="mark">U+202E</bdi>`.

    Where there are more than MAX_MARKS of them, each run becomes one U+FFFD, which makes nothing longer.
    """
    if _shows_all(html):
        return html
    paired = _paired_isolates(html)
    shown = 0

    def show(match: re.Match[str]) -> str:
        nonlocal shown
        found = match.group()
        if not _is_meaningless(match, paired):
            return found
        shown += 1
        if shown > MAX_MARKS:
            raise OverflowError
        name = "U+" + " U+".join(dict.fromkeys(f"{ord(c):04X}" for c in found[:3]))
        return f'<bdi class="mark">{name}{f" ×{len(found)}" if len(found) > 1 else ""}</bdi>'

    try:
        return _MARKED.sub(show, html)
    except OverflowError:
        return _INVISIBLE.sub("\ufffd", html)


def has_invisibles(text: str, more_than: int = 0) -> bool:
    """Tell whether more than so many runs of characters of a text have to be shown."""
    if _shows_all(text):
        return False
    paired = _paired_isolates(text)
    meaningless = (match for match in _MARKED.finditer(text) if _is_meaningless(match, paired))
    return next(islice(meaningless, more_than, None), None) is not None


def _shows_all(text: str) -> bool:
    # most texts; the patterns take a hundred times as long
    return text.isascii() and text.replace("\n", "").isprintable()


def _is_meaningless(match: re.Match[str], paired: set[int]) -> bool:
    kind = match.lastgroup
    if kind == "isolate":
        return match.start() not in paired
    return kind != "flag" and not (kind == "needed" and _is_needed(match))


def _paired_isolates(text: str) -> set[int]:
    """Return the places of the isolates that are opened and closed in the same line."""
    paired: set[int] = set()
    open_at: list[int] = []
    for match in re.finditer(f"[{_ISOLATES}{_POP_ISOLATE}\n]", text):
        if match.group() == "\n":
            open_at.clear()
        elif match.group() != _POP_ISOLATE:
            open_at.append(match.start())
        elif open_at:
            paired.update((open_at.pop(), match.start()))
    return paired


def _is_needed(match: re.Match[str]) -> bool:
    """Tell whether a joiner, a zero-width space or a variation selector does something for its neighbours."""
    found, text = match.group(), match.string
    before = text[match.start() - 1] if match.start() else ""
    after = text[match.end() : match.end() + 1]
    if found == _ZERO_WIDTH_SPACE:
        return bool(_SCRIPTS_WITHOUT_SPACES.match(before) and _SCRIPTS_WITHOUT_SPACES.match(after))
    # an emoji may have its selector and then its joiner
    selector, joiner = (found[:-1], found[-1]) if found[-1] in _JOINERS else (found, "")
    if len(selector) > 1 or any(c in _JOINERS + _ZERO_WIDTH_SPACE for c in selector):
        return False
    if selector and not (_has_shape(before) or before in _SELECTABLE_ASCII):
        return False
    if joiner:
        virama = bool(before) and unicodedata.category(before) in ("Mn", "Mc") and before >= "\u0900"
        return virama or (_has_shape(before) and _has_shape(after))
    return True


def _has_shape(character: str) -> bool:
    """Tell whether a character is a letter, a mark or a symbol that may join or vary its shape."""
    return bool(character) and character >= "\u00a9" and unicodedata.category(character)[0] in "LMS"
