from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("labeling", "0012_kept_counts")]

    operations = [
        migrations.AddField(
            model_name="import",
            name="mapping",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="import",
            name="keep_good",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="import",
            name="dataset",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name="import",
            name="split",
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.AlterField(
            model_name="import",
            name="status",
            field=models.CharField(
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
    ]
