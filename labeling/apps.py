from django.apps import AppConfig


class LabelingConfig(AppConfig):
    """What people say: campaigns, rounds, tasks, assignment, judgments, edits, quality."""

    name = "labeling"

    def ready(self) -> None:
        """Tell the audit log's page what settings are called."""
        from accounts import audit_names
        from labeling.settings_forms import NAMES

        audit_names.SETTINGS.update(NAMES)
