"""The nouns of training, one module each group."""

from training.models.judge import JudgeTemplate, JudgeVerdict, Judging
from training.models.run import Evaluation, Run, RunEvent, RunMetric
from training.models.safeguard import Alarm, AlarmFigure, Examination
from training.models.snapshot import Download, DownloadLink, Preparation, Snapshot
from training.models.target import Target, TargetCheck
from training.models.watch import Watch, WatchPick
from training.models.withdrawal import Statement, Withdrawal, WithdrawalNotice

__all__ = [
    "Alarm",
    "AlarmFigure",
    "Download",
    "DownloadLink",
    "Evaluation",
    "Examination",
    "JudgeTemplate",
    "JudgeVerdict",
    "Judging",
    "Preparation",
    "Run",
    "RunEvent",
    "RunMetric",
    "Snapshot",
    "Statement",
    "Target",
    "TargetCheck",
    "Watch",
    "WatchPick",
    "Withdrawal",
    "WithdrawalNotice",
]
