"""Let comparisons be chosen by what they teach, and keep features of answers without a score."""

import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_settings"),
        ("labeling", "0007_fresh_statistics"),
        ("models_app", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="answers_per_prompt",
            field=models.PositiveSmallIntegerField(
                default=4,
                help_text="How many answers each prompt gets where comparisons are chosen.",
                validators=[
                    django.core.validators.MinValueValidator(2),
                    django.core.validators.MaxValueValidator(8),
                ],
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="choose_pairs",
            field=models.BooleanField(
                default=False, help_text="Comparisons are chosen by what they teach, batch by batch."
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="selection",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="round",
            name="selection",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name="score",
            name="value",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="task",
            name="selection",
            field=models.CharField(
                choices=[
                    ("random", "Uniformly at random"),
                    ("active", "Chosen for what it teaches"),
                    ("imported", "Imported"),
                    ("watch", "To watch over-optimisation"),
                ],
                default="random",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("answers_per_prompt__gte", 2), ("answers_per_prompt__lte", 8)),
                name="campaign_answers_per_prompt_in_range",
            ),
        ),
    ]
