"""Let the database fill in what is alike in all new rows, and find a prompt's answers by the index of equal ones."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0021_shorter_entries"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="response",
            name="response_imported_once",
        ),
        migrations.AlterField(
            model_name="prompt",
            name="created_at",
            field=models.DateTimeField(
                auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
            ),
        ),
        migrations.AlterField(
            model_name="prompt",
            name="withdrawn",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="response",
            name="created_at",
            field=models.DateTimeField(
                auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
            ),
        ),
        migrations.AlterField(
            model_name="response",
            name="prompt",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="responses",
                to="labeling.prompt",
            ),
        ),
        migrations.AlterField(
            model_name="slot",
            name="gold",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="slot",
            name="order_shown",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveSmallIntegerField(),
                blank=True,
                db_default=[],
                default=list,
                size=None,
            ),
        ),
        migrations.AlterField(
            model_name="slot",
            name="priority",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name="slot",
            name="status",
            field=models.CharField(
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
        migrations.AlterField(
            model_name="task",
            name="created_at",
            field=models.DateTimeField(
                auto_now_add=True, db_default=django.db.models.functions.datetime.Now()
            ),
        ),
        migrations.AlterField(
            model_name="task",
            name="gold",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="task",
            name="priority",
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddConstraint(
            model_name="response",
            constraint=models.UniqueConstraint(
                models.F("prompt"),
                models.F("policy"),
                models.F("text_hash"),
                models.F("copy"),
                models.Case(models.When(origin="imported", then=None), default=models.F("id")),
                name="response_imported_once",
                nulls_distinct=False,
            ),
        ),
    ]
