from django.apps import AppConfig


class ModelsAppConfig(AppConfig):
    """Who answers and who scores: policies, reward models, sampling, scoring."""

    name = "models_app"
    label = "models_app"
