from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """What is learnt: snapshots, exports, runs, gates, the loop."""

    name = "training"
