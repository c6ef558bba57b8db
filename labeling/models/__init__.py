"""The nouns of labeling, one module each group."""

from labeling.models.campaign import (
    Campaign,
    Criterion,
    Example,
    Guideline,
    GuidelineRead,
    Membership,
    Trial,
)
from labeling.models.judgment import Draft, Edit, Feedback, Flag, Judgment, Likeness, Skip
from labeling.models.prompt import Import, Prompt, Response
from labeling.models.round import Round, RoundEvent
from labeling.models.task import Slot, Task, TaskResponse, Turn

__all__ = [
    "Campaign",
    "Criterion",
    "Draft",
    "Edit",
    "Example",
    "Feedback",
    "Flag",
    "Guideline",
    "GuidelineRead",
    "Import",
    "Judgment",
    "Likeness",
    "Membership",
    "Prompt",
    "Response",
    "Round",
    "RoundEvent",
    "Skip",
    "Slot",
    "Task",
    "TaskResponse",
    "Trial",
    "Turn",
]
