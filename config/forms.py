"""How forms are drawn: a label is what was written, without a colon after it."""

from typing import Any

from django.forms import BoundField
from django.forms.renderers import DjangoTemplates


class PlainLabels(BoundField):
    """A field of a form whose label gets nothing added."""

    def label_tag(
        self,
        contents: Any = None,
        attrs: dict[str, Any] | None = None,
        label_suffix: str | None = None,
        tag: str | None = None,
    ) -> Any:
        return super().label_tag(contents, attrs, label_suffix or "", tag)


class Renderer(DjangoTemplates):
    """Django's own templates, with plain labels."""

    bound_field_class = PlainLabels
