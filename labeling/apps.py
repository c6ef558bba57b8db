from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """What people say: campaigns, rounds, tasks, assignment, judgments, edits, quality."""

    name = "labeling"
