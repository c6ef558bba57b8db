from django.db import migrations

# Whether a rater said something on a task that stands; the claim asks it of the few tasks of which they have a
# cancelled slot and no skip.
SAID = """
CREATE FUNCTION labeling_said(task bigint, rater bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
            SELECT FROM labeling_judgment said
            WHERE said.task_id = $1 AND said.rater_id = $2 AND NOT said.withdrawn
                AND NOT EXISTS (SELECT FROM labeling_judgment later WHERE later.supersedes_id = said.id))
        OR EXISTS (
            SELECT FROM labeling_edit said
            WHERE said.task_id = $1 AND said.rater_id = $2 AND NOT said.withdrawn
                AND NOT EXISTS (SELECT FROM labeling_edit later WHERE later.supersedes_id = said.id))
$$
"""


class Migration(migrations.Migration):
    dependencies = [("labeling", "0016_one_index_of_answers")]

    operations = [
        migrations.RunSQL(SAID, "DROP FUNCTION labeling_said(bigint, bigint)"),
    ]
