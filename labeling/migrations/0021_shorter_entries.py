import django.db.models.deletion
from django.db import migrations, models
from django.db.models.functions import NullIf

# Shortened by a cast: an answer's hash is the first half of what it was. The way back makes them anew, but for
# whole conversations, whose answers an older Touchstone would not know again.
SHORT = "ALTER TABLE labeling_response ALTER COLUMN text_hash TYPE varchar(32) USING text_hash::varchar(32)"
LONG = """
ALTER TABLE labeling_response ALTER COLUMN text_hash TYPE varchar(64) USING
    CASE WHEN turns = '[]' THEN encode(sha256(convert_to(text, 'UTF8')), 'hex') ELSE text_hash END
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0020_indexes_that_are_used")]

    operations = [
        migrations.RunSQL(
            SHORT,
            LONG,
            state_operations=[
                migrations.AlterField("response", "text_hash", models.CharField(max_length=32)),
            ],
        ),
        migrations.RemoveConstraint("task", "task_imported_once"),
        migrations.AddConstraint(
            "task",
            models.UniqueConstraint(
                "campaign", NullIf("external_id", models.Value("")), name="task_imported_once"
            ),
        ),
        migrations.AlterField(
            "task",
            "campaign",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="tasks",
                to="labeling.campaign",
            ),
        ),
    ]
