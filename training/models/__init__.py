"""The nouns of training, one module each group."""

from training.models.run import Evaluation, Run, RunEvent, RunMetric
from training.models.snapshot import Download, DownloadLink, Preparation, Snapshot
from training.models.watch import Board, Watch, WatchPick
from training.models.withdrawal import Statement, Withdrawal, WithdrawalNotice

__all__ = [
    "Board",
    "Download",
    "DownloadLink",
    "Evaluation",
    "Preparation",
    "Run",
    "RunEvent",
    "RunMetric",
    "Snapshot",
    "Statement",
    "Watch",
    "WatchPick",
    "Withdrawal",
    "WithdrawalNotice",
]
