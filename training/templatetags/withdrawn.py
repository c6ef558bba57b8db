"""Which models learnt from what was withdrawn, for lists of them."""

from collections.abc import Iterable

from django import template

from models_app.models import ModelVersion
from training import withdrawal

register = template.Library()


@register.simple_tag
def withdrawn_models(versions: Iterable[ModelVersion]) -> set[int]:
    """Return the keys of the models that learnt, directly or down their lines, from what was withdrawn."""
    return set(withdrawal.of_models(versions))
