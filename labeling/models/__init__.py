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
from labeling.models.trust import Adjudication, Gold, GuidelineGap, QualityReport, Reliability, Score

__all__ = [
    "Adjudication",
    "Campaign",
    "Criterion",
    "Draft",
    "Edit",
    "Example",
    "Feedback",
    "Flag",
    "Gold",
    "Guideline",
    "GuidelineGap",
    "GuidelineRead",
    "Import",
    "Judgment",
    "Likeness",
    "Membership",
    "Prompt",
    "QualityReport",
    "Reliability",
    "Response",
    "Round",
    "RoundEvent",
    "Score",
    "Skip",
    "Slot",
    "Task",
    "TaskResponse",
    "Trial",
    "Turn",
]
