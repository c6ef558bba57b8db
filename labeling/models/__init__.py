"""The nouns of labeling, one module each group."""

from labeling.models.campaign import Campaign, Criterion, Guideline, Membership
from labeling.models.judgment import Draft, Edit, Judgment, Skip
from labeling.models.prompt import Import, Prompt, Response
from labeling.models.round import Round, RoundEvent
from labeling.models.task import Slot, Task, TaskResponse

__all__ = [
    "Campaign",
    "Criterion",
    "Draft",
    "Edit",
    "Guideline",
    "Import",
    "Judgment",
    "Membership",
    "Prompt",
    "Response",
    "Round",
    "RoundEvent",
    "Skip",
    "Slot",
    "Task",
    "TaskResponse",
]
