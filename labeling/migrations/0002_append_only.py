"""Let the database refuse changes to what people said and to what they were told."""

from django.db import migrations

TABLES = ["labeling_judgment", "labeling_edit", "labeling_guideline"]

FUNCTION = """
CREATE FUNCTION touchstone_refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: add a row that supersedes the old one', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""


def trigger(table: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION touchstone_refuse_update();",
        f"DROP TRIGGER {table}_append_only ON {table};",
    )


class Migration(migrations.Migration):
    dependencies = [("labeling", "0001_initial")]

    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION touchstone_refuse_update();"),
        *[trigger(table) for table in TABLES],
    ]
