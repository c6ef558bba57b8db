"""Let a campaign design its rounds, and keep prompts for a purpose."""

import django.contrib.postgres.fields
import django.core.validators
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_settings"),
        ("labeling", "0008_choosing_pairs"),
        ("models_app", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="campaign",
            name="bands",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="campaign",
            name="champion_share",
            field=models.FloatField(
                default=0.0,
                help_text="The share of a round's comparisons that set the champion against the policy it replaced.",
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(1),
                ],
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="history_share",
            field=models.FloatField(
                default=0.0,
                help_text="The share of a round's comparisons one of whose answers comes from an earlier policy.",
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(1),
                ],
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="red_team",
            field=models.BooleanField(
                default=False, help_text="Its prompts are attacks: raters say which answer is safer."
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="repeat_prompts",
            field=models.FloatField(
                default=0.0,
                help_text="The share of a round's tasks whose prompts were asked in an earlier round.",
                validators=[
                    django.core.validators.MinValueValidator(0),
                    django.core.validators.MaxValueValidator(1),
                ],
            ),
        ),
        migrations.AddField(
            model_name="campaign",
            name="temperatures",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(
                    validators=[
                        django.core.validators.MinValueValidator(0.01),
                        django.core.validators.MaxValueValidator(10),
                    ]
                ),
                blank=True,
                default=list,
                help_text="Temperatures at which the answers to a prompt are drawn in turn; empty for the sampling config's.",
                size=8,
            ),
        ),
        migrations.AddField(
            model_name="prompt",
            name="purpose",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Asked and learnt from"),
                    ("evaluation", "Fixed evaluation set"),
                    ("safety", "Safety set"),
                    ("capability", "Capability set"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="round",
            name="plan",
            field=models.JSONField(blank=True, default=dict),
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
                    ("champion", "The champion against the policy it replaced"),
                    ("history", "With an answer of an earlier policy"),
                ],
                default="random",
                max_length=8,
            ),
        ),
        migrations.AddIndex(
            model_name="prompt",
            index=models.Index(
                condition=models.Q(("purpose", ""), _negated=True),
                fields=["campaign", "purpose"],
                name="prompt_with_purpose",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("champion_share__gte", 0),
                    (
                        "champion_share__lte",
                        django.db.models.expressions.CombinedExpression(
                            models.Value(1), "-", models.F("history_share")
                        ),
                    ),
                    ("history_share__gte", 0),
                ),
                name="campaign_opponents_add_up",
            ),
        ),
        migrations.AddConstraint(
            model_name="campaign",
            constraint=models.CheckConstraint(
                condition=models.Q(("repeat_prompts__gte", 0), ("repeat_prompts__lte", 1)),
                name="campaign_repeat_prompts_is_share",
            ),
        ),
        migrations.AddConstraint(
            model_name="prompt",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("purpose", ""),
                    models.Q(("purpose__in", ["evaluation", "safety", "capability"]), ("split", "test")),
                    _connector="OR",
                ),
                name="prompt_with_purpose_is_held_out",
            ),
        ),
    ]
