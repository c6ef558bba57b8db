from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("labeling", "0010_withdrawn_prompts"),
        ("training", "0007_alarms"),
    ]

    operations = [
        migrations.AddField(
            model_name="snapshot",
            name="beside",
            field=models.ManyToManyField(blank=True, related_name="+", to="labeling.campaign"),
        ),
    ]
