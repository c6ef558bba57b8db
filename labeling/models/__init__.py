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
from labeling.models.count import CountedTo, HourCount, RaterCount, RoundCount
from labeling.models.invitation import Arrival, Invitation
from labeling.models.judgment import Draft, Edit, Feedback, Flag, Judgment, Likeness, Skip
from labeling.models.prompt import Import, Prompt, Response
from labeling.models.round import Round, RoundEvent
from labeling.models.task import Slot, Task, TaskResponse, Turn
from labeling.models.trust import Adjudication, Gold, GuidelineGap, QualityReport, Reliability, Score

__all__ = [
    "Adjudication",
    "Arrival",
    "Campaign",
    "CountedTo",
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
    "HourCount",
    "Import",
    "Invitation",
    "Judgment",
    "Likeness",
    "Membership",
    "Prompt",
    "QualityReport",
    "RaterCount",
    "Reliability",
    "Response",
    "Round",
    "RoundCount",
    "RoundEvent",
    "Score",
    "Skip",
    "Slot",
    "Task",
    "TaskResponse",
    "Trial",
    "Turn",
]
