"""What the counts of a snapshot are called on pages; its files and the API keep identifiers."""

from typing import Any

from django.utils.translation import gettext_lazy as _

COUNTS: dict[str, Any] = {
    "tasks": _("tasks"),
    "comparisons": _("comparisons"),
    "adjudicated": _("decided by a reviewer"),
    "identical_pairs": _("pairs of equal answers"),
    "judgments": _("judgments"),
    "ties": _("ties"),
    "edits": _("edits"),
    "not_counted": _("not counted"),
    "pairs": _("pairs"),
    "training_pairs": _("pairs to train on"),
    "demonstrations": _("demonstrations"),
    "training_demonstrations": _("demonstrations to train on"),
    "prompts": _("prompts"),
    "raters": _("raters"),
}


def told(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Return the counts of a snapshot, the most first, by what they are called."""
    most_first = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [(str(COUNTS.get(key, key)), number) for key, number in most_first]
