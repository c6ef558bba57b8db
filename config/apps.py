"""Which files of other packages are served."""

from django.contrib.staticfiles.apps import StaticFilesConfig


class StaticFiles(StaticFilesConfig):
    """Leave out what the pages of Django REST framework need: our API has none."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "rest_framework"]
