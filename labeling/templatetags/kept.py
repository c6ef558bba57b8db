"""Parts of a page that many requests share, rendered once: `{% kept look %}…{% endkept %}`."""

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token
from django.template.context import Context
from django.utils.safestring import SafeString
from django.utils.translation import get_language

register = template.Library()

LOOKS = 200


class KeptNode(template.Node):
    """Keeps what its inside looked like for each value of its expressions, in each language."""

    def __init__(self, look: list[FilterExpression], inside: NodeList) -> None:
        self.look, self.inside = look, inside
        self.kept: dict[str, SafeString] = {}

    def render(self, context: Context) -> SafeString:
        """Return the inside as it was rendered for the same values; anew when one of them is None."""
        look = [expression.resolve(context, ignore_failures=True) for expression in self.look]
        if None in look:
            return self.inside.render(context)
        key = f"{get_language()} {look}"
        html = self.kept.get(key)
        if html is None:
            html = self.inside.render(context)
            if len(self.kept) >= LOOKS:
                self.kept.clear()
            self.kept[key] = html
        return html


@register.tag
def kept(parser: Parser, token: Token) -> KeptNode:
    """Render the inside once for each value of some expressions: name all that it shows, but the language.

    An expression that is None, or unknown, keeps nothing. What the inside says must not be a secret of one
    person: whoever has the same values gets the same HTML.
    """
    names = token.split_contents()[1:]
    if not names:
        raise template.TemplateSyntaxError("kept needs to know what its inside depends on")
    inside = parser.parse(("endkept",))
    parser.delete_first_token()
    return KeptNode([parser.compile_filter(name) for name in names], inside)
