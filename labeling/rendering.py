"""Text from people and models as safe HTML: no scripts, no images, nothing loaded from anywhere.

Every page shows untrusted text through `render` or `render_many`, and its source through `render_plain`.
A text is turned into HTML once (`labeling.markup`), sanitised once, and cached under its hash:
see "Untrusted text" in docs/architecture.md.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.metadata import version
from pathlib import Path
from threading import Lock

import nh3
from django.core.cache import cache as shared
from django.utils.safestring import SafeString, mark_safe
from redis.exceptions import RedisError

from labeling import markup
from labeling.markup import code, formulas, invisibles, markdown

log = logging.getLogger(__name__)

# Longer texts are shown as they were written: the slowest inputs take about 15 µs a character.
MAX_LENGTH = 64_000
KEPT_SECONDS = 7 * 24 * 3600
KEPT_HERE = 4_000_000  # characters of HTML: a round of 400 tasks, or one of a few very long texts
KEPT_HERE_LENGTH = 100_000

TAGS = {
    "p", "br", "hr", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote", "bdi", "span",
    "div", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption",
}  # fmt: skip
_DIRECTED = ("p", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "table", "th", "td", "pre", "code")
_LIBRARIES = ("markdown-it-py", "nh3", "Pygments", "latex2mathml")
# keeps what the closed lists name: no id, no name, no style, no address but those of links
_sanitiser = nh3.Cleaner(
    tags=TAGS | formulas.ELEMENTS,
    attributes={
        "*": set(),  # or else every tag might have a title and a language
        "a": {"href"},
        "ol": {"start"},
        **{tag: set(formulas.ATTRIBUTES) for tag in formulas.ELEMENTS},
    },
    tag_attribute_values={
        **{tag: {"dir": {"auto", "ltr", "rtl"}} for tag in _DIRECTED},
        "pre": {"dir": {"ltr"}, "tabindex": {"0"}},
        "span": {"tabindex": {"0"}},
        "div": {"tabindex": {"0"}},
    },
    allowed_classes={
        "span": {"formula", "display", *code.CLASSES},
        "div": {"wide"},
        "figure": {"code"},
        "bdi": {"mark"},
        "li": {"todo"},
    },
    # what a link opens must not take the place of the work
    set_tag_attribute_values={"a": {"target": "_blank"}},
    link_rel="nofollow noopener noreferrer",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


def render(text: str) -> SafeString:
    """Return a text's HTML; the same text always gives the same.

    A text of more than 64,000 characters, nested more than 20 deep, or of very many parts comes back as it
    was written, in `<pre class="plain">`: every text is ready within two seconds.
    """
    return render_many([text])[0]


def render_many(texts: Sequence[str]) -> list[SafeString]:
    """Return the HTML of all of a page's texts, in their order, after one look into the cache."""
    keys = [_key(text) for text in texts]
    found = _recall(set(keys))
    made: dict[str, SafeString] = {}
    for key, text in zip(keys, texts, strict=True):
        if key not in found:
            found[key] = _make(text)
            if len(text) <= MAX_LENGTH:
                made[key] = found[key]
    _keep(made)
    return [found[key] for key in keys]


def render_plain(text: str) -> SafeString:
    """Return a text as it was written, with its invisible characters shown."""
    shown = invisibles.show_invisibles(escape(_without_surrogates(text)))
    name = "plain long" if len(text) > MAX_LENGTH else "plain"
    html = f'<pre class="{name}" dir="auto">{shown}</pre>'
    return mark_safe(html)  # noqa: S308  escaped in the line above


# -- making -------------------------------------------------------------------------------------------


def _make(text: str) -> SafeString:
    text = _without_surrogates(text)
    if len(text) > MAX_LENGTH or invisibles.has_invisibles(text, invisibles.MAX_MARKS):
        return render_plain(text)
    try:
        return _sanitise(markdown.to_html(text))
    except markdown.TooIntricateError:
        return render_plain(text)


def _sanitise(html: str) -> SafeString:
    return mark_safe(_sanitiser.clean(html))  # noqa: S308  what the closed lists don't name is gone


def _without_surrogates(text: str) -> str:
    # JSON can carry halves of characters, which no encoder takes
    return text.encode("utf-8", "replace").decode()


# -- keeping ------------------------------------------------------------------------------------------


class Recent:
    """The HTML that a process made or read last, up to a number of characters in all."""

    def __init__(self, limit: int) -> None:
        self._limit, self._length, self._lock = limit, 0, Lock()
        self._html: OrderedDict[str, SafeString] = OrderedDict()

    def recall(self, keys: set[str]) -> dict[str, SafeString]:
        """Return what there is of some keys."""
        with self._lock:
            found = {key: self._html[key] for key in keys if key in self._html}
            for key in found:
                self._html.move_to_end(key)
        return found

    def keep(self, made: dict[str, SafeString]) -> None:
        """Take in what isn't too long, in place of what was asked for least recently."""
        with self._lock:
            for key, html in made.items():
                if len(html) <= KEPT_HERE_LENGTH and key not in self._html:
                    self._html[key] = html
                    self._length += len(html)
            while self._length > self._limit:
                self._length -= len(self._html.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._html.clear()
            self._length = 0


_here = Recent(KEPT_HERE)


@cache
def _renderer() -> str:
    """Return a name for these rules and these versions of the libraries: other ones never meet its cache."""
    digest = hashlib.sha256()
    for module in (__file__, *(m.__file__ for m in (code, formulas, invisibles, markdown, markup))):
        digest.update(Path(str(module)).read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}".encode())
    return digest.hexdigest()[:16]


def _key(text: str) -> str:
    return f"html:{_renderer()}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _recall(keys: set[str]) -> dict[str, SafeString]:
    """Return those of the texts that this process or the shared cache has kept."""
    found = _here.recall(keys)
    if missing := keys - found.keys():
        try:
            kept = shared.get_many(missing)
        except (RedisError, OSError):
            log.warning("The cache can't be reached: texts are rendered anew.")
            kept = {}
        recalled = {key: mark_safe(html) for key, html in kept.items()}  # noqa: S308  _keep stored it
        _here.keep(recalled)
        found.update(recalled)
    return found


def _keep(made: dict[str, SafeString]) -> None:
    if not made:
        return
    _here.keep(made)
    try:
        shared.set_many({key: str(html) for key, html in made.items()}, timeout=KEPT_SECONDS)
    except (RedisError, OSError):
        log.warning("The cache can't be reached: rendered texts are kept in this process only.")
