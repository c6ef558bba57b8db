"""What an upload added to a campaign, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from labeling.import_source import LineError

ERRORS_KEPT = 100


@dataclass
class ImportReport:
    """Count what an upload added, and list what is wrong with it; with errors nothing was added.

    `identical_pairs` and `empty_responses` describe the upload itself, whether it was known or not.
    """

    prompts_added: int = 0
    prompts_known: int = 0
    responses_added: int = 0
    tasks_added: int = 0
    judgments_added: int = 0
    edits_added: int = 0
    raters_added: int = 0
    identical_pairs: int = 0
    empty_responses: int = 0
    empty_edits: int = 0
    lines: int = 0
    errors: list[LineError] = field(default_factory=list)
    errors_total: int = 0
    refused: bool = False  # nothing was added for the errors
    broken: bool = False  # the upload can't be read to its end

    def __post_init__(self) -> None:
        self.listener: Callable[[LineError], None] | None = None  # hears of all errors

    @property
    def has_good(self) -> bool:
        """Tell whether the upload can be read to its end and has a line without errors."""
        return not self.broken and self.lines > self.errors_total

    def refuse(self, error: LineError) -> None:
        """Note an error; the first hundred are kept, all are counted."""
        self.errors_total += 1
        if self.listener:
            self.listener(error)
        if len(self.errors) < ERRORS_KEPT:
            self.errors.append(error)

    def conclude(self, keep_good: bool) -> None:
        """Decide, at the upload's end, whether nothing of it comes in."""
        if not self.lines and not self.errors_total:
            self.refuse(LineError(0, "", "there is nothing in this file"))
        self.refused = bool(self.errors_total) and not (keep_good and self.has_good)
