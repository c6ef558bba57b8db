"""Parts of a page that many requests share, rendered once: `{% kept look %}…{% endkept %}`."""

import re
from collections.abc import Sequence

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

register = template.Library()

LOOKS = 200


class KeptNode(template.Node):
    """Keeps what its inside looked like for each value of its expressions, in each language."""

    child_nodelists = ("inside",)

    def __init__(self, look: list[FilterExpression], own: list[FilterExpression], inside: NodeList) -> None:
        self.look, self.own, self.inside = look, own, inside
        # by look: pieces of HTML, and between each two the number of the value of `own` that goes there
        self.kept: dict[str, Sequence[str | int]] = {}

    def render(self, context: Context) -> SafeString:
        """Return the inside as it was rendered for the same values; anew when one of them is empty."""
        look = [expression.resolve(context, ignore_failures=True) for expression in self.look]
        own = [escape(expression.resolve(context, ignore_failures=True) or "") for expression in self.own]
        if not all(look) or not all(own):
            return self.inside.render(context)
        key = f"{get_language()} {look}"
        pieces = self.kept.get(key)
        if pieces is None:
            html = self.inside.render(context)
            if len(self.kept) >= LOOKS:
                self.kept.clear()
            self.kept[key] = taken_apart(html, own)
            return html
        return mark_safe("".join(own[p] if isinstance(p, int) else p for p in pieces))  # noqa: S308  both are HTML


def taken_apart(html: str, own: Sequence[str]) -> Sequence[str | int]:
    """Return the pieces of an HTML, with the numbers of the values that stand between them."""
    if not own:
        return [html]
    pieces: list[str] = re.split(f"({'|'.join(map(re.escape, own))})", html)
    return [own.index(piece) if number % 2 else piece for number, piece in enumerate(pieces)]


@register.tag
def kept(parser: Parser, token: Token) -> KeptNode:
    """Render the inside once for each value of some expressions: name all that it shows, but the language.

    After `except` come those that differ each time and look like nothing else in it, such as UUIDs: only
    their places are kept. A value that is empty, or unknown, keeps nothing. What the inside says must not be
    a secret of one person: whoever has the same values gets the same HTML.
    """
    names = token.split_contents()[1:]
    place = names.index("except") if "except" in names else len(names)
    if not place:
        raise template.TemplateSyntaxError("kept needs to know what its inside depends on")
    inside = parser.parse(("endkept",))
    parser.delete_first_token()
    look, own = (
        [parser.compile_filter(name) for name in part] for part in (names[:place], names[place + 1 :])
    )
    return KeptNode(look, own, inside)
