"""Leaderboards in templates: a figure in one cell with its interval below, and what a model's status is."""

from typing import Any

from django import template

from models_app.models import ModelVersion
from preferences.types import Estimate

register = template.Library()


@register.inclusion_tag("training/_board_cell.html")
def board_cell(estimate: Estimate, unit: str = "%") -> dict[str, Any]:
    """Show a figure in one cell of a table, its interval and n below, or why there is none."""
    return {"estimate": estimate, "unit": unit}


@register.filter
def model_status(status: str) -> str:
    """Name a model's status in the reader's language."""
    return str(ModelVersion.Status(status).label)
