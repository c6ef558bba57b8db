"""LaTeX formulas as MathML: a closed set of elements and lengths; what is beyond it stays as its source."""

import re
import unicodedata
from collections.abc import Iterator
from html import escape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

from labeling.markup.invisibles import has_invisibles, show_invisibles

MAX_LENGTH = 2_000
MAX_DEPTH = 60
# beyond this source length an inline formula scrolls in a box of its own, because MathML doesn't break lines
LONG = 24

ELEMENTS = frozenset(
    """
    math mrow mi mn mo mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mmultiscripts
    mprescripts mtable mtr mtd mstyle mpadded mphantom menclose
    """.split()  # noqa: SIM905
)
# who may say what about an element; lengths are held small, so that nothing leaves its place
_WORDS = {
    "accent": {"true", "false"},
    "accentunder": {"true", "false"},
    "columnalign": {"left", "right", "center"},
    "display": {"block", "inline"},
    "displaystyle": {"true", "false"},
    "fence": {"true", "false"},
    "form": {"prefix", "infix", "postfix"},
    "linethickness": {"0", "0px", "0em"},
    "largeop": {"true", "false"},
    "movablelimits": {"true", "false"},
    "scriptlevel": {"0", "1", "2"},
    "separator": {"true", "false"},
    "stretchy": {"true", "false"},
    "symmetric": {"true", "false"},
}
_LENGTHS = {"maxsize", "minsize", "lspace", "rspace"}
ATTRIBUTES = frozenset({*_WORDS, *_LENGTHS, "mathvariant", "width"})
_LENGTH = re.compile(r"-?(?:[0-3]?\.\d{1,3}|[0-3])(?:em|ex)")
# what a formula may not do: link, paint, or say how it is dressed
_REFUSED = {"href", "style", "class", "id", "actiontype", "mathbackground", "src"}
# macros can grow without an end
_MACROS = re.compile(
    r"\\(?:def|let|newcommand|renewcommand|gdef|edef|xdef|newenvironment|require|input|include)\b"
)
_REFERENCE = re.compile(r"&#(x[0-9a-fA-F]{1,6}|[0-9]{1,7});")
_INVISIBLE_OPERATORS = range(0x2061, 0x2065)
_PRICE = re.compile(r"\d[\d.,]*(?:[kKMB]|bn)?(?:[\s,;:/]+[^\W\d_]{2,}|[.,;:]$)")


class FormulaError(ValueError):
    """A formula that can't be shown as one."""


def show_formula(source: str, written: str, *, display: bool) -> str:
    """Return a formula's MathML, or `written`, its source with its delimiters, as code."""
    try:
        math = _as_math(source, display)
    except FormulaError:
        return f'<code dir="ltr">{show_invisibles(escape(written))}</code>'
    if display:
        return f'<span class="formula display" tabindex="0">{math}</span>'
    return f'<span class="formula" tabindex="0">{math}</span>' if len(source) > LONG else math


def is_price(source: str) -> bool:
    """Tell whether what two dollar signs enclose begins with an amount, as "5 a month, or 60" does."""
    return bool(_PRICE.match(source))


def _as_math(source: str, display: bool) -> str:
    if len(source) > MAX_LENGTH or not source.strip() or _MACROS.search(source) or has_invisibles(source):
        raise FormulaError
    try:
        root = convert_to_element(source, display="block" if display else "inline")
    except Exception as error:  # whatever a parser does with hostile source, its source can be shown
        raise FormulaError from error
    return "".join(_written(root, 0))


def _written(element: Element, depth: int) -> Iterator[str]:
    """Yield the closed set's part of an element, escaped."""
    tag = element.tag
    if tag not in ELEMENTS or depth > MAX_DEPTH or _REFUSED.intersection(element.attrib):
        raise FormulaError
    text = _REFERENCE.sub(_character, element.text or "")
    if text.startswith("\\") and len(text) > 1:
        raise FormulaError  # a command that the converter doesn't know
    if tag == "mphantom" and len("".join(element.itertext())) > 12:
        raise FormulaError  # a word that only the model would read
    yield f"<{tag}{''.join(_attributes(element))}>"
    yield escape(_in_variant(text, element.get("mathvariant", "")))
    for child in element:
        yield from _written(child, depth + 1)
    yield f"</{tag}>"


def _attributes(element: Element) -> Iterator[str]:
    for name, value in element.attrib.items():
        fits = (
            value in _WORDS.get(name, ())
            or (name in _LENGTHS and _LENGTH.fullmatch(value))
            or (name == "width" and element.tag == "mspace" and _LENGTH.fullmatch(value))
            or (name == "width" and value == "0" and len("".join(element.itertext())) <= 12)
            or (name == "mathvariant" and value == "normal")
        )
        if fits:
            yield f' {name}="{value}"'


def _character(match: re.Match[str]) -> str:
    digits = match.group(1)
    code = int(digits[1:], 16) if digits[0] == "x" else int(digits)
    if code in _INVISIBLE_OPERATORS:
        return ""
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF or has_invisibles(chr(code)):
        raise FormulaError
    return chr(code)


def _in_variant(text: str, variant: str) -> str:
    """Return letters in the alphabet that `variant` names: browsers know only "normal" of them."""
    if len(text) != 1 or not text.isalpha() or not variant or variant == "normal":
        return text
    case = "CAPITAL" if text.isupper() else "SMALL"
    alphabet = variant.replace("-", " ").upper()
    for name in (f"MATHEMATICAL {alphabet} {case} {text.upper()}", f"{alphabet} {case} {text.upper()}"):
        try:
            return unicodedata.lookup(name)
        except KeyError:
            continue
    return text
