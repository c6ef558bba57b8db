"""What policies answered to the suite, the figures that alarms look at, and the alarms that were raised."""

from django.conf import settings
from django.db import models


class Examination(models.Model):
    """A policy's answers to a suite, drawn with the same random numbers for all, and judged by code.

    `answers` is [{"key", "topic", "texts": [one a draw], "passed": {topic: [one a draw]}}] in its order.
    """

    version = models.ForeignKey(
        "models_app.ModelVersion", on_delete=models.PROTECT, related_name="examinations", db_index=False
    )
    suite = models.CharField(max_length=64)  # digest of its items and rules
    sampling = models.ForeignKey(
        "models_app.SamplingConfig", on_delete=models.PROTECT, related_name="+", db_index=False
    )
    draws = models.PositiveSmallIntegerField()
    answers = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "suite", "sampling"], name="examined_once"),
        ]

    def __str__(self) -> str:
        return f"examination of {self.version}"


class AlarmFigure(models.Model):
    """One figure that alarms look at, as it stood in a round; its shape is that of an estimate."""

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="alarm_figures", db_index=False
    )
    round = models.ForeignKey("labeling.Round", on_delete=models.CASCADE, related_name="alarm_figures")
    name = models.CharField(max_length=20)  # a key of training.alarms.FIGURES
    estimate = models.JSONField()  # {"value", "interval", "n", "why"}
    computed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "round", "name"], name="alarm_figure_once_in_round"),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.round}"


class Alarm(models.Model):
    """A figure that left its band, or a finding, in one round: pauses the loop until somebody resumes it."""

    campaign = models.ForeignKey(
        "labeling.Campaign", on_delete=models.CASCADE, related_name="alarms", db_index=False
    )
    round = models.ForeignKey("labeling.Round", on_delete=models.CASCADE, related_name="alarms")
    name = models.CharField(max_length=20)
    values = models.JSONField(default=dict)  # what its sentence says
    paused_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # a figure that stays out of its band is said once a round
            models.UniqueConstraint(fields=["campaign", "round", "name"], name="alarm_once_in_round"),
        ]

    def __str__(self) -> str:
        return f"alarm {self.name} in {self.round}"
