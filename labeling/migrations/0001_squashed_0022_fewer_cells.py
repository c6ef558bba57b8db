"""The labeling app's tables as they are after the migrations that this stands for: a new database draws each once."""

from importlib import import_module

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models

import labeling.models.campaign

# Triggers, functions and settings of tables, which Django's models know nothing of: as they were written then.
WITH_SQL = [
    "0002_append_only",
    "0007_fresh_statistics",
    "0014_campaign_roles",
    "0017_what_raters_said",
    "0019_claim_in_the_database",
]


class Migration(migrations.Migration):
    replaces = [
        ("labeling", "0001_initial"),
        ("labeling", "0002_append_only"),
        ("labeling", "0003_slot_lease_once"),
        ("labeling", "0004_raters_workplace"),
        ("labeling", "0005_an_exact_queue"),
        ("labeling", "0006_trust"),
        ("labeling", "0007_fresh_statistics"),
        ("labeling", "0008_choosing_pairs"),
        ("labeling", "0009_round_design"),
        ("labeling", "0010_withdrawn_prompts"),
        ("labeling", "0011_setup_and_archive"),
        ("labeling", "0012_kept_counts"),
        ("labeling", "0013_mapped_imports"),
        ("labeling", "0014_campaign_roles"),
        ("labeling", "0015_people_by_link"),
        ("labeling", "0016_one_index_of_answers"),
        ("labeling", "0017_what_raters_said"),
        ("labeling", "0018_leases_that_are_given"),
        ("labeling", "0019_claim_in_the_database"),
        ("labeling", "0020_indexes_that_are_used"),
        ("labeling", "0021_shorter_entries"),
        ("labeling", "0022_fewer_cells"),
    ]
    initial = True

    dependencies = [
        ("accounts", "0004_pools_and_sessions"),
        ("models_app", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Campaign",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("slug", models.SlugField(max_length=60, unique=True)),
                ("name", models.CharField(max_length=120)),
                ("description", models.TextField(blank=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("closed", "Closed"),
                        ],
                        default="active",
                        max_length=8,
                    ),
                ),
                (
                    "scale",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (2, "2 points: A or B"),
                            (4, "4 points: clearly or slightly better"),
                            (7, "7 points: much, clearly, slightly better, or about the same"),
                        ],
                        default=7,
                    ),
                ),
                ("allow_ties", models.BooleanField(default=True)),
                (
                    "overlap",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="How many different raters judge each task.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ],
                    ),
                ),
                (
                    "overlap_cap",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Where raters disagree, comparisons are asked of up to this many; empty asks no more.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(50),
                        ],
                    ),
                ),
                (
                    "certainty",
                    models.FloatField(
                        default=0.9,
                        help_text="How certain a comparison's majority must be before it is asked of no more raters.",
                        validators=[
                            django.core.validators.MinValueValidator(0.5),
                            django.core.validators.MaxValueValidator(0.999),
                        ],
                    ),
                ),
                (
                    "rater_limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most tasks that one rater gets in this campaign; empty for no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "daily_limit",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The most tasks that one rater gets in a day (UTC); empty for no limit.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "gold_share",
                    models.FloatField(
                        default=0.0,
                        help_text="How often a rater gets a gold task, one whose right answer is known, if there is one.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "repeat_share",
                    models.FloatField(
                        default=0.0,
                        help_text="How many of a rater's comparisons are their own asked again, unannounced.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(0.5),
                        ],
                    ),
                ),
                (
                    "weigh_votes",
                    models.BooleanField(
                        default=True,
                        help_text="A vote counts in consensus and training by its rater's reliability; otherwise all alike.",
                    ),
                ),
                (
                    "lease_minutes",
                    models.PositiveSmallIntegerField(
                        default=15,
                        help_text="How long a claimed task waits for its rater.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "tasks_per_round",
                    models.PositiveIntegerField(
                        default=400,
                        help_text="How many tasks the next round asks.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "edit_share",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's tasks that ask for a rewrite instead of a verdict.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "rank_share",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's tasks that ask to put several answers in order.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "rank_size",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="How many answers a ranking has.",
                        validators=[
                            django.core.validators.MinValueValidator(3),
                            django.core.validators.MaxValueValidator(9),
                        ],
                    ),
                ),
                (
                    "chat_share",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's tasks in which raters talk with two policies and pick at each turn.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "chat_turns",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="After this many turns a conversation is over; raters may end it earlier.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(20),
                        ],
                    ),
                ),
                (
                    "choose_pairs",
                    models.BooleanField(
                        default=False, help_text="Comparisons are chosen by what they teach, batch by batch."
                    ),
                ),
                (
                    "answers_per_prompt",
                    models.PositiveSmallIntegerField(
                        default=4,
                        help_text="How many answers each prompt gets where comparisons are chosen.",
                        validators=[
                            django.core.validators.MinValueValidator(2),
                            django.core.validators.MaxValueValidator(8),
                        ],
                    ),
                ),
                (
                    "champion_share",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's comparisons that set the champion against the policy it replaced.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "history_share",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's comparisons one of whose answers comes from an earlier policy.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "repeat_prompts",
                    models.FloatField(
                        default=0.0,
                        help_text="The share of a round's tasks whose prompts were asked in an earlier round.",
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "temperatures",
                    django.contrib.postgres.fields.ArrayField(
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
                (
                    "red_team",
                    models.BooleanField(
                        default=False, help_text="Its prompts are attacks: raters say which answer is safer."
                    ),
                ),
                ("bands", models.JSONField(blank=True, default=dict)),
                ("selection", models.JSONField(blank=True, default=dict)),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=40),
                        blank=True,
                        default=labeling.models.campaign.default_reasons,
                        help_text="What raters may tick about each answer after the verdict.",
                        size=None,
                    ),
                ),
                (
                    "display_rate",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="Answers appear at this many words a second; 0 shows them at once.",
                        validators=[django.core.validators.MaxValueValidator(500)],
                    ),
                ),
                (
                    "undo_minutes",
                    models.PositiveIntegerField(
                        default=60,
                        help_text="How long raters can take back what they sent, while its round is open.",
                    ),
                ),
                (
                    "pass_mark",
                    models.FloatField(
                        blank=True,
                        help_text="The share of the qualification test that a rater must get right; empty for no test.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(0),
                            django.core.validators.MaxValueValidator(1),
                        ],
                    ),
                ),
                (
                    "test_attempts",
                    models.PositiveSmallIntegerField(
                        default=2,
                        help_text="How often the test may be tried.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "show_figures",
                    models.BooleanField(
                        default=True, help_text="Raters see how often they agree with others here."
                    ),
                ),
                (
                    "retrain_after",
                    models.PositiveIntegerField(
                        default=400,
                        help_text="New labels in a round after which it closes and the models are retrained.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "max_rounds",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="The loop stops after this many rounds; empty for no end.",
                        null=True,
                    ),
                ),
                ("model_family", models.SlugField(max_length=80)),
                (
                    "sampling",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="models_app.samplingconfig",
                    ),
                ),
                (
                    "stages",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=12),
                        default=labeling.models.campaign.default_stages,
                        size=None,
                    ),
                ),
                ("hyper", models.JSONField(blank=True, default=dict)),
                ("loop_paused", models.CharField(blank=True, max_length=500)),
                ("archived_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "setup_seen",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=12),
                        blank=True,
                        default=list,
                        editable=False,
                        size=None,
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("skills", models.ManyToManyField(blank=True, related_name="campaigns", to="accounts.skill")),
                ("pools", models.ManyToManyField(blank=True, related_name="campaigns", to="accounts.pool")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("scale__in", [2, 4, 7])), name="campaign_scale_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("overlap__gte", 1)), name="campaign_overlap_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("overlap_cap__isnull", True),
                            ("overlap_cap__gte", models.F("overlap")),
                            _connector="OR",
                        ),
                        name="campaign_overlap_within_cap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("gold_share__gte", 0), ("gold_share__lte", 1)),
                        name="campaign_gold_share_is_share",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("repeat_share__gte", 0), ("repeat_share__lte", 0.5)),
                        name="campaign_repeat_share_is_share",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("edit_share__gte", 0), ("edit_share__lte", 1)),
                        name="campaign_edit_share_is_share",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("chat_share__gte", 0),
                            (
                                "edit_share__lte",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        models.Value(1), "-", models.F("rank_share")
                                    ),
                                    "-",
                                    models.F("chat_share"),
                                ),
                            ),
                            ("rank_share__gte", 0),
                        ),
                        name="campaign_shares_add_up",
                    ),
                    models.CheckConstraint(
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
                    models.CheckConstraint(
                        condition=models.Q(("repeat_prompts__gte", 0), ("repeat_prompts__lte", 1)),
                        name="campaign_repeat_prompts_is_share",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rank_size__gte", 3), ("rank_size__lte", 9)),
                        name="campaign_rank_size_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("answers_per_prompt__gte", 2), ("answers_per_prompt__lte", 8)),
                        name="campaign_answers_per_prompt_in_range",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Guideline",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="guidelines",
                        to="labeling.campaign",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("text", models.TextField()),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "number"), name="guideline_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Criterion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="criteria",
                        to="labeling.campaign",
                    ),
                ),
                ("key", models.SlugField(max_length=40)),
                ("name", models.CharField(max_length=80)),
                (
                    "points",
                    models.PositiveSmallIntegerField(
                        default=5,
                        validators=[
                            django.core.validators.MinValueValidator(2),
                            django.core.validators.MaxValueValidator(10),
                        ],
                    ),
                ),
                ("required", models.BooleanField(default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "key"), name="criterion_key_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("rater", "Rater"), ("manager", "Manager"), ("researcher", "Researcher")],
                        default="rater",
                        max_length=12,
                    ),
                ),
                ("qualified_at", models.DateTimeField(blank=True, null=True)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "user"), name="membership_once"),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["rater", "manager", "researcher"])),
                        name="membership_role_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GuidelineRead",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reads",
                        to="labeling.guideline",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("guideline", "user"), name="guideline_read_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Example",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="examples",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "use",
                    models.CharField(
                        choices=[
                            ("edge_case", "Shown in the guideline"),
                            ("practice", "Practice"),
                            ("test", "Qualification test"),
                        ],
                        max_length=10,
                    ),
                ),
                ("messages", models.JSONField()),
                ("answers", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=2)),
                ("verdict", models.SmallIntegerField()),
                ("explanation", models.TextField()),
                ("retired", models.BooleanField(default=False)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("verdict__gte", -3), ("verdict__lte", 3)),
                        name="example_verdict_in_range",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Trial",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "example",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="trials",
                        to="labeling.example",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="trials",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("attempt", models.PositiveSmallIntegerField(default=0)),
                ("verdict", models.SmallIntegerField()),
                ("both_bad", models.BooleanField(default=False)),
                (
                    "order_shown",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), size=None
                    ),
                ),
                ("right", models.BooleanField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("example", "rater", "attempt"), name="trial_once_in_attempt"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="HourCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hours",
                        to="labeling.campaign",
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("judgments", models.PositiveIntegerField(default=0)),
                ("edits", models.PositiveIntegerField(default=0)),
                ("first_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "hour"), name="hour_once_in_campaign")
                ],
            },
        ),
        migrations.CreateModel(
            name="RaterCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rater_counts",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rater_counts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("judgments", models.PositiveIntegerField(default=0)),
                ("edits", models.PositiveIntegerField(default=0)),
                ("timed", models.PositiveIntegerField(default=0)),
                ("active_ms", models.BigIntegerField(default=0)),
                ("pasted", models.BigIntegerField(default=0)),
                ("typed", models.BigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "rater"), name="rater_count_once_in_campaign")
                ],
            },
        ),
        migrations.CreateModel(
            name="CountedTo",
            fields=[
                ("what", models.CharField(max_length=8, primary_key=True, serialize=False)),
                ("seen_to", models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("digest", models.CharField(max_length=64, unique=True)),
                (
                    "role",
                    models.CharField(
                        choices=[("rater", "Rater"), ("manager", "Manager"), ("researcher", "Researcher")],
                        default="rater",
                        max_length=12,
                        verbose_name="Role",
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "pool",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="accounts.pool",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=150)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("uses", models.PositiveIntegerField(default=1)),
                ("used", models.PositiveIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("skills", models.ManyToManyField(blank=True, related_name="+", to="accounts.skill")),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("used__lte", models.F("uses"))),
                        name="invitation_used_within_uses",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("role__in", ["rater", "manager", "researcher"])),
                        name="invitation_role_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "invitation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="arrivals",
                        to="labeling.invitation",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="arrivals",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("invitation", "user"), name="arrival_once")],
            },
        ),
        migrations.CreateModel(
            name="Import",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="imports",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("filename", models.CharField(blank=True, max_length=255)),
                ("format", models.CharField(max_length=40)),
                ("mapping", models.JSONField(blank=True, default=dict)),
                ("keep_good", models.BooleanField(default=False)),
                ("dataset", models.CharField(blank=True, max_length=200)),
                ("split", models.CharField(blank=True, max_length=60)),
                ("report", models.JSONField(default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("fetching", "Being fetched"),
                            ("received", "Waits for you"),
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("refused", "Refused"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        default="done",
                        max_length=10,
                    ),
                ),
                ("dry_run", models.BooleanField(default=False)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("bytes", models.BigIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("status__in", ["queued", "running"])),
                        fields=["campaign"],
                        name="import_under_way",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Prompt",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="prompts",
                        to="labeling.campaign",
                    ),
                ),
                ("messages", models.JSONField()),
                ("content_hash", models.CharField(max_length=64)),
                (
                    "split",
                    models.CharField(
                        choices=[("train", "Train"), ("validation", "Validation"), ("test", "Test")],
                        max_length=10,
                    ),
                ),
                (
                    "purpose",
                    models.CharField(
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
                ("language", models.CharField(blank=True, max_length=16)),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60), blank=True, default=list, size=None
                    ),
                ),
                ("meta", models.JSONField(blank=True, default=dict)),
                (
                    "opening",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="continuations",
                        to="labeling.prompt",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="prompts",
                        to="labeling.import",
                    ),
                ),
                ("withdrawn", models.BooleanField(db_default=False, default=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("opening__isnull", False)),
                        fields=["opening"],
                        name="prompt_with_opening",
                    ),
                    models.Index(
                        condition=models.Q(("purpose", ""), _negated=True),
                        fields=["campaign", "purpose"],
                        name="prompt_with_purpose",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "content_hash"), name="prompt_once_in_campaign"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("split__in", ["train", "validation", "test"])),
                        name="prompt_split_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("purpose", ""),
                            models.Q(
                                ("purpose__in", ["evaluation", "safety", "capability"]), ("split", "test")
                            ),
                            _connector="OR",
                        ),
                        name="prompt_with_purpose_is_held_out",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Round",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="rounds",
                        to="labeling.campaign",
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "origin",
                    models.CharField(
                        choices=[("loop", "Sampled from policies"), ("import", "Imported")],
                        default="loop",
                        max_length=8,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("generating", "Generating answers"),
                            ("open", "Open"),
                            ("closed", "Closed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                (
                    "sampling",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rounds",
                        to="models_app.samplingconfig",
                    ),
                ),
                ("seed", models.BigIntegerField(default=0)),
                ("task_target", models.PositiveIntegerField(default=0)),
                ("selection", models.JSONField(blank=True, default=dict)),
                ("plan", models.JSONField(blank=True, default=dict)),
                ("responses_done", models.PositiveIntegerField(default=0)),
                ("responses_total", models.PositiveIntegerField(default=0)),
                ("generation_lease_until", models.DateTimeField(blank=True, null=True)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "policies",
                    models.ManyToManyField(blank=True, related_name="rounds", to="models_app.modelversion"),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("campaign", "number"), name="round_number_once"),
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("origin", "loop"), ("status__in", ["draft", "generating", "open"])
                        ),
                        fields=("campaign",),
                        name="one_live_loop_round",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RoundCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "round",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="count", to="labeling.round"
                    ),
                ),
                ("tasks", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("labels", models.PositiveIntegerField(default=0)),
                ("wanted", models.PositiveIntegerField(default=0)),
                ("counted_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Response",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "prompt",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="responses",
                        to="labeling.prompt",
                    ),
                ),
                ("text", models.TextField(blank=True)),
                ("turns", models.JSONField(blank=True, default=list)),
                ("text_hash", models.CharField(max_length=32)),
                (
                    "origin",
                    models.CharField(
                        choices=[
                            ("sampled", "Sampled from a policy"),
                            ("imported", "Imported"),
                            ("edited", "Edited by a person"),
                            ("written", "Written by a person"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "policy",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="models_app.modelversion",
                    ),
                ),
                (
                    "sampling",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="models_app.samplingconfig",
                    ),
                ),
                (
                    "round",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to="labeling.round",
                    ),
                ),
                ("copy", models.PositiveSmallIntegerField(default=0)),
                (
                    "parent",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="edits_of",
                        to="labeling.response",
                    ),
                ),
                (
                    "author",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("sampling__isnull", False)),
                        fields=["sampling"],
                        name="response_with_sampling",
                    ),
                    models.Index(
                        condition=models.Q(("round__isnull", False)),
                        fields=["round"],
                        name="response_with_round",
                    ),
                    models.Index(
                        condition=models.Q(("parent__isnull", False)),
                        fields=["parent"],
                        name="response_with_parent",
                    ),
                    models.Index(
                        condition=models.Q(("author__isnull", False)),
                        fields=["author"],
                        name="response_with_author",
                    ),
                    django.contrib.postgres.indexes.BrinIndex(fields=["policy"], name="response_by_policy"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("origin", "sampled")),
                        fields=("prompt", "policy", "sampling", "round", "copy"),
                        name="response_draw_once",
                        nulls_distinct=False,
                    ),
                    models.UniqueConstraint(
                        models.F("prompt"),
                        models.F("policy"),
                        models.F("text_hash"),
                        models.F("copy"),
                        models.Case(models.When(origin="imported", then=None), default=models.F("id")),
                        name="response_imported_once",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("origin", "sampled"), _negated=True),
                            models.Q(("policy__isnull", False), ("sampling__isnull", False)),
                            _connector="OR",
                        ),
                        name="response_sampled_names_policy",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("origin", "edited"), _negated=True),
                            models.Q(("author__isnull", False), ("parent__isnull", False)),
                            _connector="OR",
                        ),
                        name="response_edited_names_parent",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="RoundEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "round",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="labeling.round",
                    ),
                ),
                ("before", models.CharField(max_length=10)),
                ("after", models.CharField(max_length=10)),
                (
                    "by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Task",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tasks",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "round",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tasks", to="labeling.round"
                    ),
                ),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tasks",
                        to="labeling.prompt",
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("compare", "Comparison"),
                            ("edit", "Edit"),
                            ("rank", "Ranking"),
                            ("chat", "Live conversation"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "chat",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="picks",
                        to="labeling.task",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("done", "Done"), ("cancelled", "Cancelled")],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("overlap", models.PositiveSmallIntegerField(default=1)),
                ("counted", models.PositiveSmallIntegerField(default=0)),
                ("priority", models.SmallIntegerField(db_default=0, default=0)),
                ("gold", models.BooleanField(db_default=False, default=False)),
                (
                    "repeats",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="repeated_by",
                        to="labeling.task",
                    ),
                ),
                (
                    "selection",
                    models.CharField(
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
                ("probability", models.FloatField(blank=True, null=True)),
                ("external_id", models.CharField(blank=True, max_length=200)),
                (
                    "created_at",
                    models.DateTimeField(
                        auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("chat__isnull", False)),
                        fields=["chat"],
                        name="task_of_conversation",
                    ),
                    models.Index(
                        condition=models.Q(("repeats__isnull", False)),
                        fields=["campaign", "repeats"],
                        name="task_asked_again",
                    ),
                    models.Index(condition=models.Q(("gold", True)), fields=["campaign"], name="task_gold"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("campaign"),
                        django.db.models.functions.comparison.NullIf("external_id", models.Value("")),
                        name="task_imported_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("counted__lte", models.F("overlap"))),
                        name="task_counted_within_overlap",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("probability__isnull", True),
                            models.Q(("probability__gt", 0), ("probability__lte", 1)),
                            _connector="OR",
                        ),
                        name="task_probability_is_probability",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Skip",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="skips", to="labeling.task"
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="skips",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("skip", "Skipped"), ("cannot_judge", "Cannot judge")],
                        default="skip",
                        max_length=12,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("task", "rater"), name="skip_once")],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="drafts", to="labeling.task"
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("data", models.JSONField(default=dict)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("task", "rater"), name="draft_once")],
            },
        ),
        migrations.CreateModel(
            name="TaskResponse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "task", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="task_responses",
                        to="labeling.task",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="task_responses",
                        to="labeling.response",
                    ),
                ),
                ("position", models.PositiveSmallIntegerField()),
            ],
            options={
                "ordering": ["position"],
                "constraints": [
                    models.UniqueConstraint(fields=("response", "task"), name="task_response_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Slot",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="slots", to="labeling.task"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("claimed", "Claimed"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        db_default="open",
                        default="open",
                        max_length=10,
                    ),
                ),
                ("order_key", models.FloatField()),
                ("priority", models.SmallIntegerField(db_default=0, default=0)),
                ("gold", models.BooleanField(db_default=False, default=False)),
                (
                    "reserved_for",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="slots",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("lease", models.UUIDField(blank=True, null=True)),
                ("lease_until", models.DateTimeField(blank=True, null=True)),
                (
                    "order_shown",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(),
                        blank=True,
                        db_default=[],
                        default=list,
                        size=None,
                    ),
                ),
                ("claimed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("reserved_for", None), ("status", "open")),
                        fields=["campaign", "gold", "-priority", "order_key"],
                        name="slot_next_open",
                    ),
                    models.Index(
                        condition=models.Q(("reserved_for__isnull", False), ("status", "open")),
                        fields=["reserved_for", "campaign"],
                        name="slot_next_reserved",
                    ),
                    models.Index(
                        condition=models.Q(("rater__isnull", False)),
                        fields=["rater", "campaign", "claimed_at"],
                        name="slot_of_rater",
                    ),
                    models.Index(
                        condition=models.Q(("status", "claimed")),
                        fields=["lease_until"],
                        name="slot_lease_running_out",
                    ),
                    models.Index(
                        condition=models.Q(("status", "claimed")),
                        fields=["rater", "campaign"],
                        name="slot_held_by_rater",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status__in", ["claimed", "done"])),
                        fields=("task", "rater"),
                        name="slot_one_per_rater_and_task",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("lease__isnull", False)),
                        fields=("lease",),
                        name="slot_lease_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "claimed"), _negated=True),
                            models.Q(
                                ("lease__isnull", False),
                                ("lease_until__isnull", False),
                                ("rater__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="slot_claimed_has_lease",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Judgment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="labeling.task",
                    ),
                ),
                (
                    "slot",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="labeling.slot",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="labeling.guideline",
                    ),
                ),
                ("idempotency_key", models.UUIDField()),
                ("active_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("attention", models.JSONField(blank=True, default=dict)),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, default=list, size=None
                    ),
                ),
                ("extra", models.BooleanField(default=False)),
                ("withdrawn", models.BooleanField(default=False)),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="labeling.judgment",
                    ),
                ),
                ("imported", models.BooleanField(default=False)),
                ("meta", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("verdict", models.SmallIntegerField(blank=True, null=True)),
                ("ranking", models.JSONField(blank=True, null=True)),
                ("both_bad", models.BooleanField(default=False)),
                ("criteria", models.JSONField(blank=True, default=dict)),
                ("reasons", models.JSONField(blank=True, default=list)),
                ("comment", models.TextField(blank=True)),
                (
                    "order_shown",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.PositiveSmallIntegerField(), size=None
                    ),
                ),
                ("display_rate", models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                "abstract": False,
                "indexes": [models.Index(fields=["rater", "-created_at"], name="judgment_of_rater_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("rater", "idempotency_key"), name="judgment_submitted_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("extra", False), ("withdrawn", False)),
                        fields=("slot",),
                        name="judgment_one_per_slot",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("supersedes__isnull", True)),
                        fields=("task", "rater"),
                        name="judgment_one_chain_per_rater_and_task",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("extra", True), ("withdrawn", True), ("slot__isnull", False), _connector="OR"
                        ),
                        name="judgment_counted_has_slot",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("verdict__gte", -3), ("verdict__lte", 3)),
                        name="judgment_verdict_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("both_bad", False), ("verdict", 0), _connector="OR"),
                        name="judgment_both_bad_prefers_neither",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ranking__isnull", True), ("verdict__isnull", False)),
                            models.Q(("ranking__isnull", False), ("verdict__isnull", True)),
                            _connector="OR",
                        ),
                        name="judgment_is_verdict_or_ranking",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Edit",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="labeling.task",
                    ),
                ),
                (
                    "slot",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to="labeling.slot",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="%(class)ss",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="labeling.guideline",
                    ),
                ),
                ("idempotency_key", models.UUIDField()),
                ("active_ms", models.PositiveIntegerField(blank=True, null=True)),
                ("attention", models.JSONField(blank=True, default=dict)),
                (
                    "flags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=20), blank=True, default=list, size=None
                    ),
                ),
                ("extra", models.BooleanField(default=False)),
                ("withdrawn", models.BooleanField(default=False)),
                (
                    "supersedes",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="labeling.edit",
                    ),
                ),
                ("imported", models.BooleanField(default=False)),
                ("meta", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "original",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="edits",
                        to="labeling.response",
                    ),
                ),
                (
                    "edited",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="edit",
                        to="labeling.response",
                    ),
                ),
                ("instruction", models.TextField(blank=True)),
                ("distance", models.PositiveIntegerField(default=0)),
                ("signals", models.JSONField(blank=True, default=dict)),
            ],
            options={
                "abstract": False,
                "indexes": [models.Index(fields=["rater", "-created_at"], name="edit_of_rater_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("rater", "idempotency_key"), name="edit_submitted_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("extra", False), ("withdrawn", False)),
                        fields=("slot",),
                        name="edit_one_per_slot",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("supersedes__isnull", True)),
                        fields=("task", "rater"),
                        name="edit_one_chain_per_rater_and_task",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("extra", True), ("withdrawn", True), ("slot__isnull", False), _connector="OR"
                        ),
                        name="edit_counted_has_slot",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Likeness",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "edit",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="likeness",
                        to="labeling.edit",
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="labeling.response"
                    ),
                ),
                ("share", models.FloatField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reviewer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "judgment",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="labeling.judgment",
                    ),
                ),
                (
                    "edit",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feedback",
                        to="labeling.edit",
                    ),
                ),
                ("text", models.TextField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("read_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["rater", "-created_at"], name="feedback_to_rater_newest"),
                    models.Index(
                        condition=models.Q(("read_at", None)),
                        fields=["rater", "created_at"],
                        name="feedback_to_rater_unread",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Turn",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "chat",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="turns", to="labeling.task"
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="turns",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                (
                    "prompt",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="turns",
                        to="labeling.prompt",
                    ),
                ),
                (
                    "task",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="turn",
                        to="labeling.task",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("sampling", "Being answered"),
                            ("ready", "Waits for the pick"),
                            ("picked", "Picked"),
                            ("failed", "No answer came"),
                        ],
                        default="sampling",
                        max_length=10,
                    ),
                ),
                ("error", models.CharField(blank=True, max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("chat", "rater", "number"), name="turn_number_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Gold",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "task",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="known", to="labeling.task"
                    ),
                ),
                (
                    "verdict",
                    models.SmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(-3),
                            django.core.validators.MaxValueValidator(3),
                        ]
                    ),
                ),
                (
                    "tolerance",
                    models.PositiveSmallIntegerField(
                        blank=True, null=True, validators=[django.core.validators.MaxValueValidator(3)]
                    ),
                ),
                ("explanation", models.TextField(blank=True)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("manager", "Named by a manager"),
                            ("proposed", "Proposed by what raters and the model say"),
                        ],
                        default="manager",
                        max_length=8,
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("retired_at", models.DateTimeField(blank=True, null=True)),
                ("retired_why", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("verdict__gte", -3), ("verdict__lte", 3)),
                        name="gold_verdict_in_range",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Score",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "response",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="labeling.response",
                    ),
                ),
                (
                    "model",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="scores",
                        to="models_app.modelversion",
                    ),
                ),
                ("value", models.FloatField(blank=True, null=True)),
                ("features", models.BinaryField(blank=True, default=b"")),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("response", "model"), name="score_once_per_model")
                ],
            },
        ),
        migrations.CreateModel(
            name="Reliability",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reliabilities",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reliabilities",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("judgments", models.PositiveIntegerField(default=0)),
                ("said", models.PositiveIntegerField(default=0)),
                ("ability", models.FloatField(blank=True, null=True)),
                ("ability_se", models.FloatField(blank=True, null=True)),
                ("side", models.FloatField(blank=True, null=True)),
                ("side_se", models.FloatField(blank=True, null=True)),
                ("length_taste", models.FloatField(blank=True, null=True)),
                ("length_taste_se", models.FloatField(blank=True, null=True)),
                ("spread", models.FloatField(blank=True, null=True)),
                ("weight", models.FloatField(default=1.0)),
                ("why", models.JSONField(blank=True, default=list)),
                ("flags", models.JSONField(blank=True, default=list)),
                ("drift", models.JSONField(blank=True, default=list)),
                ("gold_right", models.PositiveIntegerField(default=0)),
                ("gold_asked", models.PositiveIntegerField(default=0)),
                ("repeats_same", models.PositiveIntegerField(default=0)),
                ("repeats_asked", models.PositiveIntegerField(default=0)),
                ("computed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("campaign", "rater"), name="reliability_once_in_campaign"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("weight__gte", 0), ("weight__lte", 1)),
                        name="reliability_weight_is_share",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="QualityReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quality",
                        to="labeling.campaign",
                    ),
                ),
                ("figures", models.JSONField(blank=True, default=dict)),
                ("judgments", models.PositiveIntegerField(default=0)),
                ("computed_at", models.DateTimeField(blank=True, null=True)),
                ("seen_to", models.BigIntegerField(default=0)),
                ("fresh", models.PositiveIntegerField(default=0)),
                ("fit_seen_to", models.BigIntegerField(default=0)),
                ("fit_fresh", models.PositiveIntegerField(default=0)),
                ("proposals", models.JSONField(blank=True, default=list)),
            ],
        ),
        migrations.CreateModel(
            name="Adjudication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="adjudications",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "task",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="adjudications",
                        to="labeling.task",
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("disagreement", "Raters disagree"),
                            ("conflict", "The reward model and raters disagree"),
                            ("sampled", "Drawn at random"),
                            ("flag", "Somebody flagged it"),
                        ],
                        max_length=12,
                    ),
                ),
                ("evidence", models.JSONField(blank=True, default=dict)),
                ("urgency", models.FloatField(default=0.0)),
                ("opened_at", models.DateTimeField(auto_now_add=True)),
                (
                    "reviewer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("held_until", models.DateTimeField(blank=True, null=True)),
                ("verdict", models.SmallIntegerField(blank=True, null=True)),
                ("both_bad", models.BooleanField(default=False)),
                (
                    "cause",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("rater_error", "Rater error"),
                            ("model_error", "Model error"),
                            ("guideline_gap", "Gap in the guideline"),
                        ],
                        max_length=14,
                    ),
                ),
                ("note", models.TextField(blank=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("decided_at", None)),
                        fields=["campaign", "-urgency", "id"],
                        name="adjudication_next_open",
                    ),
                    models.Index(
                        condition=models.Q(("decided_at__isnull", False)),
                        fields=["campaign", "-decided_at"],
                        name="adjudication_decided_newest",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("decided_at", None)),
                        fields=("task",),
                        name="adjudication_one_open_per_task",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("verdict", None),
                            models.Q(("verdict__gte", -3), ("verdict__lte", 3)),
                            _connector="OR",
                        ),
                        name="adjudication_verdict_in_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("decided_at", None), ("reviewer__isnull", False), _connector="OR"
                        ),
                        name="adjudication_decided_by_somebody",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="GuidelineGap",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="guideline_gaps",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "adjudication",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gap",
                        to="labeling.adjudication",
                    ),
                ),
                ("text", models.TextField()),
                ("verdict", models.SmallIntegerField(blank=True, null=True)),
                ("why", models.TextField(blank=True)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("taken_up", "Taken up"), ("dismissed", "Dismissed")],
                        default="open",
                        max_length=10,
                    ),
                ),
                (
                    "example",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="labeling.example",
                    ),
                ),
                (
                    "guideline",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="gaps",
                        to="labeling.guideline",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "settled_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("settled_at", models.DateTimeField(blank=True, null=True)),
                ("settled_why", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("verdict", None),
                            models.Q(("verdict__gte", -3), ("verdict__lte", 3)),
                            _connector="OR",
                        ),
                        name="guideline_gap_verdict_in_range",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="task",
            name="responses",
            field=models.ManyToManyField(
                related_name="tasks", through="labeling.TaskResponse", to="labeling.response"
            ),
        ),
        *[
            operation
            for name in WITH_SQL
            for operation in import_module(f"labeling.migrations.{name}").Migration.operations
            if isinstance(operation, migrations.RunSQL)
        ],
    ]
